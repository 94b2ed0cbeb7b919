"""The two panels of the paper's Figure 2: formation energies of all rows, and of the common materials."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from analytics.report.ask import PAPER, Asker, filter_words
from analytics.report.histogram import Bin, Series, central_range, histogram_figure, rows_outside
from analytics.report.labels import label
from analytics.report.section import Caption, Section, Sources

BIN_WIDTHS_EV_PER_ATOM = (0.1, 0.2)
FEW_ROWS = 300
MOST_PANELS = 5
Key = tuple[str | None, ...]


def section(asker: Asker, sources: Sources) -> Section:
    """One panel with all rows, and one per pair of databases that have materials in common."""
    title = "Formation energies"
    lead = (
        "All rows on the left; on the right only the rows of materials that two databases have in common, as "
        "in Figure 2 of Speckhard et al. Where databases hold different materials, the left panel differs; "
        "where they compute differently, the right one still does."
    )
    width = BIN_WIDTHS_EV_PER_ATOM[0]
    rows = asker.rows("distributions", bin_width_ev_per_atom=str(width), **PAPER)
    panels = _panels(rows, sources)
    if panels and max(s.rows for s in panels[-1 if len(panels) == 1 else 1][1]) < FEW_ROWS:
        # Few rows in fine bins are a comb.
        width = BIN_WIDTHS_EV_PER_ATOM[1]
        rows = asker.rows("distributions", bin_width_ev_per_atom=str(width), **PAPER)
        panels = _panels(rows, sources)
    if not panels:
        return Section("energies", title, lead, nothing=(
            f"No row has what the filter asks for ({filter_words(PAPER)})."
        ))
    span = central_range([s for _, series in panels for s in series])
    low, high = min(span[0], -width), max(span[1], width)
    top = 1.05 * max(b.share for _, series in panels for s in series for b in s.bins)
    figures = [_figure(name, series, (low, high), top) for name, series in panels]
    outside = rows_outside(panels[0][1], low, high)
    unknown = sum(r["unknown_functional_rows"] for r in rows if r["other_source"] is None)
    shown = sum(s.rows for s in panels[0][1])
    text = (
        f"Histograms of the formation energy, bins of {width} eV/atom, each in percent of its own rows. "
        "Common: by formula of the cell and space group."
    )
    if outside:
        text += f" {outside:,} rows lie outside the axis."
    pairs = sum(1 for name, _ in panels if name)
    return Section("energies", title, lead, {
        "figures": figures[: 1 + MOST_PANELS],
        "no_common": pairs == 0,
        "left_out": max(0, pairs - MOST_PANELS),
        "caption": Caption(
            text, asker.made_from("calculations"),
            f"{shown:,} rows, the functional of {unknown:,} of them unknown", filter_words(PAPER)),
    })


def _panels(rows: list[dict[str, Any]], sources: Sources) -> list[tuple[str, list[Series]]]:
    """The series of each panel: first all rows (no name), then the pairs, the one with most rows first."""
    bins: dict[Key, list[Bin]] = defaultdict(list)
    for row in rows:
        if row["key_kind"] in (None, "cell_key"):
            bins[row["source"], row["other_source"]].append(Bin(
                row["bin_low_ev_per_atom"], row["bin_high_ev_per_atom"], row["n_rows"], row["share_percent"]))
    grouped: dict[str, list[Series]] = defaultdict(list)
    for (source, other), of in sorted(bins.items(), key=lambda item: (item[0][0] or "", item[0][1] or "")):
        assert source is not None
        pair = " and ".join(sources.short(s) for s in sorted((source, other))) if other else ""
        colour = sources.colour(source)
        if other and source > other and colour == sources.colour(other):
            colour = "s-other"
        grouped[pair].append(Series(sources.short(source), colour, sorted(of, key=lambda b: b.low)))
    return sorted(grouped.items(), key=lambda item: (item[0] != "", -sum(s.rows for s in item[1]), item[0]))


def _figure(pair: str, series: list[Series], span: tuple[float, float], top: float) -> dict[str, Any]:
    heading = f"Common to {pair}" if pair else "All rows"
    words = ", ".join(f"{s.name} {s.rows:,} rows" for s in series)
    axis = str(label("formation_energy_ev_per_atom"))
    return {
        "heading": heading, "series": series,
        "svg": histogram_figure(series, span, top, axis, f"Histogram of the {axis}. {heading}: {words}."),
    }
