"""Orthogonal matching pursuit: 200 of 4,059 features on 2,400 rows with the whole path, against scikit-learn.

Usage: python -m benchmarks.matching_pursuit [--rows N] [--correlations P] [--degree D] [--features N]. Both get the
same columns; scikit-learn gets them centred and of length 1, which ours does by itself. Both give models of all sizes.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import orthogonal_mp

from ml.linear.design import Design
from ml.linear.matching_pursuit import omp_path
from ml.linear.monomials import Monomials

LIMIT_SECONDS = 60.0
ROUNDS = 3


def main() -> int:
    """Measure in turns and compare the paths; 1 where they differ or the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching_pursuit", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_400)
    parser.add_argument("--correlations", type=int, default=27)
    parser.add_argument("--degree", type=int, default=3)
    parser.add_argument("--features", type=int, default=200)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    correlations = random.normal(size=(given.rows, given.correlations))
    values = Monomials.of(given.correlations, given.degree).values(correlations)
    target = values @ (random.normal(size=values.shape[1]) * (random.random(values.shape[1]) < 0.05))
    target += 0.1 * target.std() * random.normal(size=given.rows)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        path = omp_path(Design.plain(values), target, given.features)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        scaled = values - values.mean(axis=0)
        scaled /= np.linalg.norm(scaled, axis=0)
        peer = orthogonal_mp(scaled, target - target.mean(), n_nonzero_coefs=given.features, return_path=True)
        theirs.append(time.perf_counter() - began)
    said = path.predict(Design.plain(values))[1:]
    difference = float(np.abs(said - (scaled @ peer + target.mean()).T).max() / target.std())
    same = set(path.columns) == set(np.flatnonzero(peer[:, -1]))
    print(f"{given.features} of {values.shape[1]:,} features on {given.rows:,} rows, all {given.features} models: "
          f"matlake {min(ours):.2f} s, scikit-learn {min(theirs):.2f} s, ratio {min(theirs) / min(ours):.2f}; "
          f"same features: {same}, largest difference {difference:.1e} standard deviations")
    met = same and difference < 1e-6 and min(ours) < LIMIT_SECONDS
    print(f"bars: the same path, {LIMIT_SECONDS:.0f} s: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
