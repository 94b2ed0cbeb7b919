"""The strips under a similarity matrix: database, k-points and basis of every column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from analytics.report.material import Calculation
from analytics.report.svg import tag

STRIP_HEIGHT = 46.0
BAND_HEIGHT = 12.0
NAME_HEIGHT = 24.0
LOWEST_SHARE = 0.08
"""The smallest value is still seen as a bar."""
K_POINTS = (
    ("k_points", "number of k-points, log scale"), ("k_density_angstrom", "k-point density (Å), log scale"),
)
BASIS = (
    ("basis_functions", "number of basis functions, log scale"), ("cutoff_ev", "plane-wave cutoff (eV), log scale"),
)
Place = tuple[float, float, float]


def strips(
    calculations: Sequence[Calculation], place: Place, colour: Callable[[str], str]
) -> tuple[list[Markup], float]:
    """The strips of a matrix.

    Args:
        calculations: one per column.
        place: left end, lower end and width of the matrix.
        colour: the CSS class of a database's colour.

    Returns:
        What is drawn, and how much height it takes.
    """
    left, top, width = place
    drawn: list[Markup] = []
    y = top
    if len({c.source for c in calculations}) > 1:
        drawn += _band([c.source for c in calculations], (left, y + 6, width), colour)
        y += 6 + BAND_HEIGHT
    for name, values in (_preferred(calculations, K_POINTS), _preferred(calculations, BASIS)):
        drawn += _strip(name, values, (left, y, width))
        y += NAME_HEIGHT + STRIP_HEIGHT
    return drawn, y - top + 8.0


def _preferred(
    calculations: Sequence[Calculation], measures: Sequence[tuple[str, str]]
) -> tuple[str, list[float | None]]:
    """The measure that most calculations state, the first of equal ones: two measures do not share an axis."""
    found: list[tuple[str, list[float | None]]] = [
        (words, [getattr(one, name) for one in calculations]) for name, words in measures
    ]
    return max(found, key=lambda measure: sum(value is not None for value in measure[1]))


def _band(sources: Sequence[str], place: Place, colour: Callable[[str], str]) -> Iterator[Markup]:
    left, top, width = place
    cell, start = width / len(sources), 0
    for source, members in groupby(sources):
        size = sum(1 for _ in members)
        yield tag("rect", tag("title", source), x=left + start * cell, y=top, width=size * cell, height=BAND_HEIGHT,
                  class_=f"band {colour(source)}")
        start += size


def _strip(name: str, values: Sequence[float | None], place: Place) -> Iterator[Markup]:
    left, top, width = place
    known = sorted({v for v in values if v})
    unknown = sum(not v for v in values)
    base = top + NAME_HEIGHT + STRIP_HEIGHT
    if not known:
        yield tag("text", f"{name.partition(',')[0]}: unknown for all", x=left, y=top + 17, class_="axis")
        return
    yield tag("text", name + (f"; unknown for {unknown}" if unknown else ""), x=left, y=top + 17, class_="axis")
    digits = 0 if known[-1] >= 100 or all(v == int(v) for v in known) else 1
    yield tag("path", d=_bars(values, known, (left, base, width)), class_="bars")
    yield tag("line", x1=left, x2=left + width, y1=base, y2=base, class_="mark")
    for value, y in ((known[-1], base - STRIP_HEIGHT + 12), (known[0], base))[:len(known)]:
        yield tag("text", f"{value:,.{digits}f}", x=left - 6, y=y, class_="tick", text_anchor="end")


def _bars(values: Sequence[float | None], known: Sequence[float], place: Place) -> str:
    """The outline of the bars; neighbours of one height are one bar, an unknown value is a gap."""
    left, base, width = place
    low, high, cell = math.log(known[0]), math.log(known[-1]), width / len(values)
    path, start = [], 0
    for value, members in groupby(values):
        size = sum(1 for _ in members)
        if value:
            share = 1.0 if high == low else LOWEST_SHARE + (1 - LOWEST_SHARE) * (math.log(value) - low) / (high - low)
            x, height = left + start * cell, share * STRIP_HEIGHT
            path.append(f"M{x:.2f} {base:.1f}v{-height:.1f}h{size * cell:.2f}v{height:.1f}z")
        start += size
    return "".join(path)
