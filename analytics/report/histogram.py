"""Histograms of several sources over one axis, as step outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analytics.report.formats import count, number, percent
from analytics.report.svg import drawing, tag, tick_text, ticks

WIDTH, HEIGHT = 520.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 14.0, 50.0
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Bin:
    """One bin: its edges, its rows, and their share of all rows of the series in percent."""

    low: float
    high: float
    rows: int
    share: float


@dataclass(frozen=True)
class Series:
    """The histogram of one source; bins ascending, empty ones may be missing."""

    name: str
    colour: str
    bins: Sequence[Bin]

    @property
    def rows(self) -> int:
        """All rows of the series."""
        return sum(b.rows for b in self.bins)


def central_range(series: Sequence[Series], outside: float = 0.001) -> tuple[float, float]:
    """The range that holds all but a fraction ``outside`` of every series' rows on either side."""
    lows, highs = [], []
    for one in series:
        allowed = one.rows * outside
        lows.append(_edge(one.bins, allowed, from_below=True))
        highs.append(_edge(one.bins[::-1], allowed, from_below=False))
    return min(lows), max(highs)


def _edge(bins: Sequence[Bin], allowed: float, *, from_below: bool) -> float:
    seen = 0
    for one in bins:
        seen += one.rows
        if seen > allowed:
            return one.low if from_below else one.high
    return bins[-1].high if from_below else bins[-1].low


def rows_outside(series: Sequence[Series], low: float, high: float) -> int:
    """How many rows lie outside a range."""
    return sum(b.rows for one in series for b in one.bins if b.low < low - 1e-9 or b.high > high + 1e-9)


def histogram_figure(
    series: Sequence[Series], span: tuple[float, float], top: float, x_label: str, title: str
) -> Markup:
    """The figure.

    Args:
        series: what is drawn, one outline each.
        span: ends of the x axis.
        top: upper end of the y axis, in percent.
        x_label: quantity and unit of the x axis.
        title: what a screen reader says.
    """
    low, high = span
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * inner_width

    def y(share: float) -> float:
        return TOP + inner_height * (1 - min(share, top) / top)

    drawn = [*_y_axis(top, y), *_x_axis(low, high, x, x_label)]
    for one in series:
        inside = [b for b in one.bins if b.low >= low - 1e-9 and b.high <= high + 1e-9]
        drawn.append(_outline(one, inside, x, y))
        drawn.append(_hover(one, inside, x, y))
    return drawing(WIDTH, HEIGHT, title, *drawn)


def _y_axis(top: float, y: Scale) -> list[Markup]:
    marks = ticks(0, top, 4)
    lines = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(t), y2=y(t), class_="grid") for t in marks]
    texts = [
        tag("text", tick_text(t, marks), x=LEFT - 7, y=y(t) + 4.5, class_="tick", text_anchor="end") for t in marks
    ]
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    name = tag(
        "text", "share of the rows (%)", class_="axis", text_anchor="middle",
        transform=f"translate(15 {middle:.1f}) rotate(-90)",
    )
    return [*lines, *texts, name]


def _x_axis(low: float, high: float, x: Scale, x_label: str) -> list[Markup]:
    marks, base = ticks(low, high, 6), HEIGHT - BOTTOM
    lines = [tag("line", x1=x(t), x2=x(t), y1=base, y2=base + 5, class_="mark") for t in marks]
    texts = [
        tag("text", tick_text(t, marks), x=x(t), y=base + 20, class_="tick", text_anchor="middle") for t in marks
    ]
    name = tag("text", x_label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, class_="axis", text_anchor="middle")
    return [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="mark"), *lines, *texts, name]


def _outline(one: Series, bins: Sequence[Bin], x: Scale, y: Scale) -> Markup:
    path: list[str] = []
    end: float | None = None
    for b in bins:
        if end is None or b.low - end > 1e-9:
            path.append((f"V{y(0):.1f}" if path else "") + f"M{x(b.low):.1f} {y(0):.1f}")
        path.append(f"V{y(b.share):.1f}H{x(b.high):.1f}")
        end = b.high
    path.append(f"V{y(0):.1f}" if path else "")
    return tag("path", d="".join(path), class_=f"steps {one.colour}")


def _hover(one: Series, bins: Sequence[Bin], x: Scale, y: Scale) -> Markup:
    areas = [
        tag(
            "rect",
            tag("title", f"{one.name}: {count(b.rows)} rows ({percent(b.share)}) "
                         f"from {number(b.low)} to {number(b.high)} eV/atom"),
            x=x(b.low), width=max(0.5, x(b.high) - x(b.low)), y=y(b.share), height=max(0.5, y(0) - y(b.share)),
        )
        for b in bins
    ]
    return tag("g", *areas, class_="hover")
