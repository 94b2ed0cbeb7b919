"""Lakes of drawn fingerprints, what all of their pairs are by brute force, and faults to put into a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.store.lake import Lake
from lake.tables import TABLES

GRID = "dos-reference"
WIDTH = 144
Pair = tuple[str, str, float]


def drawn(n: int, seed: int = 0, families: int = 12, copies: float = 0.2) -> NDArray[np.int64]:
    """Counts (n, 144) in families, some of them equal."""
    random = np.random.default_rng(seed)
    centers = random.integers(0, 57, (families, WIDTH)) * (random.random((families, WIDTH)) < 0.4)
    rows = centers[random.integers(0, families, n)]
    noise = random.integers(-3, 4, rows.shape) * (random.random(rows.shape) < random.random((n, 1)) * 0.6)
    rows = np.clip(rows + noise, 0, 56)
    same = np.flatnonzero(random.random(n) < copies)
    rows[same] = rows[random.integers(0, n, len(same))]
    return rows


def windows(n: int, several: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and stops (n,): the whole grid for most, and several others."""
    random = np.random.default_rng(seed)
    ends = np.array([(0, WIDTH), *((random.integers(0, 20), WIDTH - random.integers(0, 40)) for _ in range(several))])
    which = np.where(random.random(n) < 0.5, 0, random.integers(0, several + 1, n))
    return ends[which, 0], ends[which, 1]


def put(lake: Lake, counts: NDArray[np.int64] | None, starts: Any = None, stops: Any = None, grid: str = GRID,
        ids: list[str] | None = None) -> list[str]:
    """Write fingerprints in a shuffled order of ids; counts None = one that was set aside."""
    n = 1 if counts is None else len(counts)
    names = ids or [f"x/{(k * 7919) % 100_003:06}" for k in range(n)]
    rows = [{
        "calculation_id": names[k], "grid_id": grid, "source": "x", "kind": "dos",
        "counts": None if counts is None else counts[k].tolist(),
        "total": None if counts is None else int(counts[k].sum()),
        "start_interval": 0 if starts is None else int(starts[k]),
        "stop_interval": WIDTH if stops is None else int(stops[k]),
        "reason": "no_reference_level" if counts is None else None, "input_sha256": f"{k}",
    } for k in range(n)]
    lake.upsert("fingerprints", pa.Table.from_pylist(rows, schema=TABLES["fingerprints"].schema))
    return names


def brute_force(ids: list[str], counts: NDArray[np.int64], threshold: float, starts: Any = None,
                stops: Any = None) -> list[Pair]:
    """All pairs, by the definition."""
    n = len(ids)
    starts = np.zeros(n, int) if starts is None else starts
    stops = np.full(n, WIDTH) if stops is None else stops
    found = []
    for i in range(n):
        for j in range(i + 1, n):
            low, high = max(starts[i], starts[j]), min(stops[i], stops[j])
            a, b = counts[i, low:high], counts[j, low:high]
            union = int(np.maximum(a, b).sum())
            value = int(np.minimum(a, b).sum()) / union if union else 0.0
            if value >= threshold:
                found.append((min(ids[i], ids[j]), max(ids[i], ids[j]), value))
    return sorted(found)


def listed(lake: Lake, table: str = "similar_calculations", grid: str = GRID) -> list[Pair]:
    """The pairs that a lake lists, representatives or all."""
    with lake.connect() as connection:
        return sorted(connection.execute(
            f"select left_id, right_id, similarity from {table} where grid_id = $grid", {"grid": grid}
        ).fetchall())


def leftovers(lake: Lake) -> list[str]:
    """What a run left beside its result."""
    shown = {path.rsplit("/", 1)[-1] for table in ("similarities", "similarity_groups") for path in lake.files(table)}
    hidden = [
        name for table in ("similarities", "similarity_groups") for name in lake.root.names(table, f"grid_id={GRID}")
        if name not in shown
    ]
    return hidden + lake.root.names("runs", "similar")
