"""Rows of `dos` and `calculations` made by hand, and lakes that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from lake.store.lake import Lake
from lake.tables import TABLES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENERGIES = np.linspace(-15, 12, 541)


def dos_row(
    calculation_id: str, energies: Sequence[float] = tuple(ENERGIES), states: Sequence[float] | None = None,
    digest: str = "1", **more: Any,
) -> dict[str, Any]:
    """A row of `dos`; by default two humps that hold the electrons of BN, about a gap."""
    if states is None:
        e = np.asarray(energies, dtype=float)
        states = 1.6 * np.exp(-((e + 5) / 1.5) ** 2) + 0.8 * np.exp(-((e - 6) / 1.5) ** 2)
    return {
        "calculation_id": calculation_id, "source": calculation_id.split("/")[0],
        "source_id": calculation_id.split("/")[1], "energies_ev": list(energies),
        "states_per_ev_per_atom": list(states), "reference_level": "vbm_reported", "spin_polarized": False,
        "record_sha256": [("dos", digest)], "fetched_at": NOW, **more,
    }


def calculation(calculation_id: str, formula: str | None = "BN", digest: str = "1", **more: Any) -> dict[str, Any]:
    """A row of `calculations`."""
    return {
        "calculation_id": calculation_id, "source": calculation_id.split("/")[0],
        "source_id": calculation_id.split("/")[1], "formula_reduced": formula, "record_sha256": [("all", digest)],
        "fetched_at": NOW, **more,
    }


def put(lake: Lake, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Upsert rows, source by source."""
    for source in {row["source"] for row in rows}:
        chosen = [row for row in rows if row["source"] == source]
        lake.upsert(name, pa.Table.from_pylist(chosen, schema=TABLES[name].schema))


def fingerprints(lake: Lake, grid_id: str) -> dict[str, dict[str, Any]]:
    """The rows of a grid by calculation_id."""
    rows = lake.read("fingerprints", where=f"grid_id = '{grid_id}'").to_pylist()
    found = {row["calculation_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found
