"""Which distances are one, and which atoms no network that sees only elements and distances can tell apart.

Atoms start with their element as colour; in every round a colour becomes its atom's colour and the multiset of
(distance, colour) of its neighbours, until no class divides any more: colour refinement, the Weisfeiler–Leman test of
dimension 1 (Weisfeiler, Leman, Nauchno-Technicheskaya Informatsiya 2, 12 (1968)). Message passing does the same, so
that atoms of one colour have equal features after any number of steps (Morris et al., AAAI 33, 4602 (2019)).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lake.compiled import compiled
from ml.graphs.ordering import ranks, sort

EQUAL_ANGSTROM = 1e-9
"""Steps between distances that differ by less are equal but for the last bits."""
ROUND = 1.0 + 1e-6
_1, _2, _3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@compiled
def mixed(x: Any) -> Any:
    """A number of 64 bits in which each bit depends on all bits of another (splitmix64, Steele et al. 2014)."""
    x = np.uint64(x) + _1
    x = (x ^ (x >> _30)) * _2
    x = (x ^ (x >> _27)) * _3
    return x ^ (x >> _31)


@compiled
def cut(ordered: Any, tolerance: float) -> Any:
    """Where ascending distances are divided so that no group is wider than a tolerance.

    A group that is too wide is divided at its largest step, which stands far from any rounding; where several steps
    are equally large, at all of them, so that the last bits do not choose. Rounding to a grid would part distances
    that are equal but for noise.

    Args:
        ordered: (m,), ascending.
        tolerance: the largest width of a group.

    Returns:
        (m,), true where a group begins.
    """
    m = len(ordered)
    begins = np.zeros(m, np.bool_)
    pending = np.empty((m + 2, 2), np.int64)
    n_pending = 0
    begins[0] = True
    start = 0
    for k in range(1, m + 1):
        if k == m or ordered[k] - ordered[k - 1] > tolerance * ROUND:
            if k < m:
                begins[k] = True
            pending[n_pending, 0], pending[n_pending, 1] = start, k
            n_pending += 1
            start = k
    while n_pending:
        n_pending -= 1
        start, end = pending[n_pending, 0], pending[n_pending, 1]
        if ordered[end - 1] - ordered[start] <= tolerance * ROUND:
            continue
        largest = 0.0
        for k in range(start + 1, end):
            largest = max(largest, ordered[k] - ordered[k - 1])
        piece = start
        for k in range(start + 1, end + 1):
            if k == end or ordered[k] - ordered[k - 1] >= largest - EQUAL_ANGSTROM:
                if k < end:
                    begins[k] = True
                pending[n_pending, 0], pending[n_pending, 1] = piece, k
                n_pending += 1
                piece = k
    return begins


@compiled
def unique_distances(found: Any, m: int, tolerance: float, means: Any, which: Any) -> int:
    """The distances that differ, ascending, as means of their groups, and which of them each is.

    Args:
        found: distances in the first column, in any order, (≥ m, 4).
        m: how many there are, at least one.
        tolerance: as for :func:`cut`.
        means: is filled with the distances that differ, (≥ m,).
        which: is filled with which of them each is, (≥ m,).

    Returns:
        How many differ.
    """
    ordered, lowest = np.empty(m), np.empty(m)
    for k in range(m):
        ordered[k] = found[k, 0]
    sort(ordered.view(np.uint64))
    begins = cut(ordered, tolerance)
    n, total, count = 0, 0.0, 0
    for k in range(m):
        if begins[k]:
            lowest[n] = ordered[k]
            n, total, count = n + 1, 0.0, 0
        # About the group's first, so that a supercell's mean is the same but for the last bits.
        total += ordered[k] - lowest[n - 1]
        count += 1
        means[n - 1] = lowest[n - 1] + total / count
    for k in range(m):
        low, high = 0, n
        while high - low > 1:
            middle = (low + high) // 2
            if lowest[middle] <= found[k, 0]:
                low = middle
            else:
                high = middle
        which[k] = low
    return n


@compiled
def colours(numbers: Any, ends: Any, senders: Any, which: Any, colour: Any) -> int:
    """The class of every atom, numbered in a way that does not depend on the order of atoms.

    Args:
        numbers: atomic numbers, (n,).
        ends: where each atom's edges end, (n,).
        senders: (≥ m, 1).
        which: distance of every edge, (≥ m,).
        colour: is filled with classes from 0 on, (n,).

    Returns:
        How many classes there are.
    """
    n = len(numbers)
    signature, ordered, refined = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int64)
    for i in range(n):
        signature[i] = numbers[i]
    n_colours = ranks(signature, colour, ordered)
    while n_colours < n:
        edge = 0
        for i in range(n):
            # A sum does not depend on the order of its terms, and counts equal ones.
            total = np.uint64(0)
            while edge < ends[i]:
                total += mixed((np.uint64(which[edge]) << _32) | np.uint64(colour[senders[edge, 0]]))
                edge += 1
            signature[i] = mixed(mixed(np.uint64(colour[i])) ^ total)
        n_refined = ranks(signature, refined, ordered)
        if n_refined <= n_colours:
            break
        n_colours = n_refined
        for i in range(n):
            colour[i] = refined[i]
    return n_colours
