"""The error of a path on rows that it was not made from: everything is done anew in every fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.linear.design import Design
from ml.linear.matching_pursuit import omp_path
from ml.linear.path import Path
from ml.linear.shrinkage import lasso_path, ridge_path

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Maker = Callable[..., Path]
METHODS: dict[str, Maker] = {"omp": omp_path, "lasso": lasso_path, "ridge": ridge_path}


@dataclass(frozen=True)
class Judged:
    """A path with its errors by model (k,), in the unit of the target.

    Attributes:
        path: made from all rows.
        fit_rmse: on the rows it was made from.
        fit_mae: the same, mean absolute.
        cv_rmse: on the rows left out, all folds together; NaN = no fold had so many features.
        cv_mae: the same, mean absolute.
        cv_spread: standard error of the folds' root mean square errors.
    """

    path: Path
    fit_rmse: Floats
    fit_mae: Floats
    cv_rmse: Floats
    cv_mae: Floats
    cv_spread: Floats

    @property
    def best(self) -> int:
        """Place of the least error under cross-validation."""
        return int(np.nanargmin(self.cv_rmse))

    @property
    def simplest(self) -> int:
        """Place of the smallest model whose error is within one standard error of the least."""
        best = self.best
        good = np.flatnonzero(self.cv_rmse <= self.cv_rmse[best] + np.nan_to_num(self.cv_spread[best]))
        return int(good[0])


def judged(design: Design, target: Floats, most: int, method: str, folds: Ints) -> Judged:
    """A path, its fit, and its errors under cross-validation.

    Args:
        design: columns to choose from.
        target: values (n,).
        most: features of the largest model.
        method: one of :data:`METHODS`.
        folds: of every row (n,).
    """
    make = METHODS[method]
    path = make(design, target, most)
    fit = path.predict(design) - target
    errors = np.full(fit.shape, np.nan)
    spreads = []
    for fold in range(int(folds.max()) + 1):
        left_out = folds == fold
        other = make(design, target, most, ~left_out)
        found = other.predict(design)[:, left_out] - target[left_out]
        sized = np.full((len(path.n_features), found.shape[1]), np.nan)
        places = {int(n): place for place, n in enumerate(other.n_features)}
        for place, n in enumerate(path.n_features):
            if int(n) in places:
                sized[place] = found[places[int(n)]]
        errors[:, left_out] = sized
        spreads.append(np.sqrt(np.mean(sized**2, axis=1)))
    by_fold = np.array(spreads)
    return Judged(
        path, np.sqrt(np.mean(fit**2, axis=1)), np.mean(np.abs(fit), axis=1), np.sqrt(np.mean(errors**2, axis=1)),
        np.mean(np.abs(errors), axis=1), by_fold.std(axis=0, ddof=1) / len(by_fold) ** 0.5,
    )
