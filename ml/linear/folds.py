"""Folds of a cross-validation: all rows of one group in one fold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

Ints = npt.NDArray[np.int64]


def folds(keys: Sequence[object], n_folds: int, seed: int = 0) -> Ints:
    """The fold of every row.

    Groups are dealt out by their size, the largest first, each to the fold that has the fewest rows so far; groups of
    one size in the order of a digest of key and seed. So folds are about equally large, and hang on the keys alone,
    not on the order of the rows.

    Args:
        keys: the group of every row (n,); compared by their text.
        n_folds: at least 2.
        seed: other seeds deal out groups otherwise.

    Returns:
        Numbers from 0 to n_folds − 1 (n,).

    Raises:
        InputError: there are fewer groups than folds, or fewer than two folds.
    """
    if type(n_folds) is not int or n_folds < 2:
        raise InputError(f"Cross-validation in {n_folds!r:.40} folds: a whole number from 2 is needed.")
    names, group, sizes = np.unique(np.array([str(key) for key in keys], dtype=object).astype(str),
                                    return_inverse=True, return_counts=True)
    if len(names) < n_folds:
        raise InputError(f"Cross-validation in {n_folds} folds needs as many groups of rows, and there are "
                         f"{len(names)}: ask for fewer folds, or for another group.")
    order = sorted(range(len(names)), key=lambda one: (-sizes[one], _digest(str(names[one]), seed)))
    filled, fold_of = np.zeros(n_folds, dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    for one in order:
        fold_of[one] = int(filled.argmin())
        filled[fold_of[one]] += sizes[one]
    found: Ints = fold_of[group.ravel()]
    return found


def _digest(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{key}".encode()).digest()
