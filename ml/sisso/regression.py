"""Least squares with the same features and own coefficients for every task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.sisso.exhaustive import Combinations

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """Features with their coefficients.

    Attributes:
        places: of the features, ascending.
        coefficients: intercept and one a feature, by task and class (n_tasks, n_classes or 1, 1 + d).
        fitted: what that says of every row (n,); of classes their place.
        loss: what fits are compared by: root mean square error; of classes see :mod:`ml.sisso.classification`.
    """

    places: tuple[int, ...]
    coefficients: Floats
    fitted: Floats
    loss: tuple[float, ...]


def least_squares(values: Floats, target: Floats, tasks: Ints, places: tuple[int, ...]) -> Fit:
    """Fit the features at some places.

    Args:
        values: features (s, n).
        target: (n,).
        tasks: of every row, from 0 (n,).
        places: features to fit.
    """
    chosen = values[list(places)]
    n_tasks = int(tasks.max()) + 1
    coefficients = np.zeros((n_tasks, 1, 1 + len(places)))
    fitted = np.zeros(len(target))
    for task in range(n_tasks):
        rows = tasks == task
        some = chosen[:, rows]
        # Centred and scaled: features differ by many orders of magnitude.
        mean, spread = some.mean(axis=1), some.std(axis=1)
        scale = np.where(spread > 0, spread, 1.0)
        matrix = ((some - mean[:, None]) / scale[:, None]).T
        level = target[rows].mean()
        solved = np.linalg.lstsq(matrix, target[rows] - level, rcond=None)[0] / scale
        coefficients[task, 0] = np.concatenate(([level - solved @ mean], solved))
        fitted[rows] = level + matrix @ (solved * scale)
    return Fit(places, coefficients, fitted, (float(np.sqrt(np.mean((target - fitted) ** 2))),))


def best_fits(values: Floats, target: Floats, tasks: Ints, found: Combinations) -> list[Fit]:
    """Combinations that were found, solved anew in full precision, the best first."""
    fits = [least_squares(values, target, tasks, tuple(map(int, places))) for places in found.places]
    return sorted(fits, key=lambda fit: (fit.loss, fit.places))
