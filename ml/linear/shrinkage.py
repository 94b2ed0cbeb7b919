"""LASSO and ridge as paths: fewer or smaller coefficients by a penalty."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.linear.design import Design, Standard
from ml.linear.path import Path

Floats = npt.NDArray[np.float64]
PENALTIES = 60
TOLERANCE = 1e-6
SMALLEST = 1e-4
"""The last penalty as a share of the first, which leaves nothing."""


def lasso_path(
    design: Design, target: Floats, most: int, learned: npt.NDArray[np.bool_] | None = None
) -> Path:
    """Models of up to ``most`` features by the LASSO (scikit-learn's coordinate descent), one per number of features.

    Of several penalties with the same number of features the smallest is kept.

    Args:
        design: columns to choose from.
        target: values (n,).
        most: features of the largest model.
        learned: rows to learn from (n,); None = all.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path as sklearn_path
    from sklearn.utils._testing import ignore_warnings

    standard = Standard.of(design, target, learned)
    values, y = _whole(standard), np.concatenate(standard.target)
    with ignore_warnings(category=ConvergenceWarning):
        penalties, found, _ = sklearn_path(values, y, alphas=PENALTIES, eps=SMALLEST, tol=TOLERANCE)
    counts = (np.abs(found) > 0).sum(axis=0)
    kept = [place for place in range(len(penalties)) if counts[place] <= most
            and (place + 1 == len(penalties) or counts[place + 1] != counts[place])]
    sizes, places = np.unique(counts[kept][::-1], return_index=True)
    chosen = np.array(kept)[::-1][places]
    used = np.flatnonzero((np.abs(found[:, chosen]) > 0).any(axis=1)).astype(np.int64)
    return Path.of(standard, used, found[used][:, chosen].T, sizes.astype(np.int64), penalties[chosen])


def ridge_path(
    design: Design, target: Floats, most: int, learned: npt.NDArray[np.bool_] | None = None
) -> Path:
    """Ridge models of 1, 2, 4, … up to ``most`` effective features: Σ s² / (s² + penalty) over singular values s.

    Args:
        design: columns; all of them are in every model.
        target: values (n,).
        most: effective features of the largest model.
        learned: rows to learn from (n,); None = all.
    """
    standard = Standard.of(design, target, learned)
    parts = [np.linalg.svd(values, full_matrices=False) for values in standard.values]
    squares = np.concatenate([s**2 for _, s, _ in parts])
    rank = int((squares > 1e-12 * squares.max(initial=0.0)).sum())
    wanted = sorted({round(float(one)) for one in np.geomspace(1, max(1, min(most, rank - 1)), 24)})
    penalties = np.array([_penalty(squares, count) for count in wanted])
    columns = np.arange(int(design.starts[-1]), dtype=np.int64)
    scaled = np.zeros((len(wanted), len(columns)))
    for block, (u, s, v) in enumerate(parts):
        shares = (u.T @ standard.target[block]) * s
        weights = shares[None] / (s[None] ** 2 + penalties[:, None])
        scaled[:, design.starts[block]:design.starts[block + 1]] = weights @ v
    return Path.of(standard, columns, scaled, np.array(wanted, dtype=np.int64), penalties)


def _penalty(squares: Floats, wanted: float) -> float:
    """The penalty that leaves so many effective features, by bisection."""
    low, high = 1e-16 * squares.max(), 1e6 * squares.max() * len(squares)
    for _ in range(200):
        middle = float(np.sqrt(low * high))
        if (squares / (squares + middle)).sum() > wanted:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def _whole(standard: Standard) -> Floats:
    """The block-diagonal matrix.

    Raises:
        InputError: it does not fit into memory.
    """
    n, p = sum(len(part) for part in standard.target), int(standard.design.starts[-1])
    try:
        found = np.zeros((n, p), order="F")
    except MemoryError:
        raise InputError(f"A matrix of {n:,} rows and {p:,} columns does not fit into memory: take method omp, a "
                         "smaller degree, or fewer clusters.") from None
    row = 0
    for block, values in enumerate(standard.values):
        start = int(standard.design.starts[block])
        found[row:row + len(values), start:start + values.shape[1]] = values
        row += len(values)
    return found
