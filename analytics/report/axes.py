"""Axes of figures, linear and logarithmic, and the frame that they make together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from markupsafe import Markup

from analytics.report.svg import tag, tick_text, ticks

MOST_MARKS = 6
FEWEST_MARKS = 3
CHARACTER = 0.62
"""Width of a digit in sizes of the font, with some room."""
LINES_APART = 1.35
"""Distance of two lines of text in sizes of the font."""
FACTORS: tuple[tuple[float, ...], ...] = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5))
SHORTEST, LONGEST = 1e-4, 1e6
"""Values between these are written out."""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
Room = Callable[[float], float]
"""How much of the axis the text at a value takes."""


def no_room(value: float) -> float:  # noqa: ARG001 - every text is that small
    """Texts that are never in each other's way."""
    return 0.0


class Axis(Protocol):
    """From values to places in a figure."""

    def place(self, value: float) -> float:
        """Where a value stands; what lies outside stands at the nearer end."""

    def marks(self, room: Room = no_room) -> list[float]:
        """Round values with a tick whose texts are not in each other's way."""


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis from one value above 0 and place to another; ``whole``: of whole numbers."""

    low: float
    high: float
    start: float
    stop: float
    whole: bool = False

    def place(self, value: float) -> float:
        """See :class:`Axis`."""
        inside = min(self.high, max(self.low, value))
        share = math.log(inside / self.low) / math.log(self.high / self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)

    def marks(self, room: Room = no_room) -> list[float]:
        """Powers of ten, with 2, 3 and 5 times them where there is room; where these are few, evenly spaced values."""
        found = self._most(self._powers(), room, MOST_MARKS)
        if len(found) < FEWEST_MARKS:
            narrow = self._most([ticks(self.low, self.high, wanted) for wanted in (3, 4, 5, 6, 8)], room, MOST_MARKS)
            found = narrow if len(narrow) > len(found) else found
        return found

    def _powers(self) -> list[list[float]]:
        """Sets of values, the coarsest first."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = range(max(1, len(powers) // 2), 1, -1)
        return [*([10.0**p for p in powers if p % step == 0] for step in every),
                *([f * 10.0**p for p in powers for f in factors] for factors in FACTORS)]

    def _most(self, sets: Sequence[list[float]], room: Room, most: int) -> list[float]:
        """The set of most values, of several the coarsest; at most so many."""
        found: list[float] = []
        for values in sets:
            inside = [v for v in values if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9)]
            kept = _marked(self, inside, room)
            if len(found) < len(kept) <= most:
                found = kept
        return found


@dataclass(frozen=True)
class LinearAxis:
    """A linear axis from one value and place to another; ``whole``: of whole numbers."""

    low: float
    high: float
    start: float
    stop: float
    whole: bool = False

    def place(self, value: float) -> float:
        """See :class:`Axis`."""
        inside = min(self.high, max(self.low, value))
        share = (inside - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)

    def marks(self, room: Room = no_room) -> list[float]:
        """Round values, about five; fewer where their texts are long."""
        for wanted in (5, 4, 3, 2):
            found = _marked(self, ticks(self.low, self.high, wanted), room)
            if found:
                return found
        return ticks(self.low, self.high)[:1]


def _marked(axis: LogAxis | LinearAxis, values: Sequence[float], room: Room) -> list[float]:
    """Values that an axis can show, none where two of their texts would be in each other's way."""
    shown = [v for v in values if not axis.whole or abs(v - round(v)) < 1e-9 * max(1.0, abs(v))]
    for first, second in itertools.pairwise(shown):
        if abs(axis.place(second) - axis.place(first)) < (room(first) + room(second)) / 2:
            return []
    return shown


@dataclass(frozen=True)
class Box:
    """A figure and the margins around its plot; ``font``: size of its texts where they are largest, on a phone."""

    width: float = 640.0
    height: float = 310.0
    left: float = 90.0
    right: float = 46.0
    top: float = 12.0
    bottom: float = 56.0
    font: float = 21.0

    def across(
        self, axis: type[LogAxis] | type[LinearAxis], low: float, high: float, whole: bool = False,
    ) -> LogAxis | LinearAxis:
        """The axis from left to right."""
        return axis(low, high, self.left, self.width - self.right, whole)

    def up(self, axis: type[LogAxis] | type[LinearAxis], low: float, high: float) -> LogAxis | LinearAxis:
        """The axis from bottom to top."""
        return axis(low, high, self.height - self.bottom, self.top)

    def beside(self, up: LogAxis | LinearAxis) -> Box:
        """The box with room at its left for what an axis says there."""
        widest = max((len(text) for text in texts(self.heights(up))), default=0)
        needed = 1.9 * self.font + widest * CHARACTER * self.font
        return replace(self, left=max(self.left, needed))

    def heights(self, up: Axis) -> list[float]:
        """The marks of the axis from bottom to top."""
        return up.marks(lambda _: LINES_APART * self.font)

    def widths(self, across: Axis) -> list[float]:
        """The marks of the axis from left to right."""
        return across.marks(lambda value: (len(short(value)) + 1) * CHARACTER * self.font)


def frame(box: Box, across: Axis, up: Axis, titles: tuple[str, str]) -> list[Markup]:
    """Grid, ticks and titles.

    Args:
        box: the figure.
        across: axis from left to right.
        up: axis from bottom to top.
        titles: of both, units included.
    """
    base, middle = box.height - box.bottom, box.top + (box.height - box.top - box.bottom) / 2
    drawn = [tag("line", x1=box.left, x2=box.width - box.right, y1=base, y2=base, class_="mark")]
    heights = box.heights(up)
    for value, text in zip(heights, texts(heights), strict=True):
        y = up.place(value)
        drawn += [tag("line", x1=box.left, x2=box.width - box.right, y1=y, y2=y, class_="grid"),
                  tag("text", text, x=box.left - 7, y=y + 4.5, text_anchor="end")]
    widths = box.widths(across)
    for value, text in zip(widths, texts(widths), strict=True):
        x = across.place(value)
        drawn += [tag("line", x1=x, x2=x, y1=base, y2=base + 5, class_="mark"),
                  tag("text", text, x=x, y=base + 20, text_anchor="middle")]
    return [
        *drawn,
        tag("text", titles[0], x=(box.left + box.width - box.right) / 2, y=box.height - 7, class_="axis",
            text_anchor="middle"),
        tag("text", titles[1], class_="axis", text_anchor="middle",
            transform=f"translate(24 {middle:.1f}) rotate(-90)"),
    ]


def short(value: float) -> str:
    """A round value as short as it goes: 0.25, 20,000, 3·10⁻⁵."""
    if value == 0 or SHORTEST <= abs(value) < LONGEST:
        text = f"{value:,.6f}".rstrip("0").rstrip(".")
    else:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        factor, exponent = f"{value / 10.0**power:.3g}", str(power).translate(SUPERSCRIPTS)
        text = f"10{exponent}" if factor == "1" else f"{factor}·10{exponent}"
    return text.replace("-", "−")


def texts(values: Sequence[float]) -> list[str]:
    """What stands at marks: of evenly spaced ones with as many decimals as their distance needs."""
    steps = [second - first for first, second in itertools.pairwise(values)]
    even = len(steps) > 1 and max(steps) - min(steps) < 1e-6 * max(steps)
    written_out = even and steps[0] >= SHORTEST and values[-1] < LONGEST
    return [tick_text(value, values) for value in values] if written_out else [short(value) for value in values]
