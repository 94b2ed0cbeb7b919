"""Fingerprints of densities of states per second, beside the public reference on the same ones; both must agree.

Run: ``python -m benchmarks.fingerprints [--rows 20000] [--threads 2] [--limit 60] [--reference PYTHON] [--json]``.
The densities are the shipped ones of `samples/`, of three databases, each many times over with its energies and
heights changed by up to a tenth, so that no two are equal. The reference (spectral-fingerprints, in an environment
of its own) makes the first ``--limit`` of them; that is its time alone, without starting and handing over. Ours is
from densities in memory to counts, and once more with all checks whether they can be compared. Last come the aligned
coefficients of all pairs of 1,000.

The status is 1 where one core makes fewer than 1,000 times as many as the reference, or a count differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analytics.fingerprints.comparable import check
from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles
from analytics.similarity.aligned import aligned_pairs
from lake.ingest.run import ingest
from lake.store.lake import Lake
from tests.reference.client import Reference

HERE = Path(__file__).parent.parent
PLACES = {"aflow": "samples/aflow/dos", "mp": "samples/mp/dos", "nomad": "samples/nomad/archive-h-BN"}
LIMIT_RATIO = 1000.0
REPEATS = 5
BLOCK = 1000


def shipped() -> Profiles:
    """The densities of states of `samples/`, as the lake has them."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(f"{folder}/lake")
        for source, place in PLACES.items():
            ingest(lake, source, saved=[str(HERE / place)])
        return Profiles.of_table(lake.read("dos", DOS_COLUMNS))


def varied(profiles: Profiles, rows: int) -> Profiles:
    """As many densities as asked for, all different, sources mixed; energies are stretched about the band edge."""
    rng = np.random.default_rng(20_260_101)
    many = profiles.take(rng.integers(0, len(profiles), rows))
    stretch = np.repeat(rng.uniform(1.0, 1.1, rows), many.lengths)
    height = np.repeat(rng.uniform(0.9, 1.1, rows), many.lengths)
    return replace(many, energies_ev=many.energies_ev * stretch, states=many.states * height)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The shortest of several runs, after one that compiles."""
    work()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def ours(profiles: Profiles, grid: DosGrid, threads: int) -> dict[str, Any]:
    """Fingerprints per second: on one core, on several, on one with all checks; and aligned pairs."""
    n = len(profiles)
    block = profiles.take(np.arange(min(BLOCK, n)))
    left, right = np.triu_indices(len(block), 1)
    return {
        "grid": grid.grid_id, "rows": n,
        "per_second_one_core": n / seconds(lambda: dos_counts(profiles, grid)),
        "per_second": n / seconds(lambda: dos_counts(profiles, grid, threads=threads)),
        "per_second_checked": n / seconds(
            lambda: dos_counts(check(profiles, grid, formulas=[None] * n).profiles, grid)
        ),
        "aligned_pairs": len(left),
        "aligned_seconds": seconds(lambda: aligned_pairs(block, left, right, grid, threads=threads)),
    }


def theirs(profiles: Profiles, grid: DosGrid, python: str) -> dict[str, Any]:
    """What the reference makes a second of the same densities, and whether its counts are ours."""
    with Reference(python, timeout_seconds=600) as reference:
        answer = reference.fingerprints(profiles, grid)
    counts, starts, stops = dos_counts(profiles, grid)
    mine = [row[a:b].tolist() for row, a, b in zip(counts, starts, stops, strict=True)]
    different = sum(a != b for a, b in zip(mine, answer["counts"], strict=True))
    return {"reference_rows": len(profiles), "reference_per_second": len(profiles) / answer["seconds"],
            "different": different}


def show(found: dict[str, Any], threads: int) -> None:
    """Print one grid's figures."""
    print(f"{found['grid']}: {found['rows']:,} densities of states")
    if "ratio" in found:
        print(f"  reference, one core                {found['reference_per_second']:>12,.1f}/s"
              f"   on {found['reference_rows']} of them; other counts: {found['different']}")
    for label, key in (("matlake, one core", "_one_core"), (f"matlake, {threads} threads", ""),
                       ("matlake, one core, with all checks", "_checked")):
        times = f"   × {found['ratio' + key]:,.0f}" if "ratio" in found else ""
        print(f"  {label:<34} {found['per_second' + key]:>12,.0f}/s{times}")
    print(f"  aligned coefficients of {found['aligned_pairs']:,} pairs: {found['aligned_seconds']:.3f} s, "
          f"{threads} threads")


def main() -> None:
    """Measure on both named grids, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=60, help="densities that the reference makes")
    parser.add_argument("--reference", default=str(HERE / ".venv-reference/bin/python"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    profiles = varied(shipped(), arguments.rows)
    there = Path(arguments.reference).exists()
    results = []
    for grid in (REFERENCE, PAPER):
        found = ours(profiles, grid, arguments.threads)
        if there:
            few = profiles.take(np.arange(min(arguments.limit, len(profiles))))
            found |= theirs(few, grid, arguments.reference)
            for key in ("_one_core", "", "_checked"):
                found["ratio" + key] = found["per_second" + key] / found["reference_per_second"]
        results.append(found)
        if not arguments.json:
            show(found, arguments.threads)
    if arguments.json:
        print(json.dumps(results, indent=2))
    if not there:
        print(f"No ratio: there is no {arguments.reference}. `make bench` sets the reference up; or name a Python that "
              f"has spectral-fingerprints 2.1.2 with --reference.", file=sys.stderr)
    elif any(r["ratio_one_core"] < LIMIT_RATIO or r["different"] for r in results):
        raise SystemExit(f"Missed: {LIMIT_RATIO:,.0f} times the reference on one core, with equal counts.")


if __name__ == "__main__":
    main()
