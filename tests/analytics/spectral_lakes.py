"""Lakes with densities of states made from settings, and their fingerprints, for the report on similarity."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from report_lakes import NOW, calculation, fill

from analytics.fingerprints.grid import REFERENCE
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import Profiles
from lake.store.lake import Lake
from lake.tables import TABLES

ENERGIES_EV = np.linspace(-12.0, 8.0, 401)
MESHES = ([4, 4, 2], [6, 6, 2], [8, 8, 4], [12, 12, 4])
CUTOFFS_EV = (250.0, 350.0, 450.0, 600.0)


def states(functional: int, mesh: int, cutoff: int, number: int = 0) -> np.ndarray:
    """A density of states (401,) whose peaks move with the settings, less and less the finer they are."""
    error = 0.4 / (mesh + 1) + 0.2 / (cutoff + 1)
    centers = np.array([-8.0, -5.5, -3.0, -1.0, 4.0]) + error * np.array([1, -1, 1, -1, 1]) + 0.1 * functional
    peaks = np.exp(-((ENERGIES_EV[:, None] - centers) ** 2) / 0.18)
    return peaks @ np.array([6.0, 9.0, 12.0, 7.0, 8.0]) + 0.001 * number


def series(source: str, n: int, key: dict[str, int] | None = None, **more: Any) -> list[dict[str, Any]]:
    """Rows of `calculations`: functionals, meshes and cutoffs in turn."""
    rows = []
    for number in range(n):
        functional, mesh, cutoff = number % 2, number // 2 % 4, number // 8 % 4
        k_grid = MESHES[mesh]
        rows.append(calculation(source, f"{number:04}", key or {"B": 1, "N": 1}, **{
            "xc_functional": ("lda", "pbe")[functional], "k_grid": k_grid, "n_k_points": int(np.prod(k_grid)),
            "basis_set": "plane waves", "cutoff_ev": CUTOFFS_EV[cutoff], "settings_tier": "light", **more,
        }))
    return rows


def put(lake: Lake, rows: Sequence[dict[str, Any]], reasons: dict[str, str] | None = None) -> Lake:
    """Put calculations with a density of states and its fingerprint each; ``reasons`` sets some of them aside."""
    fill(lake, "calculations", list(rows))
    drawn = [_states_of(row, number) for number, row in enumerate(rows)]
    fill(lake, "dos", [
        {"calculation_id": row["calculation_id"], "source": row["source"], "source_id": row["source_id"],
         "energies_ev": ENERGIES_EV.tolist(), "states_per_ev_per_atom": found.tolist(),
         "reference_level": "vbm_reported", "record_sha256": [("test", row["source_id"])], "fetched_at": NOW}
        for row, found in zip(rows, drawn, strict=True)
    ])
    ids = [row["calculation_id"] for row in rows]
    counts, starts, stops = dos_counts(Profiles.of_arrays([ENERGIES_EV] * len(rows), drawn, ids), REFERENCE)
    made = []
    for row, found, start, stop in zip(rows, counts, starts, stops, strict=True):
        one = {"calculation_id": row["calculation_id"], "grid_id": REFERENCE.grid_id, "source": row["source"],
               "kind": "dos", "input_sha256": row["calculation_id"]}
        reason = (reasons or {}).get(row["calculation_id"])
        one |= {"reason": reason, "message": f"{reason} in words"} if reason else {
            "counts": found.tolist(), "total": int(found.sum()), "start_interval": int(start),
            "stop_interval": int(stop)}
        made.append(one)
    lake.upsert("fingerprints", pa.Table.from_pylist(made, schema=TABLES["fingerprints"].schema))
    grid = {"grid_id": REFERENCE.grid_id, "kind": "dos", "description": REFERENCE.description,
            "parameters_json": json.dumps(REFERENCE.parameters()), "n_counts": REFERENCE.n_counts,
            "levels": REFERENCE.levels}
    lake.upsert("grids", pa.Table.from_pylist([grid], schema=TABLES["grids"].schema))
    return lake


def _states_of(row: dict[str, Any], number: int) -> np.ndarray:
    functional = ("lda", "pbe").index(row.get("xc_functional")) if row.get("xc_functional") in ("lda", "pbe") else 0
    mesh = list(MESHES).index(row.get("k_grid")) if row.get("k_grid") in MESHES else 0
    cutoff = CUTOFFS_EV.index(row.get("cutoff_ev")) if row.get("cutoff_ev") in CUTOFFS_EV else 0
    return states(functional, mesh, cutoff, number)
