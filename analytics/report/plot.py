"""Figures of lines and points: errors against sizes, complexity or time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analytics.report.axes import Axis, Box, LinearAxis, LogAxis, frame
from analytics.report.svg import drawing, tag

WIDE = Box()
NARROW = Box(460.0, 320.0, 72.0, 34.0, 12.0, 56.0, 17.0)
HALF = Box(480.0, 330.0, 72.0, 34.0, 12.0, 56.0, 17.0)
"""Of two figures side by side."""
MARGIN = 0.06
"""Share of an axis that stays free at both ends."""
LEAST_RATIO = 1.15
"""Of the ends of a logarithmic axis: what differs less is not drawn as if it were far apart."""


@dataclass(frozen=True)
class Mark:
    """A point by itself: what it is, in words, and its CSS classes."""

    x: float
    y: float
    words: str
    css: str


@dataclass(frozen=True)
class Line:
    """Points joined in their order; ``css`` gives colour and stroke."""

    points: tuple[tuple[float, float], ...]
    words: str
    css: str


@dataclass(frozen=True)
class Scales:
    """What both axes are.

    Attributes:
        titles: of both, units included.
        log: whether each is logarithmic.
        whole: whether values from left to right are whole numbers.
        ends: values that both axes reach at least, so that figures side by side have the same.
    """

    titles: tuple[str, str]
    log: tuple[bool, bool] = (True, True)
    whole: bool = True
    ends: tuple[Sequence[float], Sequence[float]] = ((), ())


def plot(
    title: str, lines: Sequence[Line], marks: Sequence[Mark], scales: Scales, box: Box = WIDE
) -> Markup | None:
    """The figure; None where there is nothing that its axes can show.

    Args:
        title: what a screen reader says.
        lines: drawn first.
        marks: drawn over them.
        scales: of both axes; on a logarithmic one, values that are not above 0 are left out.
        box: the figure's size.
    """
    kept = [Line(tuple(p for p in line.points if _shown(p, scales)), line.words, line.css) for line in lines]
    dots = [mark for mark in marks if _shown((mark.x, mark.y), scales)]
    points = [point for line in kept for point in line.points] + [(mark.x, mark.y) for mark in dots]
    if not points:
        return None
    up = box.up(*_axis([*(y for _, y in points), *scales.ends[1]], scales.log[1]))
    box = box.beside(up)
    across = box.across(*_axis([*(x for x, _ in points), *scales.ends[0]], scales.log[0]), scales.whole)
    drawn = [*frame(box, across, up, scales.titles), *_lines(kept, across, up),
             *(_mark(mark, across, up) for mark in dots)]
    return drawing(box.width, box.height, title, *drawn)


def _lines(lines: Sequence[Line], across: Axis, up: Axis) -> Iterator[Markup]:
    for line in lines:
        if len(line.points) > 1:
            path = "L".join(f"{across.place(x):.1f} {up.place(y):.1f}" for x, y in line.points)
            yield tag("path", tag("title", line.words), d=f"M{path}", class_=f"learning {line.css}")


def _mark(mark: Mark, across: Axis, up: Axis) -> Markup:
    return tag("circle", tag("title", mark.words), cx=across.place(mark.x), cy=up.place(mark.y), r=5,
               class_=f"best {mark.css}")


def _shown(point: tuple[float, float], scales: Scales) -> bool:
    return all(math.isfinite(value) and (value > 0 or not log) for value, log in zip(point, scales.log, strict=True))


def _axis(values: Sequence[float], log: bool) -> tuple[type[LogAxis] | type[LinearAxis], float, float]:
    low, high = min(values), max(values)
    if log:
        ratio = high / low
        factor = max(ratio ** (0.5 + MARGIN), LEAST_RATIO**0.5) / ratio**0.5
        return LogAxis, low / factor, high * factor
    margin = MARGIN * ((high - low) or abs(high) or 1.0)
    return LinearAxis, max(0.0, low - margin) if low >= 0 else low - margin, high + margin
