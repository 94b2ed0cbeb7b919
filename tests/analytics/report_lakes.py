"""Lakes with rows made by hand, for what real records do not show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lake.settings import Settings, load_settings
from lake.store.lake import Lake
from lake.tables import TABLES

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def settings(**more: object) -> Settings:
    """Settings for small lakes: records are normalised in one process."""
    return load_settings(workers=1, **more)


def calculation(source: str, source_id: str, elements: dict[str, int], **more: Any) -> dict[str, Any]:
    """A row of `calculations`; the space group is 225 unless given."""
    formula = "".join(f"{e}{n if n > 1 else ''}" for e, n in sorted(elements.items()))
    group = more.get("spacegroup_number", 225)
    return {
        "calculation_id": f"{source}/{source_id}", "source": source, "source_id": source_id,
        "formula_reduced": formula, "formula_cell": formula, "elements": sorted(elements),
        "n_elements": len(elements), "n_sites": sum(elements.values()), "spacegroup_number": group,
        "cell_key": f"{formula}_{group}", "reduced_key": f"{formula}_{group}", "volume_angstrom3_per_atom": 20.0,
        "formation_energy_ev_per_atom": -1.0, "band_gap_ev": 1.0, "formation_energy_functional": "pbe",
        "band_gap_functional": "pbe", "record_sha256": [("test", source_id)], "fetched_at": NOW,
    } | more


def reject(source: str, message: str, **more: Any) -> dict[str, Any]:
    """A row of `rejects`."""
    return {
        "reject_id": f"{hash(message):x}", "source": source, "reason": "bad_value", "message": message,
        "fetched_at": NOW, "fingerprint": message[:40],
    } | more


def fill(lake: Lake, table: str, rows: list[dict[str, Any]]) -> Lake:
    """Put rows into a table."""
    for source in sorted({row["source"] for row in rows}):
        of_source = [row for row in rows if row["source"] == source]
        lake.upsert(table, pa.Table.from_pylist(of_source, schema=TABLES[table].schema))
    return lake
