"""Means over classes of pairs, with intervals from resampling the calculations.

Pairs share calculations, so they are not independent, and drawing pairs at random would give intervals that are far
too narrow. Whole calculations are drawn instead; a pair then counts as often as both of its calculations came up,
and a calculation is never paired with its own copy (B. Efron & R. Tibshirani, An Introduction to the Bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.compiled import compiled

REPLICATES = 1000
FEWEST_REPLICATES = 100
MOST_ADDITIONS = 4_000_000_000
SEED = 20_250_101
PERCENTILES = (2.5, 97.5)
SHARE_NEEDED = 0.9
FEWEST_CALCULATIONS = 4
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """Sums over the pairs of every class, as they are and in every replicate.

    Attributes:
        counts: pairs of a class (c,).
        sums: sum of their values (c,).
        calculations: different calculations in them (c,).
        weights: pairs of a class in a replicate (c, r).
        totals: sum of their values in a replicate (c, r).
    """

    counts: NDArray[np.int64]
    sums: Floats
    calculations: NDArray[np.int64]
    weights: Floats
    totals: Floats

    def mean(self, place: int) -> float:
        """Mean value of the pairs of a class."""
        return float(self.sums[place] / self.counts[place])

    def interval(self, place: int) -> tuple[float, float] | None:
        """95 % interval of that mean; None where too few calculations or replicates have such pairs."""
        present = self.weights[place] > 0
        if self.calculations[place] < FEWEST_CALCULATIONS or present.mean() < SHARE_NEEDED:
            return None
        low, high = np.percentile(self.totals[place, present] / self.weights[place, present], PERCENTILES)
        return float(low), float(high)


def resample(classes: NDArray[np.int32], values: Floats, n_classes: int) -> Resampled:
    """Sum values over classes of pairs.

    Args:
        classes: class of every pair of calculations (n, n); only i < j is read; negative = leave out.
        values: value of every pair (n, n).
        n_classes: how many classes there are.
    """
    n = len(classes)
    pairs = max(1, n * (n - 1) // 2)
    replicates = int(np.clip(MOST_ADDITIONS // pairs, FEWEST_REPLICATES, REPLICATES))
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(n, np.full(n, 1 / n), size=replicates).T if n else np.zeros((0, replicates))
    weights, totals = np.zeros((n_classes, replicates)), np.zeros((n_classes, replicates))
    counts, sums = np.zeros(n_classes, np.int64), np.zeros(n_classes)
    seen = np.zeros((n_classes, n), np.bool_)
    _add(classes, values, np.ascontiguousarray(drawn, dtype=np.float64), counts, sums, seen, weights, totals)
    return Resampled(counts, sums, seen.sum(axis=1), weights, totals)


@compiled
def _add(classes: NDArray[np.int32], values: Floats, drawn: Floats, counts: NDArray[np.int64], sums: Floats,
         seen: NDArray[np.bool_], weights: Floats, totals: Floats) -> None:
    for i in range(len(classes)):
        for j in range(i + 1, len(classes)):
            number = classes[i, j]
            if number < 0:
                continue
            value = values[i, j]
            counts[number] += 1
            sums[number] += value
            seen[number, i] = True
            seen[number, j] = True
            for replicate in range(drawn.shape[1]):
                weight = drawn[i, replicate] * drawn[j, replicate]
                weights[number, replicate] += weight
                totals[number, replicate] += weight * value
