"""Which settings and properties are known, as a matrix of database and column."""

from __future__ import annotations

from typing import Any

from analytics.report.ask import Asker
from analytics.report.labels import label
from analytics.report.section import Caption, Section, Sources
from lake.tables.calculations import CRYSTAL, ENERGIES, IDENTITY, PROVENANCE, SETTINGS

LEFT_OUT = {"source", "calculation_id", "source_id", "record_sha256", "fetched_at", "record_kind", "deprecated"}
GROUPS = (
    ("Settings of the calculation", SETTINGS, True),
    ("Energies and gaps", ENERGIES, True),
    ("Structure and identity", CRYSTAL + IDENTITY, False),
    ("Provenance", PROVENANCE, False),
)


def section(asker: Asker, sources: Sources) -> Section:
    """One row per column of `calculations`, one cell per database."""
    title = "What is known"
    lead = (
        "A comparison is only as good as the settings that stand behind it. A pale cell is a setting that "
        "the database did not state for these records: it is unknown, not a default."
    )
    known: dict[tuple[str, str], dict[str, Any]] = {
        (r["column_name"], r["source"]): r for r in asker.rows("coverage")
    }
    if not known:
        return Section("coverage", title, lead, nothing="There are no calculations in this lake yet.")
    names = [s for s in sources.names if any(source == s for _, source in known)]
    groups = []
    for heading, columns, opened in GROUPS:
        lines = [
            (column.name, label(column.name), [known.get((column.name, s)) for s in names])
            for column in columns if column.name not in LEFT_OUT
        ]
        groups.append({"heading": heading, "lines": lines, "open": opened})
    n = sum(next(r["n_rows"] for (_, source), r in known.items() if source == s) for s in names)
    return Section("coverage", title, lead, {
        "names": names, "groups": groups,
        "caption": Caption(
            "Share of a database's rows in which a column is known. An empty Hubbard U is known: it says "
            "that none was used.",
            asker.made_from("calculations"), f"{n:,} calculations"),
    })
