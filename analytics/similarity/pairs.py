"""All pairs of fingerprints at least as similar as a threshold: exact, without comparing all pairs.

Bounds go from cheap to dear: 64 leaves at a time, a pair of leaves, a row against a leaf, a row against the 64 rows
of a leaf, and only what is left is compared count by count. Every bound is one of exact integers, and the last word
has the rounded division itself (see :mod:`~analytics.similarity.bounds`): the result equals that of a comparison of
all pairs, pair for pair and bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.counts import same_dtype
from analytics.similarity.index import Index, Part, in_units, restricted
from analytics.similarity.scan import scan
from analytics.similarity.vector import LEAF
from lake.errors import InputError, MatlakeError, SettingsError

CHUNK = 1_000_000


class Pairs(NamedTuple):
    """A chunk of pairs: left and right row numbers (m,) int64 and their coefficients (m,) float64."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    similarity: NDArray[np.float64]


class TooManyPairsError(MatlakeError):
    """There are more pairs above the threshold than the caller is ready to take."""


def pairs_above(index: Index, threshold: float, *, rows: tuple[int, int] | None = None, chunk: int = CHUNK,
                most: int | None = None) -> Iterator[Pairs]:
    """All pairs of one index with a coefficient of at least the threshold.

    Args:
        index: the fingerprints.
        threshold: 0 < τ ≤ 1.
        rows: a share of the work: places [lo, hi) of 0…n. Ranges that together cover 0…n, each place once, give
            every pair once. Early places have more pairs to look at than late ones.
        chunk: the most pairs of a chunk, at least 64.
        most: how many pairs the caller will take at most.

    Yields:
        Chunks of pairs in the numbers in which rows were given, ``left < right``, each pair once. A chunk is the
        caller's own; memory is that of one chunk, whatever the data. The order is the same every time.

    Raises:
        SettingsError: a threshold outside (0, 1], or a chunk that is too small.
        TooManyPairsError: there are more than ``most`` pairs; as soon as that is known.
    """
    _check(threshold, chunk)
    first, last = rows or (0, index.n_rows)
    yield from _limited(_within(index, threshold, first, last, chunk), most, threshold)


def pairs_between(left: Index, right: Index, threshold: float, *, rows: tuple[int, int] | None = None,
                  chunk: int = CHUNK, most: int | None = None) -> Iterator[Pairs]:
    """All pairs of a row of one index and a row of another one with a coefficient of at least the threshold.

    For a tile of a larger set: :func:`pairs_above` for the tiles on the diagonal, this for the others.

    Args:
        left: fingerprints.
        right: other fingerprints of the same grid.
        threshold: 0 < τ ≤ 1.
        rows: a share of the work: places [lo, hi) of 0…len(left).
        chunk: the most pairs of a chunk, at least 64.
        most: how many pairs the caller will take at most.

    Yields:
        Chunks of pairs: a number of the left index, a number of the right index, the coefficient.

    Raises:
        SettingsError: a threshold outside (0, 1], or a chunk that is too small.
        InputError: the indexes are of two grids.
        TooManyPairsError: there are more than ``most`` pairs; as soon as that is known.
    """
    _check(threshold, chunk)
    if left.n_counts != right.n_counts and len(left) and len(right):
        raise InputError(f"An index of {left.n_counts} counts and one of {right.n_counts} cannot be compared: they are "
                         f"of two grids. Compare fingerprints of one grid_id.")
    first, last = rows or (0, left.n_rows)
    yield from _limited(_between(left, right, threshold, first, last, chunk), most, threshold)


def _check(threshold: float, chunk: int) -> None:
    """Raise SettingsError unless the search is well defined."""
    if not 0.0 < threshold <= 1.0:
        raise SettingsError(f"The threshold must lie above 0 and not above 1, but is {threshold}. At 0 every pair of "
                            f"rows is one; ask tanimoto.matrix for those.")
    if chunk < LEAF:
        raise SettingsError(f"A chunk must hold at least {LEAF} pairs, but shall hold {chunk}.")


def _limited(chunks: Iterator[Pairs], most: int | None, threshold: float) -> Iterator[Pairs]:
    """Hand chunks on until there are too many."""
    n = 0
    for pairs in chunks:
        n += len(pairs.left)
        if most is not None and n > most:
            raise TooManyPairsError(f"There are more than {most:,} pairs with a similarity of at least {threshold:g}. "
                                    f"Raise the threshold, group near-identical fingerprints first, or allow more.")
        yield pairs


def _within(index: Index, threshold: float, first: int, last: int, chunk: int) -> Iterator[Pairs]:
    """Pairs of one index: within each window, and between windows."""
    offset = 0
    for number, part in enumerate(index.parts):
        low, high = max(first - offset, 0), min(last - offset, len(part))
        offset += len(part)
        if low >= high or part.start >= part.stop:
            continue
        for pairs in _scanned(part, part, True, threshold, low, high, chunk):
            yield _ascending(pairs)
        for other in index.parts[number + 1:]:
            for pairs in _crossed(part, other, threshold, low, high, chunk):
                yield _ascending(pairs)


def _between(left: Index, right: Index, threshold: float, first: int, last: int, chunk: int) -> Iterator[Pairs]:
    """Pairs of two indexes: each window with each window."""
    offset = 0
    for part in left.parts:
        low, high = max(first - offset, 0), min(last - offset, len(part))
        offset += len(part)
        if low < high:
            for other in right.parts:
                yield from _crossed(part, other, threshold, low, high, chunk)


def _crossed(left: Part, right: Part, threshold: float, first: int, last: int, chunk: int) -> Iterator[Pairs]:
    """Pairs of two parts, compared on the columns that both cover."""
    start, stop = max(left.start, right.start), min(left.stop, right.stop)
    if start < stop:
        yield from _scanned(restricted(left, start, stop), restricted(right, start, stop), False, threshold, first,
                            last, chunk)


def _scanned(left: Part, right: Part, same: bool, threshold: float, first: int, last: int,
             chunk: int) -> Iterator[Pairs]:
    """Pairs of two parts of one window."""
    shift = max(left.shift, right.shift)
    left, right = in_units(left, shift), in_units(right, shift)
    a, b = (left.counts, right.counts) if same else same_dtype(left.counts, right.counts)
    state = np.array([first // LEAF, -1, first], np.int64)
    n_leaves = -(-last // LEAF)
    while state[0] < n_leaves:
        pairs = Pairs(np.empty(chunk, np.int64), np.empty(chunk, np.int64), np.empty(chunk))
        n = scan(a, left.totals, left.sums, left.highs, left.lowest, left.highest, left.order,
                 b, right.totals, right.sums, right.highs, right.high_groups, right.lowest, right.highest,
                 right.order, shift, same, threshold, first, last, state, *pairs)
        if n:
            yield pairs if n == chunk else _first(pairs, n)


def _first(pairs: Pairs, n: int) -> Pairs:
    """The first n pairs; a copy where little of the chunk is used, lest the rest of it be kept."""
    left, right, similarity = pairs.left[:n], pairs.right[:n], pairs.similarity[:n]
    if 2 * n < len(pairs.left):
        left, right, similarity = left.copy(), right.copy(), similarity.copy()
    return Pairs(left, right, similarity)


def _ascending(pairs: Pairs) -> Pairs:
    """The same pairs with the smaller number on the left."""
    return Pairs(np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right), pairs.similarity)
