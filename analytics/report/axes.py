"""Axes of figures, linear and logarithmic, and the frame that they make together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

from analytics.report.svg import tag, tick_text, ticks

MOST_MARKS = 6


class Axis(Protocol):
    """From values to places in a figure."""

    def place(self, value: float) -> float:
        """Where a value stands; what lies outside stands at the nearer end."""

    def marks(self) -> list[float]:
        """Round values with a tick."""


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis from one value above 0 and place to another."""

    low: float
    high: float
    start: float
    stop: float

    def place(self, value: float) -> float:
        """See :class:`Axis`."""
        inside = min(self.high, max(self.low, value))
        share = math.log(inside / self.low) / math.log(self.high / self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)

    def marks(self) -> list[float]:
        """Powers of ten, with 2 and 5 or 3 times them where there is room; of very many every other one."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            values = (f * 10.0**p for p in powers for f in factors)
            found = [value for value in values if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
            if len(found) <= MOST_MARKS:
                return found
        return found[:: 1 + len(found) // MOST_MARKS]


@dataclass(frozen=True)
class LinearAxis:
    """A linear axis from one value and place to another."""

    low: float
    high: float
    start: float
    stop: float

    def place(self, value: float) -> float:
        """See :class:`Axis`."""
        inside = min(self.high, max(self.low, value))
        share = (inside - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)

    def marks(self) -> list[float]:
        """Round values, about five."""
        return ticks(self.low, self.high)


@dataclass(frozen=True)
class Box:
    """A figure and the margins around its plot."""

    width: float = 640.0
    height: float = 310.0
    left: float = 90.0
    right: float = 46.0
    top: float = 12.0
    bottom: float = 56.0

    def across(self, axis: type[LogAxis] | type[LinearAxis], low: float, high: float) -> LogAxis | LinearAxis:
        """The axis from left to right."""
        return axis(low, high, self.left, self.width - self.right)

    def up(self, axis: type[LogAxis] | type[LinearAxis], low: float, high: float) -> LogAxis | LinearAxis:
        """The axis from bottom to top."""
        return axis(low, high, self.height - self.bottom, self.top)


def frame(
    box: Box, across: Axis, up: Axis, titles: tuple[str, str], text: Callable[[float], str] = "{:g}".format,
) -> list[Markup]:
    """Grid, ticks and titles.

    Args:
        box: the figure.
        across: axis from left to right.
        up: axis from bottom to top.
        titles: of both, units included.
        text: how a value on the axis from left to right is written.
    """
    base, middle = box.height - box.bottom, box.top + (box.height - box.top - box.bottom) / 2
    drawn = [tag("line", x1=box.left, x2=box.width - box.right, y1=base, y2=base, class_="mark")]
    heights = up.marks()
    for value in heights:
        y = up.place(value)
        drawn += [tag("line", x1=box.left, x2=box.width - box.right, y1=y, y2=y, class_="grid"),
                  tag("text", _mark(up, value, heights), x=box.left - 7, y=y + 4.5, text_anchor="end")]
    for value in across.marks():
        x = across.place(value)
        drawn += [tag("line", x1=x, x2=x, y1=base, y2=base + 5, class_="mark"),
                  tag("text", text(value), x=x, y=base + 20, text_anchor="middle")]
    return [
        *drawn,
        tag("text", titles[0], x=(box.left + box.width - box.right) / 2, y=box.height - 7, class_="axis",
            text_anchor="middle"),
        tag("text", titles[1], class_="axis", text_anchor="middle",
            transform=f"translate(24 {middle:.1f}) rotate(-90)"),
    ]


def _mark(axis: Axis, value: float, values: Sequence[float]) -> str:
    return tick_text(value, values) if isinstance(axis, LinearAxis) else f"{value:g}"
