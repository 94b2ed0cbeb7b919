"""Exact Tanimoto search: the plain kernel beside the public reference, then what pruning makes of it, against N.

Run: ``python -m benchmarks.similarity [--rows 10000 30000 100000 300000 1000000] [--threads 2]
[--reference .venv-reference/bin/python] [--json]``. Fingerprints are those of ``benchmarks.realistic_fingerprints``
(144 counts of 0…56, the reference's default grid).

1. Plain: every pair of some fingerprints, by this package's kernel and by ``tanimoto_similarity`` of
   spectral-fingerprints in its own environment on the same bits; both must give the same numbers.
2. For each N: building the index, all pairs at 0.9 and 0.7 (kernel alone, pairs counted and dropped), the ten
   nearest of 200 fingerprints that are not in the index, and the shares of pairs that are left by each bound. They
   hardly depend on N, so that the cost of all pairs grows as N²; but the larger N, the more alike the rows of a leaf
   are and the sharper is its bound, so that it grows more slowly than that.

The status is 1 where a limit is missed at N = 10⁶, or the ratio to the reference.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.similarity import tanimoto
from analytics.similarity.index import Index
from analytics.similarity.nearest import nearest
from analytics.similarity.pairs import pairs_above
from benchmarks.memory import peak_mib
from benchmarks.realistic_fingerprints import realistic

Counts = NDArray[np.uint8]
LIMIT_RATIO, LIMIT_SECONDS, LIMIT_QUERY_MS = 1500.0, {0.9: 60.0, 0.7: 300.0}, 5.0
JUDGED_ROWS = 1_000_000
LEVELS, N_QUERIES, N_NEAREST, SHARES_OF_WORK, SAMPLE = 56, 200, 10, 64, 3000
REFERENCE_ROWS, OWN_ROWS = 400, 8000

WITH_REFERENCE = """
import json, sys, time
import numpy
from bitarray import bitarray
from spectral_fingerprints.fingerprint import SpectralFingerprint
from spectral_fingerprints.grid import Grid
counts, levels = numpy.load(sys.argv[1]), int(sys.argv[2])
grid_id = Grid.create().get_grid_id()
made = []
for row in counts:
    one = SpectralFingerprint()
    one.bins = ''.join(f'{k}t{levels - k}f' for k in row)
    one.indices, one.grid_id = [0, len(row)], grid_id
    assert one.n_state_bins == levels and len(one.get_bitarray()) == levels * len(row)
    made.append(one)
result = numpy.empty((len(made), len(made)))
start = time.perf_counter()
for i, left in enumerate(made):
    result[i] = left.get_similarities(made)
seconds = time.perf_counter() - start
numpy.save(sys.argv[3], result)
print(json.dumps({'seconds': seconds}))
"""


def reference_rate(python: Path, counts: Counts) -> tuple[float, NDArray[np.float64]]:
    """Pairs per second of the reference on one core, and its coefficients."""
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "counts.npy"), Path(folder, "result.npy")
        np.save(given, counts)
        done = subprocess.run([python, "-c", WITH_REFERENCE, given, str(LEVELS), result], stdout=subprocess.PIPE,
                              text=True, check=True, timeout=600)
        return len(counts) ** 2 / json.loads(done.stdout)["seconds"], np.load(result)


def plain_rate(counts: Counts, threads: int) -> float:
    """Pairs per second of the plain kernel: each thread compares its own rows with all; the best of five runs."""
    shares = np.array_split(counts, threads * 8)
    tanimoto.block(shares[0], counts)
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            start = time.perf_counter()
            for _ in pool.map(lambda share: tanimoto.block(share, counts).shape, shares):
                pass
            best = min(best, time.perf_counter() - start)
    return len(counts) ** 2 / best


def plain(reference: Path, threads: int) -> dict[str, Any]:
    """The plain kernel and, where its environment is there, the reference."""
    counts = realistic(OWN_ROWS, seed=2)
    result: dict[str, Any] = {"pairs_per_s": plain_rate(counts, threads), "pairs_per_s_one_core": plain_rate(counts, 1)}
    if not reference.exists():
        return {**result, "reference": f"{reference} is not there: no ratio (make .venv-reference/ready makes it)"}
    few = counts[:REFERENCE_ROWS]
    rate, coefficients = reference_rate(reference, few)
    return {**result, "reference_pairs_per_s": rate, "ratio": result["pairs_per_s"] / rate,
            "agree": bool(np.array_equal(coefficients, tanimoto.matrix(few)))}


def all_pairs(index: Index, threshold: float, threads: int) -> dict[str, Any]:
    """Seconds for all pairs, which are counted and dropped."""
    edges = np.linspace(0, index.n_rows, SHARES_OF_WORK + 1).astype(int).tolist()

    def count(share: int) -> int:
        rows = edges[share], edges[share + 1]
        return sum(len(pairs.left) for pairs in pairs_above(index, threshold, rows=rows))

    start, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        n = sum(pool.map(count, range(SHARES_OF_WORK)))
    seconds = time.perf_counter() - start
    possible = index.n_rows * (index.n_rows - 1) / 2
    return {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "pairs": n, "pairs_per_s": possible / seconds}


def shares(index: Index, counts: Counts, threshold: float) -> dict[str, float]:
    """What share of all pairs each bound leaves, from a sample of rows and of leaves."""
    random, part = np.random.default_rng(3), index.parts[0]
    rows = random.choice(len(counts), min(SAMPLE, len(counts)), replace=False)
    upper = np.triu_indices(len(rows), 1)
    totals = counts[rows].sum(axis=1, dtype=np.float64)
    low, high = np.minimum.outer(totals, totals)[upper], np.maximum.outer(totals, totals)[upper]
    left_by_total = low >= threshold * high
    place = np.empty(len(counts), np.int64)
    place[part.order] = np.arange(len(counts))
    coarse = part.sums[place[rows] // part.sums.shape[2], :, place[rows] % part.sums.shape[2]]
    left_by_sums = left_by_total & (tanimoto.matrix(coarse)[upper] >= threshold)
    leaves = random.choice(len(part.highs), min(SAMPLE // 2, len(part.highs)), replace=False)
    most = sum(np.minimum.outer(column, column).astype(np.int64) for column in part.highs[leaves].T)
    most = np.minimum(most, np.minimum.outer(part.highest[leaves], part.highest[leaves]))
    least = np.add.outer(part.lowest[leaves], part.lowest[leaves])
    return {"total": float(left_by_total.mean()), "leaves": float((most * (1 + threshold) >= threshold * least).mean()),
            "sums": float(left_by_sums.mean())}


def queries(index: Index, wanted: Counts) -> dict[str, float]:
    """Milliseconds for the nearest of one fingerprint: of each query the best of three, as others may hold the core."""
    nearest(index, wanted[0], N_NEAREST)
    times = []
    for query in wanted:
        tries = []
        for _ in range(3):
            start = time.perf_counter()
            nearest(index, query, N_NEAREST)
            tries.append(1e3 * (time.perf_counter() - start))
        times.append(min(tries))
    return {"median_ms": float(np.median(times)), "p99_ms": float(np.percentile(times, 99)), "worst_ms": max(times)}


def pruned(n_rows: int, threads: int) -> dict[str, Any]:
    """Everything for one N."""
    drawn = realistic(n_rows + N_QUERIES)
    counts, wanted = drawn[:n_rows], drawn[n_rows:]
    start = time.perf_counter()
    index = Index.of(counts)
    result: dict[str, Any] = {"rows": n_rows, "index_seconds": time.perf_counter() - start,
                              "nearest": queries(index, wanted)}
    for threshold in LIMIT_SECONDS:
        found = all_pairs(index, threshold, threads)
        left = {**shares(index, counts, threshold), "pairs": found["pairs"] / (n_rows * (n_rows - 1) / 2)}
        result[f"{threshold:g}"] = {**found, "left": left}
    return {**result, "peak_gigabytes": peak_mib() / 1024}


def warm_up() -> None:
    """Compile, so that no time below contains it."""
    counts = realistic(1000)
    index = Index.of(counts)
    nearest(index, counts[0], N_NEAREST)
    for _ in pairs_above(index, 0.9):
        pass


def misses(compared: dict[str, Any], measured: list[dict[str, Any]]) -> list[str]:
    """The limits that were not kept, in words."""
    missed = []
    if compared.get("ratio", LIMIT_RATIO) < LIMIT_RATIO:
        missed.append(f"plain kernel {compared['ratio']:,.0f} times the reference, {LIMIT_RATIO:,.0f} wanted")
    if not compared.get("agree", True):
        missed.append("coefficients differ from the reference's")
    for result in (result for result in measured if result["rows"] == JUDGED_ROWS):
        for threshold, limit in LIMIT_SECONDS.items():
            if result[f"{threshold:g}"]["seconds"] > limit:
                missed.append(f"all pairs ≥ {threshold:g} took longer than {limit:g} s")
        if result["nearest"]["worst_ms"] > LIMIT_QUERY_MS:
            missed.append(f"the slowest query took longer than {LIMIT_QUERY_MS:g} ms")
    return missed


def show_plain(compared: dict[str, Any], threads: int) -> None:
    """Print the comparison with the reference."""
    print(f"plain kernel: {compared['pairs_per_s'] / 1e6:,.0f} million pairs/s with {threads} threads, "
          f"{compared['pairs_per_s_one_core'] / 1e6:,.0f} with one")
    if "ratio" in compared:
        print(f"reference: {compared['reference_pairs_per_s'] / 1e3:,.0f} thousand pairs/s; ratio "
              f"{compared['ratio']:,.0f}; same coefficients: {'yes' if compared['agree'] else 'NO'}")
    else:
        print(compared["reference"])


def show_pruned(result: dict[str, Any]) -> None:
    """Print the measurements of one N."""
    n, times = result["rows"], result["nearest"]
    print(f"{n:>9,} rows: index {result['index_seconds']:.2f} s; top {N_NEAREST}: median {times['median_ms']:.2f} ms, "
          f"99 % {times['p99_ms']:.2f} ms, worst {times['worst_ms']:.2f} ms; peak {result['peak_gigabytes']:.2f} GB")
    for threshold in LIMIT_SECONDS:
        found = result[f"{threshold:g}"]
        left = found["left"]
        print(f"{'':9}  ≥ {threshold:g}: {found['seconds']:7.2f} s ({found['cpu_seconds']:.2f} s of CPU), "
              f"{found['pairs_per_s'] / 1e9:5.1f} billion pairs/s, {found['pairs']:,} found; of all pairs are left: "
              f"{100 * left['total']:.1f} % by totals, {100 * left['leaves']:.1f} % by leaves, "
              f"{100 * left['sums']:.3f} % by coarse sums, {100 * left['pairs']:.3f} % in truth")


def main() -> int:
    """Measure and print; the status is 1 where a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.similarity", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, JUDGED_ROWS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", type=Path, default=Path(".venv-reference/bin/python"),
                        help="interpreter of an environment with spectral-fingerprints 2.1.2")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    warm_up()
    compared, measured = plain(arguments.reference, arguments.threads), []
    if not arguments.json:
        show_plain(compared, arguments.threads)
    for n_rows in arguments.rows:
        measured.append(pruned(n_rows, arguments.threads))
        if not arguments.json:
            show_pruned(measured[-1])
    missed = misses(compared, measured)
    if arguments.json:
        print(json.dumps({"plain": compared, "pruned": measured, "missed": missed}))
    else:
        judged = "kept" if any(result["rows"] == JUDGED_ROWS for result in measured) else "kept as far as measured"
        print(f"limits: {'MISSED: ' + '; '.join(missed) if missed else judged}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
