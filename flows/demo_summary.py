"""The comparison of databases as a terminal shows it: few columns, plain words, units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from analytics.report import formats
from analytics.report.ask import PAPER, Asker, filter_words
from analytics.report.section import Sources
from analytics.report.sections import contents, element_offsets
from flows.terminal import out
from lake.store.lake import Lake

LARGEST = 6
Row = Mapping[str, Any]


def show_comparison(lake: Lake) -> None:
    """Overlap, offsets of energies and gaps, and offsets by element, all on stdout."""
    with Asker.of(lake) as asker:
        sources = contents.sources_of(asker.rows("sources"))
        out.print(f"Filter: {filter_words(PAPER)}.", style="dim")
        out.print()
        show_overlap(asker.rows("overlap", **PAPER), sources)
        show_offsets(asker, sources)
        show_elements(asker, sources)


def show_overlap(rows: list[dict[str, Any]], sources: Sources) -> None:
    """Unique and common materials of every pair."""
    table = _table()
    for heading in ("pair", "formula of the"):
        table.add_column(heading)
    for heading in ("first", "second", "common", "of smaller"):
        table.add_column(heading, justify="right")
    kept = {row[f"{side}_source"]: row[f"{side}_rows"] for row in rows for side in ("left", "right")}
    for row in (r for r in rows if kept[r["left_source"]] and kept[r["right_source"]]):
        table.add_row(
            _pair(row, sources, " and "), {"cell_key": "cell", "reduced_key": "reduced"}[row["key_kind"]],
            formats.count(row["left_keys"]), formats.count(row["right_keys"]), formats.count(row["common_keys"]),
            formats.percent(row["smaller_share_percent"]),
        )
    _titled("Overlap: materials (formula and space group) that both have", table)
    without = [sources.short(name) for name, rows_kept in kept.items() if not rows_kept]
    if without:
        out.print(f"No row of {', '.join(without)} passes the filter; the report compares all rows as well.\n")


def show_offsets(asker: Asker, sources: Sources) -> None:
    """Median offsets of formation energies and band gaps with their intervals."""
    table = _table()
    for heading in ("second minus first", "of the", "n", "median", "95 % interval", "unit"):
        table.add_column(heading, justify="right" if heading in ("n", "median", "95 % interval") else "left")
    for name, query, suffix, unit in (
        ("formation energy", "energy_offsets", "ev_per_atom", "eV/atom"), ("band gap", "gap_offsets", "ev", "eV"),
    ):
        for row in asker.rows(query, by="all", **PAPER):
            low, high = (formats.signed(row[f"median_{end}_{suffix}"]) for end in ("low", "high"))
            table.add_row(
                _pair(row, sources, " − "), name, formats.count(row["n_materials"]),
                formats.signed(row[f"median_{suffix}"]),
                f"{low} … {high}" if row["n_materials"] > 2 else formats.MISSING, unit,
            )
    if table.row_count:
        _titled("Offsets over the common materials", table)
    else:
        out.print("No two databases have a material in common, so there are no offsets.\n")


def show_elements(asker: Asker, sources: Sources) -> None:
    """What elemental references explain, pair by pair, with the elements that differ most."""
    _, rows = element_offsets.fitted(asker)
    for summary in (r for r in rows if r["element"] == "*" and r["n_materials_fitted"]):
        fitted = [
            r for r in rows if r["status"] == "fitted"
            and (r["left_source"], r["right_source"]) == (summary["left_source"], summary["right_source"])
        ]
        fitted.sort(key=lambda r: -abs(r["delta_ev_per_atom"]))
        largest = ", ".join(f"{r['element']} {formats.signed(r['delta_ev_per_atom'], 2)}" for r in fitted[:LARGEST])
        out.print(f"Offsets by element, {_pair(summary, sources, ' − ')}", style="bold")
        out.print(f"  largest (eV per atom of the element): {largest}", markup=False)
        out.print(f"  {element_offsets.explained(summary)}", markup=False)
        out.print()


def _table() -> Table:
    return Table(header_style="dim", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _titled(title: str, table: Table) -> None:
    out.print(title, style="bold")
    out.print(table)
    out.print()


def _pair(row: Row, sources: Sources, between: str) -> Text:
    first, second = sources.short(row["left_source"]), sources.short(row["right_source"])
    return Text(f"{second}{between}{first}" if between.strip() == "−" else f"{first}{between}{second}")
