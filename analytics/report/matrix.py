"""The similarity matrix of one material's calculations, with its blocks marked and its settings under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analytics.report.colours import viridis
from analytics.report.material import UNKNOWN, Calculation, Material
from analytics.report.png import data_uri, palette_png
from analytics.report.strips import strips
from analytics.report.svg import drawing, tag

MOST_CALCULATIONS = 500
"""Above this, a sample of the sorted calculations is drawn: the page stays small and a cell a pixel wide."""
STEPS = 200
"""A coefficient is stored to 1 / STEPS."""
LEFT, TOP, RIGHT, SIDE = 72.0, 52.0, 10.0, 570.0
NARROWEST_BLOCK = 9.0
# Widths of a character in the figure's unit at the desktop's and the telephone's size of text (style.css).
DESK_CHARACTER, PHONE_CHARACTER = 8.4, 12.3


@dataclass(frozen=True)
class Block:
    """A run of calculations with the same words for a setting: places [start, stop)."""

    words: str
    short: str
    start: int
    stop: int


@dataclass(frozen=True)
class MatrixFigure:
    """The figure, what the page's script reads from it, and what its caption has to say."""

    svg: Markup
    data: dict[str, object]
    low: float
    n_shown: int
    n_comparable: int


def matrix_figure(material: Material, colour: Callable[[str], str]) -> MatrixFigure:
    """Draw the matrix of a material's calculations: plain coefficients below the diagonal, aligned ones above.

    Above ``MOST_CALCULATIONS`` a sample is drawn: calculations at equal distances in the sorted order.

    Args:
        material: at least one calculation, in the order of the rows and columns.
        colour: the CSS class of a database's colour.
    """
    shown = material.taken(thinned(len(material.calculations), MOST_CALCULATIONS))
    n, low = len(shown.calculations), lowest(shown)
    levels, palette = coded(shown), _palette(low)
    image = tag(
        "image", href=data_uri(palette_png(levels, palette, STEPS + 1)), x=LEFT, y=TOP, width=SIDE, height=SIDE,
        preserveAspectRatio="none", class_="cells",
    )
    functionals = runs(shown.calculations, 0, n, lambda c: (c.functional, _short(c.functional)))
    meshes = [block for outer in functionals for block in runs(
        shown.calculations, outer.start, outer.stop, lambda c: (c.k_level, _count(c)))]
    under, below = strips(shown.calculations, (LEFT, TOP + SIDE, SIDE), colour)
    height = TOP + SIDE + below
    drawn = [
        image, *_lines(meshes, functionals, n), *_labels(functionals, n, 18.0, 20.0), *_labels(meshes, n, 42.0, 50.0),
        *under,
    ]
    title = (
        f"Similarity matrix of {n} calculations of {material.key}, sorted by functional, k-points, basis and tier; "
        "strips of k-points and basis under it"
    )
    data: dict[str, object] = {
        "n": n, "steps": STEPS, "box": [LEFT, TOP, SIDE], "aligned": shown.aligned is not None,
        "ids": [c.calculation_id for c in shown.calculations], **_words(shown.calculations),
    }
    return MatrixFigure(
        drawing(LEFT + SIDE + RIGHT, height, title, *drawn), data, low, n, shown.n_comparable,
    )


def thinned(n: int, most: int) -> npt.NDArray[np.intp]:
    """At most ``most`` of the places 0 … n − 1, at equal distances, the first and the last among them."""
    return np.unique(np.rint(np.linspace(0, n - 1, min(n, most))).astype(np.intp))


def lowest(material: Material) -> float:
    """Where the scale starts: the smallest coefficient rounded down to a tenth, at most 0.9."""
    known = [m[np.isfinite(m)] for m in (material.similarity, material.aligned) if m is not None]
    smallest = min((float(values.min()) for values in known if values.size), default=0.0)
    return float(np.clip(np.floor(smallest * 10 + 1e-9) / 10, 0.0, 0.9))


def coded(material: Material) -> npt.NDArray[np.uint8]:
    """The coefficients in steps of 1 / STEPS; STEPS is only what is exactly 1, STEPS + 1 is missing.

    Returns:
        Shape (n, n): the plain coefficients below the diagonal, above it the aligned ones where there are any.
    """
    values = material.similarity
    if material.aligned is not None:
        above = np.triu(np.ones(values.shape, dtype=bool), 1)
        values = np.where(above, material.aligned, values)
    missing = ~np.isfinite(values)
    filled = np.clip(np.where(missing, 0.0, values), 0.0, 1.0)
    steps = np.where(filled < 1.0, np.minimum(np.rint(filled * STEPS), STEPS - 1), STEPS)
    return np.where(missing, STEPS + 1, steps).astype(np.uint8)


def runs(
    calculations: Sequence[Calculation], start: int, stop: int, words: Callable[[Calculation], tuple[str, str]]
) -> list[Block]:
    """The runs of equal words (long, short) among the calculations [start, stop)."""
    found, place = [], start
    for long, members in groupby(calculations[start:stop], key=lambda one: words(one)[0]):
        run = list(members)
        found.append(Block(long, words(run[0])[1], place, place + len(run)))
        place += len(run)
    return found


def _palette(low: float) -> npt.NDArray[np.uint8]:
    levels = np.arange(STEPS + 1) / STEPS
    return np.vstack([viridis((levels - low) / (1.0 - low)), np.zeros((1, 3), dtype=np.uint8)])


def _count(one: Calculation) -> str:
    return _short(one.k_level) if one.k_points is None else f"{one.k_points:,.0f}"


def _short(words: str) -> str:
    return "?" if words == UNKNOWN else words


def _words(calculations: Sequence[Calculation]) -> dict[str, object]:
    """Settings in words, each said once."""
    different = sorted({c.words for c in calculations})
    place = {words: i for i, words in enumerate(different)}
    return {"words": different, "of": [place[c.words] for c in calculations]}


def _lines(meshes: Sequence[Block], functionals: Sequence[Block], n: int) -> Iterator[Markup]:
    """Lines between blocks: a dark one on a light one, seen on every colour of the scale."""
    cell = SIDE / n
    inner = {b.start for b in meshes} - {b.start for b in functionals}
    if meshes and SIDE / len(meshes) < NARROWEST_BLOCK:
        inner = set()
    for places, kind, reach in ((sorted(inner), "inner", 20.0), (sorted(b.start for b in functionals), "outer", 44.0)):
        ends = [p * cell for p in places if p]
        within = "".join(f"M{LEFT + e:.2f} {TOP:.0f}v{SIDE:.0f}M{LEFT:.0f} {TOP + e:.2f}h{SIDE:.0f}" for e in ends)
        beside = "".join(f"M{LEFT + e:.2f} {TOP:.0f}v{-reach:.0f}M{LEFT:.0f} {TOP + e:.2f}h{-reach:.0f}" for e in ends)
        if ends:
            yield tag("path", d=within, class_=f"block-halo {kind}")
            yield tag("path", d=within, class_=f"block-line {kind}")
            yield tag("path", d=beside, class_="mark")
    yield tag("rect", x=LEFT, y=TOP, width=SIDE, height=SIDE, class_="frame")


def _labels(blocks: Sequence[Block], n: int, y: float, x: float) -> Iterator[Markup]:
    """The words of blocks above and beside the matrix, where they fit; shorter ones on a telephone."""
    cell = SIDE / n
    desk, phone = (_fitting(blocks, cell, width) for width in (DESK_CHARACTER, PHONE_CHARACTER))
    for place, block in enumerate(blocks):
        middle = (block.start + block.stop) / 2 * cell
        both = desk[place] == phone[place]
        for text, screen in ((desk[place], "" if both else "desk"), ("" if both else phone[place], "phone")):
            if text:
                kind = {"class_": f"block-name {screen}".strip(), "text_anchor": "middle"}
                yield tag("text", text, x=LEFT + middle, y=y, **kind)
                yield tag("text", text, transform=f"translate({x:.0f} {TOP + middle:.1f}) rotate(-90)", **kind)


def _fitting(blocks: Sequence[Block], cell: float, character: float) -> list[str]:
    """The texts of the blocks: long ones, or short ones where more of those fit; an empty one where none does."""
    room = [(b.stop - b.start) * cell - 4 for b in blocks]
    long, short = (
        [w if len(w) * character <= r else "" for w, r in zip(words, room, strict=True)]
        for words in ([b.words for b in blocks], [b.short for b in blocks])
    )
    chosen = short if sum(map(bool, short)) > sum(map(bool, long)) else long
    return [text or (s if b.words == UNKNOWN else "") for text, s, b in zip(chosen, short, blocks, strict=True)]
