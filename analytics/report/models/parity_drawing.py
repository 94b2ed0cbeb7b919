"""The drawing of a parity plot: predicted against actual values, as dots or, of many rows, as their density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analytics.report.formats import signed
from analytics.report.models.experiment import Row
from analytics.report.png import data_uri, palette_png
from analytics.report.svg import drawing, tag, tick_text, ticks

N_BINS = 128
MOST_DOTS = 400
"""Up to so many rows each is a dot; more are a picture of their density."""
WIDTH, HEIGHT, LEFT, TOP, SIDE = 230.0, 232.0, 46.0, 8.0, 178.0
ALPHAS = (0, 115, 138, 161, 184, 207, 230, 255)
"""How opaque a cell of the picture is: nothing, then by the logarithm of its rows."""
COLOURS = {"alone": (31, 131, 196), "common": (224, 112, 0)}
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

    @classmethod
    def binned(cls, actual: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64], axis: Axis) -> Points:
        """The points of rows (n,); what lies outside the axes stands at their ends."""
        cells = [np.clip((values - axis.low) / (axis.high - axis.low) * N_BINS, 0, N_BINS - 1).astype(np.int64)
                 for values in (actual, predicted)]
        found, n = np.unique(cells[0] * N_BINS + cells[1], return_counts=True)
        return cls(found // N_BINS, found % N_BINS, n.astype(np.int64))


def parity_figure(
    actual: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64], unit: str, title: str
) -> Markup:
    """The figure of rows that are all of one sort.

    Args:
        actual: values (n,), n at least 1.
        predicted: what a model says of them (n,).
        unit: of both.
        title: what a screen reader says.
    """
    low, high = float(actual.min()), float(actual.max())
    margin = 0.04 * (high - low) or 0.5
    axis = Axis(low - margin, high + margin, unit)
    return parity_drawing([(Points.binned(actual, predicted, axis), "alone")], axis,
                          float(np.mean(predicted - actual)), title)


def parity_drawing(apart: Sequence[tuple[Points, str]], axis: Axis, bias: float | None, title: str) -> Markup:
    """The figure of rows of several sorts, each with its CSS class: alone or common."""
    total = sum(int(points.n.sum()) for points, _ in apart)
    marks = [_dots(points, kind) if total <= MOST_DOTS else _picture(points, COLOURS[kind])
             for points, kind in apart if points.n.size]
    return drawing(WIDTH, HEIGHT, title, *_frame(axis), *marks, *_lines(axis, bias))


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
