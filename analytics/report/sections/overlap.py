"""Which materials two databases have in common: circles of true area, and the counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analytics.report.ask import KEY_WORDS, PAPER, Asker, filter_words
from analytics.report.euler import SMALLEST_RADIUS, euler_figure
from analytics.report.formats import count, percent
from analytics.report.section import Caption, Section, Sources, cut

FILTERS: Mapping[str, Mapping[str, str]] = {
    "As in the paper": PAPER,
    "All rows": {
        **PAPER, "functional": "any", "require_formation_energy": "false", "require_band_gap": "false",
    },
}
MOST_PAIRS = 6
MOST_ROWS = 60
BOX = (300.0, 150.0)
LARGEST_RADIUS = 66.0


def section(asker: Asker, sources: Sources) -> Section:
    """Circles for the pairs with most common materials, a table for all."""
    title = "Overlap"
    lead = (
        "Two records are the same material if formula and space group agree. By the formula of the cell this "
        "is the paper's identity; by the reduced formula it survives supercells."
    )
    views = [_view(asker, sources, heading, params) for heading, params in FILTERS.items()]
    if not views[0]["rows"]:
        return Section("overlap", title, lead, nothing=(
            "An overlap needs two databases; this lake holds "
            + (f"only {sources.short(sources.names[0])}." if len(sources.names) == 1 else "none.")
        ))
    return Section("overlap", title, lead, {"views": views, "key_words": KEY_WORDS})


def _view(asker: Asker, sources: Sources, heading: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Figures and table after one filter."""
    rows = asker.rows("overlap", **params)
    most = _most_common(rows)
    rows.sort(key=lambda r: (
        -most[r["left_source"], r["right_source"]], r["left_source"], r["right_source"], r["key_kind"]))
    drawn = [row for row in rows if row["left_keys"] and row["right_keys"]]
    figures = [_figure(row, sources, _area(drawn)) for row in drawn[: 2 * MOST_PAIRS]]
    table, left_out = cut(rows, MOST_ROWS)
    kept = _filtered_rows(rows)
    n = f"{sum(kept.values()):,} calculations of {sum(1 for of in kept.values() if of)} databases"
    made_from, words = asker.made_from("calculations"), filter_words(params)
    pairs = len(drawn) // 2
    return {
        "heading": heading, "figures": figures, "rows": table, "left_out": left_out,
        "without": [sources.short(s) for s in sources.names if not kept.get(s)],
        "nothing_common": not any(row["common_keys"] for row in rows),
        "figures_caption": Caption(
            "Unique materials per pair of databases. The area of a circle is the number of its unique materials, the "
            "shared area what both have; all circles have one scale, except that none is drawn smaller than a dot."
            + (f" The {MOST_PAIRS} pairs with most common materials of {pairs}." if pairs > MOST_PAIRS else ""),
            made_from, n, words),
        "table_caption": Caption(
            "Counts behind the circles. Shares are shares of unique materials; a functional is unknown where neither "
            "the record nor its calculation names it.", made_from, n, words),
    }


def _most_common(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """The common materials of every pair, by the kind of key that finds most."""
    most: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = (row["left_source"], row["right_source"])
        most[pair] = max(row["common_keys"], most.get(pair, 0))
    return most


def _filtered_rows(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    found = {}
    for row in rows:
        found[row["left_source"]] = row["left_rows"]
        found[row["right_source"]] = row["right_rows"]
    return found


def _area(rows: Sequence[dict[str, Any]]) -> float:
    """The area of one material, such that the largest circle, and every pair side by side, fits its box."""
    widest = max(
        (max(math.sqrt(r["left_keys"]) + math.sqrt(r["right_keys"]), 1.0) for r in rows), default=1.0
    )
    largest = max((math.sqrt(max(r["left_keys"], r["right_keys"], 1)) for r in rows), default=1.0)
    per_root = min(LARGEST_RADIUS / largest, (BOX[0] / 2 - 6 - SMALLEST_RADIUS) / widest)
    return math.pi * per_root**2


def _figure(row: dict[str, Any], sources: Sources, area: float) -> dict[str, Any]:
    left, right = row["left_source"], row["right_source"]
    title = (
        f"{sources.short(left)}: {count(row['left_keys'])} unique materials, {sources.short(right)}: "
        f"{count(row['right_keys'])}, common: {count(row['common_keys'])} "
        f"({percent(row['smaller_share_percent'])} of the smaller), by {KEY_WORDS[row['key_kind']]}"
    )
    colours = (sources.colour(left), sources.colour(right))
    if colours[0] == colours[1]:
        colours = (colours[0], "s-other")
    return {
        "row": row, "colours": colours,
        "svg": euler_figure(row["left_keys"], row["right_keys"], row["common_keys"], area, BOX, colours, title),
    }
