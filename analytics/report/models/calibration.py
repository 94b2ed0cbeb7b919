"""Calibration: how often values lie within the interval that a model states, against how often they should."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analytics.report.formats import counted, number, percent
from analytics.report.svg import drawing, tag

WIDTH, HEIGHT, LEFT, TOP, SIDE = 318.0, 298.0, 64.0, 12.0, 226.0
SERIES = (("coverage_before", "before", "as trained"), ("coverage", "after", "calibrated"))


@dataclass(frozen=True)
class Calibration:
    """The figure, and what it says in numbers."""

    svg: Markup
    words: str
    rows: str


def calibration(text: str | None, unit: str) -> Calibration | None:
    """Read `calibration_json` of a model; None where it states no coverage (a model of one member has none).

    Args:
        text: the JSON.
        unit: of the target.
    """
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        return None
    levels = _shares(given.get("levels")) if isinstance(given, dict) else None
    if not levels:
        return None
    series = [
        (kind, words, seen) for key, kind, words in SERIES
        if (seen := _shares(given.get(key))) is not None and len(seen) == len(levels)
    ]
    if not series:
        return None
    drawn = [*_frame(), tag("path", d=f"M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}", class_="identity")]
    for kind, words, seen in series:
        pairs = list(zip(levels, seen, strict=True))
        path = "L".join(f"{_x(level):.1f} {_y(share):.1f}" for level, share in pairs)
        drawn.append(tag("path", tag("title", words), d=f"M{path}", class_=f"coverage {kind}"))
        drawn += [
            tag("circle", tag("title", f"{words}: {percent(100 * share)} in the {percent(100 * level)} interval"),
                cx=_x(level), cy=_y(share), r=3, class_=f"coverage {kind}")
            for level, share in pairs
        ]
    return Calibration(
        drawing(WIDTH, HEIGHT, "Stated against seen coverage of the model's uncertainties.", *drawn),
        _words(given, levels, series, unit), _rows(given),
    )


def _rows(given: dict[str, Any]) -> str:
    """On how many rows of which split the coverage was seen."""
    n, split = given.get("n"), given.get("split")
    kind = f"{split} row" if split in ("train", "validation", "test") else "row"
    return counted(n, kind) if type(n) is int else f"{kind}s"


def _words(
    given: dict[str, Any], levels: list[float], series: list[tuple[str, str, list[float]]], unit: str
) -> str:
    place = min(range(len(levels)), key=lambda i: abs(levels[i] - 0.9))
    parts = [f"{words} {percent(100 * seen[place])}" for _, words, seen in series]
    stated = percent(100 * levels[place])
    text = f"Of the {_rows(given)}, {stated} should lie within the stated interval: {', '.join(parts)}."
    scale, floor = given.get("scale"), given.get("floor")
    if isinstance(scale, int | float) and math.isfinite(scale):
        text += f" The spread of the members is multiplied by {number(scale, 2)}"
        added = isinstance(floor, int | float) and math.isfinite(floor) and floor > 0
        text += f", and {number(floor, 3)} {unit} are added in quadrature." if added else "."
    return text


def _shares(values: Any) -> list[float] | None:
    """Numbers of 0 … 1; None where they are anything else."""
    if not isinstance(values, list) or not values:
        return None
    good = all(isinstance(v, int | float) and math.isfinite(v) and 0 <= v <= 1 for v in values)
    return [float(v) for v in values] if good else None


def _x(share: float) -> float:
    return LEFT + share * SIDE


def _y(share: float) -> float:
    return TOP + (1 - share) * SIDE


def _frame() -> list[Markup]:
    drawn = [tag("rect", x=LEFT, y=TOP, width=SIDE, height=SIDE, class_="pane")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        text = f"{100 * share:.0f}"
        drawn += [
            tag("path", d=f"M{_x(share)} {TOP + SIDE}v4M{LEFT} {_y(share)}h-4", class_="mark"),
            tag("text", text, x=_x(share), y=TOP + SIDE + 18, text_anchor="middle"),
            tag("text", text, x=LEFT - 8, y=_y(share) + 4.5, text_anchor="end"),
        ]
    return [
        *drawn,
        tag("text", "stated (%)", x=_x(0.5), y=HEIGHT - 8, class_="axis", text_anchor="middle"),
        tag("text", "seen (%)", class_="axis", text_anchor="middle",
            transform=f"translate(16 {_y(0.5):.1f}) rotate(-90)"),
    ]
