"""Compiled: the least-squares error of all combinations of so many features, the best of them kept.

One pass over a tree of prefixes: choosing a feature takes its part out of all later ones (a Schur complement of the
Gram matrix), so that the last feature of a combination costs a few operations, whatever their number.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST = 1e-9
"""Of a feature's variance (1) that must be left beside those chosen before; less is rounding."""


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract", "arcp"})
def scan(gram: Floats, products: Floats, diagonal: Floats, k: int, gains: Floats) -> float:
    """What feature k with each later one explains beyond what the prefix does; into ``gains``; returns the highest.

    Args:
        gram: (n_tasks, s, s), prefix taken out; upper triangle.
        products: of features with targets, prefix taken out (n_tasks, n_targets, s).
        diagonal: of ``gram`` (n_tasks, s).
        k: last feature of the prefix, not yet taken out.
        gains: (s,); places from k + 1 on are written.
    """
    n_tasks, n_targets, s = products.shape
    own = 0.0
    for t in range(n_tasks):
        if diagonal[t, k] > LEAST:
            for m in range(n_targets):
                own += products[t, m, k] * products[t, m, k] / diagonal[t, k]
    for j in range(k + 1, s):
        gains[j] = own
    for t in range(n_tasks):
        row, square = gram[t, k], diagonal[t]
        inverse = 1.0 / diagonal[t, k] if diagonal[t, k] > LEAST else 0.0
        for m in range(n_targets):
            product = products[t, m]
            factor = product[k] * inverse
            for j in range(k + 1, s):
                left = square[j] - row[j] * row[j] * inverse
                rest = product[j] - row[j] * factor
                gains[j] += rest * rest / left if left > LEAST else 0.0
    highest = 0.0
    for j in range(k + 1, s):
        highest = max(highest, gains[j])
    return highest


@numba.njit(nogil=True, cache=True)
def take_out(
    gram: Floats, products: Floats, diagonal: Floats, k: int, to_gram: Floats, to_products: Floats,
    to_diagonal: Floats,
) -> float:
    """Take feature k out of all later ones; returns what it explains.

    Args:
        gram: see :func:`scan`.
        products: the same.
        diagonal: the same.
        k: the feature.
        to_gram: gets what is left of ``gram``, at places from k + 1 on.
        to_products: the same of ``products``.
        to_diagonal: the same of ``diagonal``.
    """
    n_tasks, n_targets, s = products.shape
    own = 0.0
    for t in range(n_tasks):
        inverse = 1.0 / diagonal[t, k] if diagonal[t, k] > LEAST else 0.0
        row = gram[t, k]
        for i in range(k + 1, s):
            factor = row[i] * inverse
            for j in range(i, s):
                to_gram[t, i, j] = gram[t, i, j] - factor * row[j]
            to_diagonal[t, i] = to_gram[t, i, i]
        for m in range(n_targets):
            product = products[t, m]
            own += product[k] * product[k] * inverse
            factor = product[k] * inverse
            for j in range(k + 1, s):
                to_products[t, m, j] = product[j] - row[j] * factor
    return own


@numba.njit(nogil=True, cache=True)
def keep(best: Floats, combinations: Ints, gain: float, prefix: Ints, last: int) -> None:
    """Put a combination among the best, which are in descending order; the lowest falls out."""
    n, size = combinations.shape
    place = n - 1
    while place > 0 and best[place - 1] < gain:
        best[place] = best[place - 1]
        combinations[place] = combinations[place - 1]
        place -= 1
    best[place] = gain
    for i in range(size - 1):
        combinations[place, i] = prefix[i]
    combinations[place, size - 1] = last


@numba.njit(nogil=True, cache=True)
def search(
    gram: Floats, products: Floats, size: int, start: int, stop: int, best: Floats, combinations: Ints
) -> None:
    """All combinations whose first feature is from start to stop.

    Args:
        gram: of standardised features (n_tasks, s, s).
        products: of features with targets (n_tasks, n_targets, s).
        size: features in a combination, at least 2.
        start: first feature from here.
        stop: to here, exclusive.
        best: squares explained, descending (n_kept,); start with −1.
        combinations: their features, ascending (n_kept, size).
    """
    n_tasks, n_targets, s = products.shape
    depth = max(size - 1, 1)
    grams = np.zeros((depth - 1, n_tasks, s, s))
    rests = np.zeros((depth, n_tasks, n_targets, s))
    squares = np.zeros((depth, n_tasks, s))
    gains, explained, prefix = np.zeros(s), np.zeros(depth), np.zeros(depth, np.int64)
    rests[0] = products
    for t in range(n_tasks):
        for j in range(s):
            squares[0, t, j] = gram[t, j, j]
    level, prefix[0] = 0, start - 1
    while level >= 0:
        prefix[level] += 1
        k = prefix[level]
        if k >= (stop if level == 0 else s) or k > s - size + level:
            level -= 1
            continue
        here = gram if level == 0 else grams[level - 1]
        if level < depth - 1:
            explained[level + 1] = explained[level] + take_out(
                here, rests[level], squares[level], k, grams[level], rests[level + 1], squares[level + 1])
            level += 1
            prefix[level] = k
            continue
        highest = scan(here, rests[level], squares[level], k, gains)
        if explained[level] + highest > best[-1]:
            for j in range(k + 1, s):
                if explained[level] + gains[j] > best[-1]:
                    keep(best, combinations, explained[level] + gains[j], prefix, j)
