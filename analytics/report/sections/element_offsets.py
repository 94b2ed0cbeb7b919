"""The part of the offset that elemental references explain, as periodic tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import PAPER, Asker, filter_words
from analytics.report.elements import PLACES
from analytics.report.formats import count, percent, signed
from analytics.report.section import Caption, Section, Sources

AT_LEAST = (5, 3)
AGREEING_EV_PER_ATOM = 0.0005
FILTER = {**PAPER, "require_band_gap": "false"}
MOST_PAIRS = 4


@dataclass(frozen=True)
class Cell:
    """One element: its place, fitted offset (eV/atom, None = not fitted), and how strongly it is coloured."""

    symbol: str
    row: int
    column: int
    value: float | None
    n: int
    status: str
    strength: int
    title: str


@dataclass(frozen=True)
class PeriodicTable:
    """The periodic table of one pair of databases; colours reach their end at ± ``scale`` eV/atom."""

    left: str
    right: str
    cells: list[Cell]
    scale: float
    summary: dict[str, Any] | None


def section(asker: Asker, sources: Sources) -> Section:
    """One periodic table per pair of databases with common materials."""
    title = "Offsets by element"
    lead = (
        "If two databases differ only in the energies of their elemental references, the offset of a "
        "material is a sum over its elements. This is that sum, fitted robustly (Huber), and what remains "
        "after it."
    )
    at_least, rows = fitted(asker)
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["left_source"], row["right_source"]].append(row)
    tables = [_table(pair, of) for pair, of in grouped.items()]
    tables = [t for t in tables if t.cells]
    tables.sort(key=lambda t: (-sum(c.value is not None for c in t.cells), -sum(c.n for c in t.cells), t.left, t.right))
    if not tables:
        return Section("element_offsets", title, lead, nothing=(
            "No two databases of this lake have a material in common, so no element can be compared."
        ))
    captions = [_caption(asker, table, sources, at_least) for table in tables]
    return Section("element_offsets", title, lead, {
        "tables": list(zip(tables, captions, strict=True))[:MOST_PAIRS],
        "left_out": max(0, len(tables) - MOST_PAIRS), "places": PLACES,
    })


def fitted(asker: Asker) -> tuple[int, list[dict[str, Any]]]:
    """The fits, and how many materials an element needed: fewer only where nothing could be fitted otherwise."""
    for at_least in AT_LEAST:
        rows = asker.rows("element_offsets", at_least=str(at_least), **FILTER)
        if any(row["status"] == "fitted" for row in rows):
            break
    return at_least, rows


def _table(pair: tuple[str, str], rows: list[dict[str, Any]]) -> PeriodicTable:
    summary = next((r for r in rows if r["element"] == "*"), None)
    seen = [r for r in rows if r["element"] in PLACES]
    sizes = sorted(abs(r["delta_ev_per_atom"]) for r in seen if r["delta_ev_per_atom"] is not None)
    # One extreme element does not take the colour from all others.
    scale = max(sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))], 0.01) if sizes else 0.0
    return PeriodicTable(*pair, [_cell(r, scale) for r in seen], scale, summary)


def _cell(row: dict[str, Any], scale: float) -> Cell:
    symbol, value, n = row["element"], row["delta_ev_per_atom"], row["n_materials"] or 0
    line, column = PLACES[symbol]
    if value is None:
        why = {
            "too_few": "too few to fit", "not_separable": "only ever seen in fixed proportion to others",
        }.get(row["status"], str(row["status"]).replace("_", " "))
        return Cell(symbol, line, column, None, n, why, 0, f"{symbol}: {count(n)} common materials, {why}")
    error = row["standard_error_ev_per_atom"]
    title = f"{symbol}: {signed(value)} eV/atom" + (f" ± {error:.3f}" if error is not None else "")
    strength = round(100 * min(1.0, abs(value) / scale)) if scale else 0
    return Cell(symbol, line, column, value, n, "fitted", strength, f"{title}, {count(n)} common materials")


def _caption(asker: Asker, table: PeriodicTable, sources: Sources, at_least: int) -> Caption:
    left, right = sources.short(table.left), sources.short(table.right)
    text = (
        f"{right} minus {left}, eV per atom of the element, with the number of common materials that "
        "contain it. "
        f"Colour is full from ±{table.scale:.2f} eV/atom on. " if table.scale else
        f"{right} minus {left}: no element has enough common materials. "
    )
    text += f"Hatched: too few common materials (under {at_least}), or not separable from other elements."
    row = table.summary
    n = "no fit"
    if row is not None and row["n_materials_fitted"]:
        n = f"{count(row['n_materials_fitted'])} common materials fitted"
        if row["n_materials_set_aside"]:
            n += f", {count(row['n_materials_set_aside'])} set aside with a hatched element"
    return Caption(text, asker.made_from("calculations"), n, filter_words(FILTER))


def explained(row: dict[str, Any] | None) -> str | None:
    """What the fit explains, in one sentence; None where nothing was fitted."""
    if row is None or row["mae_before_ev_per_atom"] is None:
        return None
    if row["mae_before_ev_per_atom"] < AGREEING_EV_PER_ATOM:
        return "The fitted materials have the same formation energies in both: there is nothing to explain."
    text = (
        f"The mean absolute offset falls from {row['mae_before_ev_per_atom']:.3f} to "
        f"{row['mae_after_ev_per_atom']:.3f} eV/atom"
    )
    honest = row["explained_fraction_cross_validated"]
    if honest is None:
        return f"{text}; there are too few materials to cross-validate this."
    if honest <= 0:
        return f"{text} on the fitted materials, but materials left out of the fit gain nothing: nothing is explained."
    return (
        f"{text}, to {row['mae_after_cross_validated_ev_per_atom']:.3f} eV/atom for materials left out of the "
        f"fit: elemental references explain {percent(100 * honest)} of it."
    )
