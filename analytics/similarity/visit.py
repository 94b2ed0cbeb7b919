"""The kernel of the search for the most similar rows: leaves in the order of their bound, best rows in a heap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.bounds import coefficient_of, least_shared, units, upper_coefficient
from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Counts, Whole
from analytics.similarity.vector import LEAF, bits, lowest_bit, overlap, shared, survivors

Sums = NDArray[np.uint16]
Floats = NDArray[np.float64]
_BINS = 1024
_LARGEST = 65535


@compiled
def visit(counts: Counts, totals: Whole, sums: Sums, highs: Sums, lowest: Whole, highest: Whole, order: Whole,
          shift: int, query: Counts, query_total: int, query_sums: Sums, cover: Counts, outside: Sums, without: int,
          numbers: Whole, coefficients: Floats, n: int) -> int:
    """Put the best rows of a part into a heap whose first element is the worst of them; returns its size.

    ``query`` (1, padded width) is zero outside the columns on which it is compared; ``cover``, of the same shape,
    is the largest count in those columns and zero elsewhere, or empty (0, …) where these are all columns.
    ``outside`` (1, SEGMENTS) is 65535 for a segment that is not wholly compared and zero for others.
    """
    room, cover_total = len(numbers), cover.astype(np.int64).sum()
    bounds, least = _leaf_bounds(highs, lowest, highest, shift, query_total, query_sums, outside)
    for leaf in _descending(bounds):
        if n == room and bounds[leaf] < coefficients[0]:
            continue
        worst = coefficients[0] if n == room else 0.0
        # Of both totals, or of the union, which holds the whole query (the same argument as for least_shared).
        need = max(least_shared(worst, query_total + least[leaf]), int(worst * query_total) - 1)
        in_units = units(need, shift)
        if in_units > _LARGEST:
            continue
        mask = survivors(sums, leaf, query_sums, 0, in_units) & bits(leaf * LEAF, min((leaf + 1) * LEAF, len(order)))
        while mask:
            row = leaf * LEAF + lowest_bit(mask)
            mask &= mask - np.uint64(1)
            common = shared(counts, row, query, 0, query_total + totals[row])
            if common < need or order[row] == without:
                continue
            # min(count, largest count) = count: the same instructions sum up a row over the columns compared.
            total = shared(counts, row, cover, 0, cover_total + totals[row]) if len(cover) else totals[row]
            n = _keep(numbers, coefficients, n, order[row], coefficient_of(common, query_total + total))
    return n


@compiled
def _leaf_bounds(highs: Sums, lowest: Whole, highest: Whole, shift: int, query_total: int, query_sums: Sums,
                 outside: Sums) -> tuple[Floats, Whole]:
    """An upper bound of the coefficients of each leaf's rows, and a lower bound of their totals where compared."""
    bounds, least = np.empty(len(highs)), np.empty(len(highs), np.int64)
    for leaf in range(len(highs)):
        most = min(overlap(query_sums, 0, highs, leaf) << shift, min(query_total, highest[leaf]))
        least[leaf] = max(lowest[leaf] - (overlap(outside, 0, highs, leaf) << shift), 0)
        bounds[leaf] = upper_coefficient(most, query_total + max(least[leaf], most))
    return bounds, least


@compiled
def _descending(bounds: Floats) -> Whole:
    """Places in the order of falling bounds, equal within 1/_BINS: what is left of that order costs no answer."""
    first = np.zeros(_BINS + 1, np.int64)
    for bound in bounds:
        first[_BINS - int(bound * (_BINS - 1))] += 1
    first = np.cumsum(first)
    places = np.empty(len(bounds), np.int64)
    for place in range(len(bounds)):
        bin_before = _BINS - 1 - int(bounds[place] * (_BINS - 1))
        places[first[bin_before]] = place
        first[bin_before] += 1
    return places


@compiled
def _worse(value: float, number: int, other_value: float, other_number: int) -> bool:
    """Whether a row ranks behind another one."""
    return value < other_value or (value == other_value and number > other_number)


@compiled
def _keep(numbers: Whole, coefficients: Floats, n: int, number: int, value: float) -> int:
    """Add a row to the heap, or put it in the place of the worst one; returns the size of the heap."""
    if n < len(numbers):
        place = n
        while place and _worse(value, number, coefficients[(place - 1) // 2], numbers[(place - 1) // 2]):
            coefficients[place], numbers[place] = coefficients[(place - 1) // 2], numbers[(place - 1) // 2]
            place = (place - 1) // 2
        coefficients[place], numbers[place] = value, number
        return n + 1
    if _worse(value, number, coefficients[0], numbers[0]):
        return n
    place = 0
    while 2 * place + 1 < n:
        child = 2 * place + 1
        if child + 1 < n and _worse(coefficients[child + 1], numbers[child + 1], coefficients[child], numbers[child]):
            child += 1
        if not _worse(coefficients[child], numbers[child], value, number):
            break
        coefficients[place], numbers[place] = coefficients[child], numbers[child]
        place = child
    coefficients[place], numbers[place] = value, number
    return n
