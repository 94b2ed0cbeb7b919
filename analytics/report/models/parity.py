"""Parity plots (Figure 1 of Speckhard et al.): predicted against actual values of test rows, a panel per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analytics.report.formats import count, number, signed
from analytics.report.models.experiment import Experiment, Row
from analytics.report.png import data_uri, palette_png
from analytics.report.section import Sources
from analytics.report.svg import drawing, tag, tick_text, ticks

N_BINS = 128
MOST_DOTS = 400
"""Up to so many rows each is a dot; more are a picture of their density."""
WIDTH, HEIGHT, LEFT, TOP, SIDE = 230.0, 232.0, 46.0, 8.0, 178.0
ALPHAS = (0, 115, 138, 161, 184, 207, 230, 255)
"""How opaque a cell of the picture is: nothing, then by the logarithm of its rows."""
ALONE_COLOUR, COMMON_COLOUR = (31, 131, 196), (224, 112, 0)
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """Both axes of every panel: ends in the unit of the target, and the unit."""

    low: float
    high: float
    unit: str

    def x(self, value: float) -> float:
        """Where a value stands from left to right."""
        return LEFT + (value - self.low) / (self.high - self.low) * SIDE

    def y(self, value: float) -> float:
        """Where a value stands from top to bottom."""
        return TOP + SIDE - (value - self.low) / (self.high - self.low) * SIDE


@dataclass(frozen=True)
class Panel:
    """One model on one database."""

    words: str
    note: str
    svg: Markup


@dataclass(frozen=True)
class Points:
    """Cells with rows in them: places on both axes and rows, each of shape (m,)."""

    actual: Ints
    predicted: Ints
    n: Ints

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Points:
        """The points that rows of the query `transfer_parity` tell."""
        columns = ("actual_bin", "predicted_bin", "n")
        return cls(*(np.array([row[name] for row in rows], dtype=np.int64) for name in columns))


def panels(
    experiment: Experiment, rows: list[dict[str, Any]], database: str, sources: Sources, most: int
) -> list[Panel]:
    """The panels of one database: each model's predictions of its test rows.

    Args:
        experiment: the models, in order, and their errors.
        rows: answer of the query `transfer_parity`, of ``N_BINS`` bins.
        database: whose rows are predicted.
        sources: the names that figures use.
        most: panels at most.
    """
    by_model: Mapping[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["evaluated_on"] == database:
            by_model[row["model_id"]].append(row)
    found: list[Panel] = []
    for model in experiment.models:
        of_model = by_model.get(model.model_id)
        if not of_model or len(found) == most:
            continue
        axis = Axis(of_model[0]["axis_low"], of_model[0]["axis_high"], experiment.unit)
        errors = experiment.errors.get((model.model_id, database))
        words = model.words(sources)
        title = f"Predicted against actual values on {sources.short(database)} of the model trained on {words}"
        found.append(Panel(words, _note(of_model, errors), _drawn(of_model, errors, axis, title)))
    return found


def _note(rows: Sequence[Row], errors: Row | None) -> str:
    parts = [f"{count(sum(row['n'] for row in rows))} rows"]
    if errors is not None:
        parts = [f"MAE {number(errors['mae'], 3)}", f"bias {signed(errors['bias'])}", *parts]
    outside = sum(row["n_outside"] for row in rows)
    return " · ".join([*parts, *([f"{count(outside)} at the edge"] if outside else [])])


def _drawn(rows: Sequence[Row], errors: Row | None, axis: Axis, title: str) -> Markup:
    apart = [Points.of([row for row in rows if row["common"] is common]) for common in (False, True)]
    total = sum(int(points.n.sum()) for points in apart)
    marks: list[Markup] = []
    for points, colour, kind in zip(apart, (ALONE_COLOUR, COMMON_COLOUR), ("alone", "common"), strict=True):
        if points.n.size:
            marks.append(_dots(points, kind) if total <= MOST_DOTS else _picture(points, colour))
    bias = errors["bias"] if errors is not None else None
    return drawing(WIDTH, HEIGHT, f"{title}.", *_frame(axis), *marks, *_lines(axis, bias))


def _frame(axis: Axis) -> list[Markup]:
    values, base = ticks(axis.low, axis.high, 4), TOP + SIDE
    drawn = [tag("rect", x=LEFT, y=TOP, width=SIDE, height=SIDE, class_="pane")]
    for value in values:
        text, x, y = tick_text(value, values), axis.x(value), axis.y(value)
        drawn += [
            tag("path", d=f"M{x:.1f} {base:.0f}v4M{LEFT:.0f} {y:.1f}h-4", class_="mark"),
            tag("text", text, x=x, y=base + 17, text_anchor="middle"),
            tag("text", text, x=LEFT - 7, y=y + 4, text_anchor="end"),
        ]
    middle = TOP + SIDE / 2
    return [
        *drawn,
        tag("text", f"actual ({axis.unit})", x=LEFT + SIDE / 2, y=HEIGHT - 8, class_="axis", text_anchor="middle"),
        tag("text", f"predicted ({axis.unit})", class_="axis", text_anchor="middle",
            transform=f"translate(11 {middle:.1f}) rotate(-90)"),
    ]


def _lines(axis: Axis, bias: float | None) -> list[Markup]:
    """The diagonal, and beside it that of the mean error."""
    found = [tag("path", d=_diagonal(axis, 0.0), class_="identity")]
    if bias is not None and 0.004 * (axis.high - axis.low) < abs(bias) < axis.high - axis.low:
        shifted = tag("title", f"mean error (bias) {signed(bias)} {axis.unit}")
        found.append(tag("path", shifted, d=_diagonal(axis, bias), class_="bias"))
    return found


def _diagonal(axis: Axis, shift: float) -> str:
    low, high = max(axis.low, axis.low - shift), min(axis.high, axis.high - shift)
    return f"M{axis.x(low):.1f} {axis.y(low + shift):.1f}L{axis.x(high):.1f} {axis.y(high + shift):.1f}"


def _dots(points: Points, kind: str) -> Markup:
    cell = SIDE / N_BINS
    steps = "".join(
        f"M{LEFT + (x + 0.5) * cell:.1f} {TOP + SIDE - (y + 0.5) * cell:.1f}h0"
        for x, y in zip(points.actual, points.predicted, strict=True)
    )
    return tag("path", d=steps, class_=f"dots {kind}")


def _picture(points: Points, colour: tuple[int, int, int]) -> Markup:
    levels = len(ALPHAS) - 1
    scale = np.log(max(int(points.n.max()), 2))
    shades = 1 + np.floor(np.log(points.n) / scale * (levels - 1) + 1e-9).astype(np.uint8)
    image = np.zeros((N_BINS, N_BINS), dtype=np.uint8)
    image[N_BINS - 1 - points.predicted, points.actual] = shades
    image = _spread(image)
    palette = np.tile(np.array(colour, dtype=np.uint8), (len(ALPHAS), 1))
    return tag(
        "image", href=data_uri(palette_png(image, palette, alphas=ALPHAS)), x=LEFT, y=TOP, width=SIDE, height=SIDE,
        preserveAspectRatio="none", class_="cells",
    )


def _spread(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Every cell as a cross of five: a single row would be too small to be seen."""
    wide = image.copy()
    for to, of in ((np.s_[1:, :], np.s_[:-1, :]), (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, 1:], np.s_[:, :-1]),
                   (np.s_[:, :-1], np.s_[:, 1:])):
        np.maximum(wide[to], image[of], out=wide[to])
    return wide
