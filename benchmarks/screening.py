"""Screening of features: 10⁸ candidates of rung 2, their time and the memory that it takes.

Usage: python -m benchmarks.screening [--candidates N] [--rows N] [--keep N] [--tasks N] [--classes] [--device DEVICE].
Half of the columns are energies, half are lengths; there are as many as the candidates need.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence

import numpy as np

from ml.sisso.counting import n_candidates
from ml.sisso.expression import Primary
from ml.sisso.levels import build
from ml.sisso.scores import Classes, Residuals
from ml.sisso.screen import screen
from ml.sisso.space import Space, SpaceSettings
from ml.sisso.units import Unit

LIMIT_SECONDS, LIMIT_GB = 600.0, 4.0


def space_of(wanted: int, n_rows: int) -> tuple[Space, np.ndarray]:
    """The smallest space of rung 2 with so many candidates, and a target that lies in it."""
    random = np.random.default_rng(0)
    columns: dict[str, np.ndarray] = {}
    for number in range(4, 2_000, 2):
        primaries = [Primary(f"x{i}", Unit.parse("eV" if i % 2 else "Å")) for i in range(number)]
        columns |= {one.name: random.uniform(0.5, 3.0, n_rows) for one in primaries if one.name not in columns}
        space = build(primaries, columns, SpaceSettings(rung=2))
        if n_candidates(space) >= wanted:
            target = 3 * columns["x1"] * columns["x3"] / columns["x0"] + columns["x2"]
            return space, target + 0.1 * random.normal(size=n_rows)
    raise SystemExit(f"{wanted:,} candidates need more columns than this makes.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Screen and say how long it took; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screening", description=__doc__)
    parser.add_argument("--candidates", type=int, default=100_000_000)
    parser.add_argument("--rows", type=int, default=82)
    parser.add_argument("--keep", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=1)
    parser.add_argument("--classes", action="store_true", help="screen by the overlap of two classes")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    space, target = space_of(given.candidates, given.rows)
    began = time.perf_counter()
    scorer = Classes.of((target > np.median(target)).tolist()) if given.classes else Residuals.of(
        target, [row % given.tasks for row in range(given.rows)])
    found = screen(space, scorer, given.keep, device=given.device)
    seconds = time.perf_counter() - began
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{len(space.primaries)} columns, {given.rows} rows, rung 2: {found.n_candidates:,} candidates screened in "
          f"{seconds:.1f} s ({found.n_candidates / seconds / 1e6:.1f} million a second), "
          f"{given.keep} kept; largest memory of the process {gigabytes:.2f} GB")
    print(f"best: {found.features[0].key}, score {found.scores[0]:.4f}")
    met = seconds <= LIMIT_SECONDS and gigabytes <= LIMIT_GB
    print(f"bars: {LIMIT_SECONDS:.0f} s and {LIMIT_GB:.0f} GB on two cores: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
