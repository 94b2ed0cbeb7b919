"""The kernel of the all-pairs search: leaves against leaves, rows against leaves, rows against rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.bounds import coefficient_of, least_shared, units, upper_coefficient
from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Counts, Whole
from analytics.similarity.vector import LEAF, SEGMENTS, bits, lowest_bit, overlap, shared, survivors

Sums = NDArray[np.uint16]


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
    n, n_leaves = 0, len(b_highs)
    own = np.empty((LEAF, SEGMENTS), np.uint16)
    while state[0] * LEAF < last:
        a_leaf = state[0]
        low, high = max(first, a_leaf * LEAF), min(last, (a_leaf + 1) * LEAF)
        if state[1] < 0:
            state[1], state[2] = a_leaf if same else 0, low
        own[:] = a_sums[a_leaf].T
        for group in range(state[1] // LEAF, -(-n_leaves // LEAF)):
            begin = max(state[1], group * LEAF)
            mask = _leaves(a_highs, a_lowest[a_leaf], a_highest[a_leaf], a_leaf, b_highs, b_high_groups, b_lowest,
                           b_highest, group, begin, shift, threshold)
            while mask:
                b_leaf = group * LEAF + lowest_bit(mask)
                mask &= mask - np.uint64(1)
                begin = state[2] if b_leaf == state[1] else low
                need = units(least_shared(threshold, a_lowest[a_leaf] + b_lowest[b_leaf]), shift)
                rows = survivors(a_sums, a_leaf, b_highs, b_leaf, need) & bits(begin, high)
                if not rows or not survivors(b_sums, b_leaf, a_highs, a_leaf, need):
                    continue
                n, row = _rows(a_counts, a_totals, a_order, own, rows, a_leaf, high, b_counts, b_totals, b_order,
                               b_sums, b_highs, b_lowest[b_leaf], b_leaf, shift, same and a_leaf == b_leaf,
                               threshold, n, left, right, similarity)
                if row < high:
                    state[1], state[2] = b_leaf, row
                    return n
        state[0], state[1] = a_leaf + 1, -1
    return n


@compiled
def _leaves(a_highs: Sums, a_lowest: int, a_highest: int, a_leaf: int, b_highs: Sums, b_high_groups: Sums,
            b_lowest: Whole, b_highest: Whole, group: int, begin: int, shift: int, threshold: float) -> np.uint64:
    """Which leaves of a group, from leaf ``begin`` on, may hold a partner of a row of a leaf of a: one bit each."""
    found, end = np.uint64(0), min((group + 1) * LEAF, len(b_highs))
    need = units(least_shared(threshold, a_lowest + b_lowest[begin:end].min()), shift)
    mask = survivors(b_high_groups, group, a_highs, a_leaf, need) & bits(begin, end)
    while mask:
        bit = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        leaf = group * LEAF + bit
        most = min(overlap(a_highs, a_leaf, b_highs, leaf) << shift, min(a_highest, b_highest[leaf]))
        if upper_coefficient(most, a_lowest + b_lowest[leaf]) >= threshold:
            found |= np.uint64(1) << np.uint64(bit)
    return found


@compiled
def _rows(a_counts: Counts, a_totals: Whole, a_order: Whole, own: Sums, rows: np.uint64, a_leaf: int, end: int,
          b_counts: Counts, b_totals: Whole, b_order: Whole, b_sums: Sums, b_highs: Sums, b_lowest: int, b_leaf: int,
          shift: int, later: bool, threshold: float, n: int, left: Whole, right: Whole,
          similarity: NDArray[np.float64]) -> tuple[int, int]:
    """Append the partners of rows of a leaf of a (one bit each) in a leaf of b; of those only the ``later`` ones.

    Returns:
        The new number of pairs, and the row that did not fit any more, or ``end``.
    """
    while rows:
        bit = lowest_bit(rows)
        rows &= rows - np.uint64(1)
        i = a_leaf * LEAF + bit
        need = units(least_shared(threshold, a_totals[i] + b_lowest), shift)
        if overlap(own, bit, b_highs, b_leaf) < need:
            continue
        mask = survivors(b_sums, b_leaf, own, bit, need)
        if later:
            mask &= bits(bit + 1, LEAF)
        if mask and n + LEAF > len(left):
            return n, i
        while mask:
            j = b_leaf * LEAF + lowest_bit(mask)
            mask &= mask - np.uint64(1)
            both = a_totals[i] + b_totals[j]
            value = coefficient_of(shared(a_counts, i, b_counts, j, both), both)
            if value >= threshold:
                left[n], right[n], similarity[n] = a_order[i], b_order[j], value
                n += 1
    return n, end
