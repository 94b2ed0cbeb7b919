"""Lakes with fingerprints made by hand, and a material whose similarities follow from its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from report_lakes import calculation, fill

from lake.store.lake import Lake
from lake.tables import TABLES

GRID = "dos-reference"
N_COUNTS = 144


def fingerprint(calculation_id: str, counts: Sequence[int] | np.ndarray | None, **more: Any) -> dict[str, Any]:
    """A row of `fingerprints`; counts None = set aside."""
    values = None if counts is None else [int(c) for c in counts]
    row = {
        "calculation_id": calculation_id, "grid_id": GRID, "source": calculation_id.split("/")[0], "kind": "dos",
        "counts": values, "total": None if values is None else sum(values), "start_interval": 0,
        "stop_interval": None if values is None else len(values), "input_sha256": calculation_id,
    } | more
    if values is None:
        row |= {"reason": more.get("reason", "no_reference_level"), "message": "the source gives none"}
    return row


def put_fingerprints(lake: Lake, rows: list[dict[str, Any]]) -> Lake:
    for grid in sorted({row["grid_id"] for row in rows}):
        of_grid = [row for row in rows if row["grid_id"] == grid]
        lake.upsert("fingerprints", pa.Table.from_pylist(of_grid, schema=TABLES["fingerprints"].schema))
    return lake


def put_material(lake: Lake, settings: list[dict[str, Any]], counts: Sequence[np.ndarray | None]) -> Lake:
    """Calculations `x/0000`, `x/0001`, … of Na1Cl1_225 with these settings and fingerprints."""
    rows = [
        calculation("x", f"{n:04}", {"Cl": 1, "Na": 1}, **chosen) for n, chosen in enumerate(settings)
    ]
    fill(lake, "calculations", rows)
    made = [fingerprint(row["calculation_id"], c) for row, c in zip(rows, counts, strict=True)]
    return put_fingerprints(lake, made)


def put_similarities(
    lake: Lake, pairs: list[tuple[str, str, float]], threshold: float,
    groups: list[tuple[str, str, float, str]] = (), grid: str = GRID,  # type: ignore[assignment]
) -> Lake:
    """`similarities`, `similarity_groups` and the run that says how far they go."""
    from report_lakes import NOW

    def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(rows, schema=TABLES[name].schema)

    listed = [
        {"grid_id": grid, "left_id": min(a, b), "right_id": max(a, b), "similarity": s} for a, b, s in pairs
    ]
    version = lake.replace("similarities", table("similarities", listed), {"grid_id": grid})
    folded = [
        {"grid_id": grid, "calculation_id": c, "representative_id": r, "similarity": s, "group_kind": kind}
        for c, r, s, kind in groups
    ]
    lake.replace("similarity_groups", table("similarity_groups", folded), {"grid_id": grid})
    run = {
        "grid_id": grid, "threshold": threshold, "aligned": False, "n_fingerprints": 0, "n_representatives": 0,
        "n_pairs": len(pairs),
        "fingerprints_version": lake.versions()["fingerprints"], "similarities_version": version, "computed_at": NOW,
    }
    lake.replace("similarity_runs", table("similarity_runs", [run]), {"grid_id": grid})
    return lake
