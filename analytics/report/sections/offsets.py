"""How far energies and gaps of common materials are apart: medians with intervals, by anion class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import KEY_WORDS, PAPER, Asker, filter_words
from analytics.report.section import Caption, Section, Sources
from analytics.report.svg import tick_text, ticks

MOST_PAIRS = 6
MOST_REFERENCES = 4


@dataclass(frozen=True)
class Quantity:
    """What is compared: the query, the suffix of its columns, and its unit for a person."""

    name: str
    query: str
    suffix: str
    unit: str


QUANTITIES = (
    Quantity("formation energy", "energy_offsets", "ev_per_atom", "eV/atom"),
    Quantity("band gap", "gap_offsets", "ev", "eV"),
)


@dataclass(frozen=True)
class Line:
    """One row of an offset figure; positions in percent of the axis."""

    name: str
    n: int
    median: float
    low: float | None
    high: float | None
    mad: float | None
    q25: float
    q75: float
    overall: bool


@dataclass(frozen=True)
class Panel:
    """The lines of one pair of databases with their common axis."""

    left: str
    right: str
    lines: Sequence[Line]
    axis_low: float
    axis_high: float
    unknown: str
    references: str | None

    def place(self, value: float) -> float:
        """Where a value stands on the axis, in percent, kept inside."""
        share = (value - self.axis_low) / (self.axis_high - self.axis_low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def marks(self) -> list[tuple[float, str]]:
        """The ticks of the axis: place in percent and text."""
        values = ticks(self.axis_low, self.axis_high, 4)
        return [(self.place(v), tick_text(v, values)) for v in values]


def section(asker: Asker, sources: Sources) -> Section:
    """One figure per quantity, one panel in it per pair of databases."""
    title = "Offsets"
    lead = (
        "Over the materials that two databases have in common: the second minus the first, a material's "
        "value being the median of its rows. A positive offset says that the second database has the higher "
        "value."
    )
    figures = []
    for quantity in QUANTITIES:
        panels = _panels(asker, quantity, sources)
        if not panels:
            continue
        n = sum(p.lines[0].n for p in panels)
        figures.append({
            "quantity": quantity, "panels": panels[:MOST_PAIRS], "left_out": max(0, len(panels) - MOST_PAIRS),
            "caption": Caption(
                f"Offsets of the {quantity.name} ({quantity.unit}), by anion class. Dot: median; bar: its 95 "
                "% bootstrap interval, left out where two materials or fewer stand behind it; pale band: "
                f"middle half of the materials. Common by {KEY_WORDS['cell_key']}.",
                asker.made_from("calculations"),
                f"{n:,} common materials" + (f" in {len(panels)} pairs" if len(panels) > 1 else ""),
                filter_words(PAPER, quantity.name)),
        })
    if not figures:
        return Section("offsets", title, lead, nothing=(
            "No two databases of this lake have a material in common, so there is nothing to compare."
        ))
    return Section("offsets", title, lead, {"figures": figures})


def _panels(asker: Asker, quantity: Quantity, sources: Sources) -> list[Panel]:
    overall = asker.rows(quantity.query, by="all", **PAPER)
    by_class = asker.rows(quantity.query, by="anion_class", **PAPER)
    by_reference = []
    if quantity.query == "energy_offsets":
        by_reference = asker.rows(quantity.query, by="formation_energy_reference", **PAPER)
    panels = []
    for row in sorted(overall, key=lambda r: (-r["n_materials"], r["left_source"], r["right_source"])):
        pair = (row["left_source"], row["right_source"])
        groups = [
            g for g in by_class
            if (g["left_source"], g["right_source"]) == pair and g["left_group"] == g["right_group"]
        ]
        groups.sort(key=lambda g: (-g["n_materials"], str(g["left_group"])))
        lines = [_line(row, "all materials", quantity, overall=True)]
        lines += [_line(g, str(g["left_group"]), quantity, overall=False) for g in groups]
        refers = [g for g in by_reference if (g["left_source"], g["right_source"]) == pair]
        panels.append(_panel(row, lines, sources, _references(refers, sources)))
    return panels


def _references(groups: list[dict[str, Any]], sources: Sources) -> str | None:
    """What the compared formation energies refer to on either side; an offset may come from nothing else."""
    if not groups:
        return None
    words = [
        f"{sources.short(g['left_source'])} {g['left_group']}, {sources.short(g['right_source'])} {g['right_group']} "
        f"({g['n_materials']:,} materials)"
        for g in sorted(groups, key=lambda g: (-g["n_materials"], str(g["left_group"]), str(g["right_group"])))
    ]
    more = len(words) - MOST_REFERENCES
    return "; ".join(words[:MOST_REFERENCES]) + (f"; {more} more combinations" if more > 0 else "")


def _line(row: dict[str, Any], name: str, quantity: Quantity, *, overall: bool) -> Line:
    def value(statistic: str) -> Any:
        return row[f"{statistic}_{quantity.suffix}"]

    few = row["n_materials"] <= 2
    return Line(
        name, row["n_materials"], value("median"), None if few else value("median_low"),
        None if few else value("median_high"), None if row["n_materials"] < 2 else value("mad"),
        value("q25"), value("q75"), overall,
    )


def _panel(row: dict[str, Any], lines: list[Line], sources: Sources, references: str | None) -> Panel:
    ends = [v for line in lines for v in (line.q25, line.q75, line.median, line.low, line.high) if v is not None]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    margin = 0.06 * (high - low) or 0.05
    unknown = ", ".join(
        f"{sources.short(row[f'{side}_source'])} {row[f'{side}_unknown_functional_rows']:,} of "
        f"{row[f'{side}_rows']:,}"
        for side in ("left", "right")
    )
    return Panel(row["left_source"], row["right_source"], lines, low - margin, high + margin, unknown, references)
