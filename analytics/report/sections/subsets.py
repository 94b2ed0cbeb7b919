"""The recipes of homogeneous subsets: what each rule left, what that bought, and what it is pinned to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import number, signed
from analytics.report.labels import label
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Subsets"
LEAD = (
    "Homogeneous subsets of the heterogeneous whole. A subset is a recipe: rules in SQL or learned from similarities, "
    "pinned to table versions, so that it always gives the same members."
)
MOST_SUBSETS = 12


@dataclass(frozen=True)
class FunnelStep:
    """What one rule left: its words, counts, and the bars by database (class, percent of all rows, words)."""

    words: str
    sql: str | None
    rows: int
    left_out: int
    materials: int
    bars: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class Gain:
    """One measure of homogeneity before and after, in words and numbers."""

    what: str
    before: str
    after: str
    n: str


def section(asker: Asker, sources: Sources) -> Section:
    """The newest version of every subset."""
    rows = asker.connection.sql("select * from subset_current order by subset").to_arrow_table().to_pylist()
    if not rows:
        return Section("subsets", TITLE, LEAD, nothing=(
            "No subset was made of this lake yet. Make one: matlake curate NAME --functional pbe."
        ))
    shown, more = cut(rows, MOST_SUBSETS)
    return Section("subsets", TITLE, LEAD, {
        "subsets": [_subset(asker.secrets.blotted(row), sources) for row in shown], "left_out": more,
    })


def _subset(row: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    funnel, gain = json.loads(row["funnel_json"]), json.loads(row["gain_json"] or "{}")
    pinned = tuple(
        f"{table}@{version}" if version >= 0 else f"{table} (empty)" for table, version in row["table_versions"]
    )
    steps = [_step(step, funnel["steps"][0]["rows"], sources) for step in funnel["steps"]]
    counts = dict(row["counts_by_source"])
    return {
        **row, "steps": steps, "gains": gains_of(gain, sources), "gain_words": gain.get("words", []), "pinned": pinned,
        "members": [(source, counts[source]) for source in sorted(counts)], "learned": funnel.get("learned"),
        "funnel_caption": Caption(
            "The rules in the order in which they are applied, with the rows that each one leaves; a bar is their "
            "share of all rows, by database.", pinned, f"{steps[0].rows:,} calculations", row["sentence"]),
        "gain_caption": Caption(
            "What homogeneity bought: before, all rows of known material; after, the members. Range: largest minus "
            "smallest value within a material, median over the materials that have two values both before and after. "
            "Offset: median over the common materials, in brackets its 95 % bootstrap interval.",
            pinned, f"{row['n_members']:,} members of {row['n_materials']:,} materials", row["sentence"]),
    }


def _step(step: Mapping[str, Any], total: int, sources: Sources) -> FunnelStep:
    bars = tuple(
        (sources.colour(source), round(100 * of["rows"] / total, 3), f"{sources.short(source)}: {of['rows']:,} rows")
        for source, of in sorted(step["by_source"].items()) if of["rows"]
    ) if total else ()
    return FunnelStep(step["sentence"], step["sql"], step["rows"], step["left_out"], step["materials"], bars)


def gains_of(gain: Mapping[str, Any], sources: Sources) -> list[Gain]:
    """Ranges within materials and offsets between databases before and after, as far as there are any.

    Args:
        gain: the `gain_json` of a subset.
        sources: the databases with the names that figures use.
    """
    found = []
    for quantity, unit in gain.get("units", {}).items():
        name = label(quantity).text
        within = _stages(gain.get("within_same_materials", ()), quantity)
        if within:
            before, after = within
            found.append(Gain(
                f"range of the {name} within a material ({unit})", number(before["median_range"], 3),
                number(after["median_range"], 3), f"{after['n_materials']:,} materials"))
        of_quantity = [entry for entry in gain.get("between", ()) if entry["quantity"] == quantity]
        for left, right in sorted({(entry["left_source"], entry["right_source"]) for entry in of_quantity}):
            pair = [e for e in of_quantity if (e["left_source"], e["right_source"]) == (left, right)]
            stages = _stages(pair, quantity)
            if stages:
                found.append(Gain(
                    f"offset of the {name}, {sources.short(right)} − {sources.short(left)} ({unit})",
                    _offset(stages[0]), _offset(stages[1]),
                    f"{stages[0]['n_materials']:,} → {stages[1]['n_materials']:,} materials"))
    return found


def _stages(entries: Any, quantity: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """The entries of a quantity before and after; None where one is missing."""
    by_stage = {entry["stage"]: entry for entry in entries if entry["quantity"] == quantity}
    return (by_stage["before"], by_stage["after"]) if {"before", "after"} <= set(by_stage) else None


def _offset(entry: Mapping[str, Any]) -> str:
    if entry["median_low"] is None:
        return signed(entry["median"])
    return f"{signed(entry['median'])} [{signed(entry['median_low'])}, {signed(entry['median_high'])}]"
