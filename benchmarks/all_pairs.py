"""All pairs of a lake's fingerprints on local worker processes: seconds and memory against their number.

    python -m benchmarks.all_pairs [--sizes 10000 100000 1000000] [--workers 2] [--folder FOLDER]

Each run is a process of its own that reads fingerprints from a lake, lists the pairs, and publishes them in the lake;
its wall time holds all of it, the start of the workers included. Memory is the largest resident set seen of the
driver, and of the worker that needs most. The command ends with status 1 if 10⁶ fingerprints take longer or more than
`LIMITS` says, or if the driver needs more for the most than for the fewest fingerprints beyond `DRIVER_GROWTH_MB`.

What to expect: the pairs are a fixed share of N² for such data, and so is what is compared, so that large N cost
N²; below 10⁵ the start of the processes is most of it, and one process is quicker.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GRID = "dos-reference"
PLACES = ("processes", "here")
LIMITS = {0.9: (60.0, 4_000.0), 0.7: (300.0, 4_000.0)}
"""Seconds and megabytes per worker for 10⁶ fingerprints, by threshold."""
FULL_SIZE = 1_000_000
DRIVER_GROWTH_MB = 150.0
ROWS_OF_A_FILE = 100_000
MOST_PAIRS = 2_000_000_000


@dataclass(frozen=True)
class Measured:
    """One run: seconds, pairs, and the largest resident sets in MB."""

    n: int
    threshold: float
    where: str
    seconds: float
    pairs: int
    driver_mb: float
    worker_mb: float

    @property
    def in_time(self) -> bool:
        """Whether it keeps the limits, where there are some for it."""
        if self.n != FULL_SIZE or self.where != "processes" or self.threshold not in LIMITS:
            return True
        seconds, megabytes = LIMITS[self.threshold]
        return self.seconds < seconds and self.worker_mb < megabytes


def make_lake(root: str, n: int) -> None:
    """A lake with n realistic fingerprints."""
    import numpy as np
    import pyarrow as pa

    from analytics.fingerprints import kinds
    from benchmarks.realistic_fingerprints import realistic
    from lake.store.lake import Lake
    from lake.tables import TABLES

    lake = Lake.open(root)
    grid = kinds.find(GRID)
    lake.upsert("grids", kinds.row_of(grid))
    counts, schema, parts = realistic(n), TABLES["fingerprints"].schema, []
    names = np.random.default_rng(1).permutation(n)
    for first in range(0, n, ROWS_OF_A_FILE):
        rows = counts[first:first + ROWS_OF_A_FILE]
        m = len(rows)
        offsets = pa.array(np.arange(m + 1, dtype=np.int32) * grid.n_counts)
        ids = [f"{('nomad/', 'aflow/aflow:')[k % 2]}{k * 2654435761 % 2**40:012x}"
               for k in names[first:first + m].tolist()]
        columns: dict[str, Any] = {
            "calculation_id": pa.array(ids), "source": pa.array([name.split("/")[0] for name in ids]),
            "kind": pa.repeat("dos", m), "input_sha256": pa.repeat("", m), "grid_id": pa.repeat(GRID, m),
            "counts": pa.ListArray.from_arrays(offsets, pa.array(rows.astype(np.int16).ravel())),
            "total": pa.array(rows.sum(axis=1, dtype=np.int64)),
            "start_interval": pa.array(np.zeros(m, np.int32)),
            "stop_interval": pa.array(np.full(m, grid.n_counts, np.int32)),
        }
        table = pa.table([columns.get(f.name, pa.nulls(m, f.type)) for f in schema], schema=schema)
        parts.append(lake.write_part("fingerprints", {"grid_id": GRID}, f"made-{first}.parquet", table))
    lake.publish("fingerprints", {"grid_id": GRID}, parts)


def run(root: str, threshold: float, where: str) -> None:
    """The measured process."""
    from analytics.similarity.run import all_pairs
    from lake.store.lake import Lake

    began = time.monotonic()
    result = all_pairs(Lake.open(root), GRID, threshold, where=where, most_pairs=MOST_PAIRS)
    print(json.dumps({"seconds": time.monotonic() - began, "pairs": result.n_pairs}))


def measure(root: str, n: int, threshold: float, where: str, workers: int) -> Measured:
    """Run it on an unanswered lake and watch its processes."""
    import psutil

    for table in ("similarities", "similarity_groups", "similarity_runs", "runs"):
        shutil.rmtree(Path(root) / table, ignore_errors=True)
    # glibc keeps what threads have freed, arena by arena; few arenas show what is really held.
    environment = {**os.environ, "MATLAKE_DASK_WORKERS": str(workers), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-m", "benchmarks.all_pairs", "--run", root, str(threshold), where]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    driver, peaks = psutil.Process(child.pid), {0: 0.0}
    while child.poll() is None:
        try:
            for process in (driver, *driver.children(recursive=True)):
                key = 0 if process.pid == child.pid else process.pid
                peaks[key] = max(peaks.get(key, 0.0), process.memory_info().rss / 1e6)
        except psutil.Error:
            pass
        time.sleep(0.1)
    assert child.stdout is not None
    if child.returncode:
        sys.exit(f"the run ended with status {child.returncode}")
    found = json.loads(child.stdout.read())
    largest = max((mb for key, mb in peaks.items() if key), default=0.0)
    return Measured(n, threshold, where, found["seconds"], found["pairs"], peaks[0], largest)


def show(one: Measured) -> None:
    """One line."""
    worker = f"{one.worker_mb:>9,.0f}" if one.where == "processes" else "        –"
    print(f"{one.n:>10,} {one.threshold:>5g} {one.where:<10} {one.seconds:>8.1f} {one.pairs:>13,} "
          f"{one.driver_mb:>9,.0f} {worker}{'' if one.in_time else '   MISSED'}", flush=True)


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, FULL_SIZE])
    parser.add_argument("--thresholds", type=float, nargs="+", default=list(LIMITS))
    parser.add_argument("--where", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", help="Where the lakes are made; several gigabytes are needed.")
    parser.add_argument("--run", nargs=3, metavar=("ROOT", "THRESHOLD", "WHERE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        root, threshold, where = chosen.run
        run(root, float(threshold), where)
        return
    print(f"{'N':>10} {'≥':>5} {'where':<10} {'seconds':>8} {'pairs':>13} {'driver MB':>9} {'worker MB':>9}")
    done = []
    for n in sorted(chosen.sizes):
        with tempfile.TemporaryDirectory(dir=chosen.folder) as root:
            make_lake(root, n)
            # The first run of an installation compiles the kernels.
            run_quietly(root)
            for threshold in chosen.thresholds:
                for where in chosen.where:
                    done.append(measure(root, n, threshold, where, chosen.workers))
                    show(done[-1])
    spread = [one for one in done if one.where == "processes"]
    flat = True
    if len({one.n for one in spread}) > 1:
        growth = spread[-1].driver_mb - spread[0].driver_mb
        flat = growth < DRIVER_GROWTH_MB
        print(f"The driver needs {growth:+,.0f} MB for {spread[-1].n:,} against {spread[0].n:,} fingerprints"
              f"{'' if flat else '   MISSED'}.")
    sys.exit(0 if flat and all(one.in_time for one in done) else 1)


def run_quietly(root: str) -> None:
    """Have every kernel compiled, at a threshold that nearly nothing reaches."""
    subprocess.run([sys.executable, "-m", "benchmarks.all_pairs", "--run", root, "0.999", "here"], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
