"""The kernel of the all-pairs search: leaves against leaves, rows against leaves, rows against rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.bounds import coefficient_of, least_shared, upper_coefficient
from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Counts, Whole
from analytics.similarity.vector import LEAF, SEGMENTS, lowest_bit, overlap, shared, survivors

Sums = NDArray[np.uint16]
_LARGEST = 65535


@compiled
def scan(a_counts: Counts, a_totals: Whole, a_sums: Sums, a_highs: Sums, a_lowest: Whole, a_highest: Whole,
         a_order: Whole, b_counts: Counts, b_totals: Whole, b_sums: Sums, b_highs: Sums, b_high_groups: Sums,
         b_lowest: Whole, b_highest: Whole, b_order: Whole, shift: int, same: bool, threshold: float, first: int,
         last: int, state: Whole, left: Whole, right: Whole, similarity: NDArray[np.float64]) -> int:
    """Fill a chunk with pairs and return how many there are.

    Arrays named a and b are the fields of two parts; ``same`` says that they are one part, whose pairs are to be
    found once. Rows first…last of a are compared. ``state`` holds the leaf of a, the leaf of b (−1: not begun) and
    the row of a with which to go on; it ends at the leaf behind ``last``.
    """
    n, room = 0, len(left) - LEAF
    own = np.empty((LEAF, SEGMENTS), np.uint16)
    while state[0] * LEAF < last:
        a_leaf = state[0]
        low, high = max(first, a_leaf * LEAF), min(last, (a_leaf + 1) * LEAF)
        for row in range(LEAF):
            for segment in range(SEGMENTS):
                own[row, segment] = a_sums[a_leaf, segment, row]
        if state[1] < 0:
            state[1], state[2] = a_leaf if same else 0, low
        while state[1] < len(b_highs):
            if state[2] == low:
                state[1] = _next_leaf(a_highs, a_lowest, a_highest, a_leaf, b_highs, b_high_groups, b_lowest,
                                      b_highest, state[1], shift, threshold)
                if state[1] == len(b_highs):
                    break
            b_leaf = state[1]
            for i in range(state[2], high):
                if n > room:
                    state[2] = i
                    return n
                n = _row(a_counts, a_totals, a_order, own, i, b_counts, b_totals, b_order, b_sums, b_highs, b_lowest,
                         b_leaf, shift, same and a_leaf == b_leaf, threshold, n, left, right, similarity)
            state[1], state[2] = b_leaf + 1, low
        state[0], state[1] = a_leaf + 1, -1
    return n


@compiled
def _next_leaf(a_highs: Sums, a_lowest: Whole, a_highest: Whole, a_leaf: int, b_highs: Sums, b_high_groups: Sums,
               b_lowest: Whole, b_highest: Whole, b_leaf: int, shift: int, threshold: float) -> int:
    """The first leaf of b from ``b_leaf`` on that may hold a partner of a row of a leaf of a."""
    n_leaves = len(b_highs)
    while b_leaf < n_leaves:
        group = b_leaf // LEAF
        lowest = b_lowest[b_leaf]
        for leaf in range(b_leaf, min((group + 1) * LEAF, n_leaves)):
            lowest = min(lowest, b_lowest[leaf])
        need = units(least_shared(threshold, a_lowest[a_leaf] + lowest), shift)
        if need <= _LARGEST:
            mask = survivors(b_high_groups, group, a_highs, a_leaf, need)
            mask &= ~np.uint64(0) << np.uint64(b_leaf % LEAF)
            while mask:
                leaf: int = group * LEAF + lowest_bit(mask)
                most = min(overlap(a_highs, a_leaf, b_highs, leaf) << shift, min(a_highest[a_leaf], b_highest[leaf]))
                if upper_coefficient(most, a_lowest[a_leaf] + b_lowest[leaf]) >= threshold:
                    return leaf
                mask &= mask - np.uint64(1)
        b_leaf = (group + 1) * LEAF
    return n_leaves


@compiled
def _row(a_counts: Counts, a_totals: Whole, a_order: Whole, own: Sums, i: int, b_counts: Counts, b_totals: Whole,
         b_order: Whole, b_sums: Sums, b_highs: Sums, b_lowest: Whole, b_leaf: int, shift: int, later: bool,
         threshold: float, n: int, left: Whole, right: Whole, similarity: NDArray[np.float64]) -> int:
    """Append the partners of a row within a leaf (of those ``later`` than it); returns the new number of pairs."""
    need = units(least_shared(threshold, a_totals[i] + b_lowest[b_leaf]), shift)
    if need > _LARGEST or overlap(own, i % LEAF, b_highs, b_leaf) < need:
        return n
    mask = survivors(b_sums, b_leaf, own, i % LEAF, need)
    if later:
        # Two shifts, as a shift by 64 is undefined.
        mask &= ~np.uint64(0) << np.uint64(i % LEAF) << np.uint64(1)
    while mask:
        j = b_leaf * LEAF + lowest_bit(mask)
        mask &= mask - np.uint64(1)
        both = a_totals[i] + b_totals[j]
        value = coefficient_of(shared(a_counts, i, b_counts, j, both), both)
        if value >= threshold:
            left[n], right[n], similarity[n] = a_order[i], b_order[j], value
            n += 1
    return n


@compiled
def units(need: int, shift: int) -> int:
    """What must be shared, in units of coarse sums: rounded up, as coarse sums are whole units."""
    return (need + (1 << shift) - 1) >> shift
