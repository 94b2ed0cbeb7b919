"""Intervals of errors by drawing materials anew.

Rows of one material (settings, databases) fail together, so that rows are no independent draws: whole
materials are drawn with replacement, each with all of its rows (cluster bootstrap; A. C. Davison & D. V. Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8). Errors are ratios of sums, so that a replicate is a product
of how often each material came up with the sums of its rows: no replicate touches the rows themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
SEED = 20_250_101
PERCENTILES = (2.5, 97.5)
FEWEST_MATERIALS = 4
"""An interval from fewer materials would be narrower than what it should tell."""
SHARE_NEEDED = 0.9
LARGEST_BLOCK = 2_000_000
MOST_COUNTS = 100_000_000
FEWEST_REPLICATES = 100
"""Beyond a hundred thousand materials fewer replicates are drawn, so that memory stays at 100 MB."""
ROUNDING = 1e-12

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAMES = ("mae", "rmse", "bias", "r2")


@dataclass(frozen=True)
class Draws:
    """How often each of ``n`` materials comes up in every replicate: ``counts`` (replicates, n)."""

    counts: NDArray[np.uint8]

    @classmethod
    def of(cls, n: int, replicates: int = REPLICATES, seed: int = SEED) -> Draws:
        """The same draws for the same arguments, on every machine."""
        n = max(n, 1)
        replicates = max(min(replicates, FEWEST_REPLICATES), min(replicates, MOST_COUNTS // n))
        counts = np.zeros((replicates, n), dtype=np.uint8)
        generator = np.random.default_rng(seed)
        for block in _blocks(replicates, n):
            length = block.stop - block.start
            drawn = generator.integers(0, n, size=(length, n)) + np.arange(length)[:, None] * n
            counts[block] = np.bincount(drawn.ravel(), minlength=length * n).reshape(length, n)
        return cls(counts)

    def sums(self, by_material: Floats, materials: Ints | None = None) -> Floats:
        """Sums of every replicate.

        Args:
            by_material: sums over the rows of a material (m, k).
            materials: which of the n they are (m,); default all, in their order.

        Returns:
            (replicates, k).
        """
        counts = self.counts if materials is None else self.counts[:, materials]
        blocks = _blocks(*counts.shape)
        return np.concatenate([counts[block].astype(np.float64) @ by_material for block in blocks])


def _blocks(replicates: int, n: int) -> Iterator[slice]:
    step = max(1, LARGEST_BLOCK // n)
    for start in range(0, replicates, step):
        yield slice(start, min(start + step, replicates))


def places_of(keys: Sequence[str] | NDArray[np.str_]) -> tuple[Ints, int]:
    """The place of every row's material among the different ones, and how many there are."""
    different, places = np.unique(np.asarray(keys), return_inverse=True)
    return places.astype(np.int64), len(different)


def sums_by_material(values: Floats, places: Ints, n: int) -> Floats:
    """Sums over the rows of each material (n, k) of values (rows, k)."""
    return np.stack([np.bincount(places, column, minlength=n) for column in values.T], axis=1)


def parts(actual: Floats, predicted: Floats, centre: float) -> Floats:
    """What the errors of rows are made of, so that sums of it give them: (rows, 6)."""
    error, value = predicted - actual, actual - centre
    return np.stack([np.ones_like(error), np.abs(error), error**2, error, value, value**2], axis=1)


def errors_of(sums: Floats) -> Floats:
    """MAE, RMSE, bias and R² (…, 4) of sums (…, 6); NaN where there are no rows or, of R², no spread."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n, absolute, square, signed, value, value_square = np.moveaxis(sums, -1, 0)
        spread = value_square - value**2 / n
        spread = np.where(spread > ROUNDING * np.maximum(value_square, 1e-300), spread, np.nan)
        return np.stack([absolute / n, np.sqrt(square / n), signed / n, 1 - square / spread], axis=-1)


def intervals(draws: Draws, by_material: Floats, materials: Ints | None = None) -> Floats:
    """95 % intervals (4, 2) of MAE, RMSE, bias and R²; NaN where there are too few materials for one."""
    found = np.full((4, 2), np.nan)
    if len(by_material) < FEWEST_MATERIALS:
        return found
    replicates = errors_of(draws.sums(by_material, materials))
    for place, column in enumerate(replicates.T):
        known = column[np.isfinite(column)]
        if len(known) >= SHARE_NEEDED * len(column):
            found[place] = np.percentile(known, PERCENTILES)
    return found
