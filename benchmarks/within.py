"""All calculations of one material against each other: seconds of the whole call, and the ratio of its kernel.

Run: ``python -m benchmarks.within [--members 1000] [--lake-rows 20000] [--json]``. The members lie scattered among the
rows of a lake of their own; the call opens the lake, reads settings and fingerprints and fills the dense matrix. The
peer fills the same matrix with numpy, one row against all at a time; the answers must be equal. Times are the best
of several calls in a warm process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.fingerprints.grid import REFERENCE
from analytics.similarity.block import block_of
from analytics.similarity.tanimoto import matrix
from benchmarks.realistic_fingerprints import realistic
from lake.store.lake import Lake
from lake.tables import TABLES

LIMIT_SECONDS = 0.2
LIMIT_RATIO = 5.0
KEY = "BN_194"
CALLS = 5


def filled(root: str, members: int, rows: int) -> tuple[Lake, NDArray[np.uint8]]:
    """A lake in which ``members`` of the rows have the key, and their fingerprints by id."""
    lake = Lake.open(root)
    counts = realistic(rows)
    chosen = np.zeros(rows, np.bool_)
    chosen[np.random.default_rng(2).choice(rows, members, replace=False)] = True
    ids = [f"nomad/{(number * 2654435761) % 2**32:08x}-{number}" for number in range(rows)]
    keys = [KEY if one else f"X{number}_1" for number, one in enumerate(chosen.tolist())]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    _write(lake, "calculations", {
        "calculation_id": ids, "source": ["nomad"] * rows, "source_id": ids, "cell_key": keys, "reduced_key": keys,
        "xc_functional": ["pbe"] * rows, "record_sha256": [[("kind", "digest")]] * rows, "fetched_at": [now] * rows,
    })
    _write(lake, "fingerprints", {
        "calculation_id": ids, "grid_id": ["dos-reference"] * rows, "source": ["nomad"] * rows, "kind": ["dos"] * rows,
        "counts": list(counts.astype(np.int16)), "start_interval": [0] * rows,
        "stop_interval": [REFERENCE.n_counts] * rows, "input_sha256": ids,
    })
    places = sorted(np.flatnonzero(chosen).tolist(), key=lambda place: ids[place])
    return lake, counts[places]


def _write(lake: Lake, name: str, columns: dict[str, list[Any]]) -> None:
    schema = TABLES[name].schema
    rows = len(columns["calculation_id"])
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    lake.upsert(name, pa.table(arrays, schema=schema))


def by_row(counts: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The peer: Σ min / Σ max of one row with all rows at a time."""
    result = np.empty((len(counts), len(counts)))
    for place, row in enumerate(counts):
        common = np.minimum(counts, row).sum(axis=1, dtype=np.int64)
        union = np.maximum(counts, row).sum(axis=1, dtype=np.int64)
        result[place] = np.divide(common, union, out=np.zeros(len(counts)), where=union > 0)
    return result


def best(function: Callable[[], Any]) -> float:
    """Wall seconds of the fastest of several calls."""
    seconds = []
    for _ in range(CALLS):
        before = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - before)
    return min(seconds)


def measured(members: int, rows: int) -> dict[str, Any]:
    """Seconds of the call, of its kernel, and of the peer."""
    with tempfile.TemporaryDirectory() as root:
        lake, counts = filled(root, members, rows)
        block = block_of(lake, KEY, "dos-reference", aligned=False)
        if not np.array_equal(block.similarity, by_row(counts)):
            raise SystemExit("The block and the peer differ.")
        call = best(lambda: block_of(lake, KEY, "dos-reference", aligned=False))
    kernel, peer = best(lambda: matrix(counts)), best(lambda: by_row(counts))
    return {"members": members, "lake_rows": rows, "call_seconds": call, "kernel_seconds": kernel,
            "peer_seconds": peer, "ratio": peer / kernel}


def main() -> None:
    """Measure, print, and end with 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--lake-rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measured(chosen.members, chosen.lake_rows)
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        print(f"{found['members']:,} calculations of one material among {found['lake_rows']:,}: "
              f"{found['call_seconds']:.3f} s for the whole call (limit {LIMIT_SECONDS} s)")
        print(f"  kernel {found['kernel_seconds'] * 1e3:.1f} ms; numpy, row by row: "
              f"{found['peer_seconds'] * 1e3:.0f} ms, {found['ratio']:.0f} ×, same coefficients")
    sys.exit(found["call_seconds"] > LIMIT_SECONDS or found["ratio"] < LIMIT_RATIO)


if __name__ == "__main__":
    main()
