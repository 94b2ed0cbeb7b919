"""What is in the lake: databases, rows, freshness, licences, citations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import age
from analytics.report.section import Caption, Section, Sources
from lake.errors import SettingsError
from lake.sources import find, names
from lake.sources.base import Declaration


def declaration(name: str) -> Declaration | None:
    """What a source declares; None for a provider without a folder of its own (OPTIMADE)."""
    try:
        return find(name).declaration
    except SettingsError:
        return None


def sources_of(rows: list[dict[str, Any]]) -> Sources:
    """The databases of the lake, alphabetical, with the short names that figures use."""
    found = tuple(sorted(row["source"] for row in rows))
    return Sources(found, {name: SHORT.get(name, name) for name in found})


SHORT = {"aflow": "AFLOW", "mp": "MP", "nomad": "NOMAD", "optimade": "OPTIMADE", "oqmd": "OQMD"}


def section(asker: Asker, rows: list[dict[str, Any]], now: datetime) -> Section:
    """One card and one table row per database."""
    lead = "The databases that were taken in, with what their records hold."
    if not rows:
        return Section("contents", "In the lake", lead, nothing=(
            "This lake is empty. Fill it with matlake ingest mp --from FOLDER, or try make demo."
        ))
    cards = []
    for row in rows:
        cards.append({**row, "declaration": declaration_of(row["source"]), "age": age(row["last_fetched_at"], now)})
    total = sum(row["n_rows"] for row in rows)
    caption = Caption(
        "Records per database. A record counts under a column if the value is there; unique materials are "
        "different pairs of cell formula and space group (symprec 0.1 Å, found by matlake for every database "
        "alike).",
        asker.made_from("calculations", "dos", "rejects"), f"{total:,} calculations",
    )
    return Section("contents", "In the lake", lead, {"cards": cards, "caption": caption})


def declaration_of(name: str) -> Declaration | None:
    """The declaration of a database, or of the source that its rows came through."""
    return declaration(name) or _by_prefix(name)


def _by_prefix(name: str) -> Declaration | None:
    """The declaration of the source that a provider's rows came through, as in `optimade_oqmd`."""
    known = next((n for n in names() if name.startswith(f"{n}_") or name.startswith(f"{n}-")), None)
    return declaration(known) if known else None
