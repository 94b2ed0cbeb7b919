"""The order of an index: rows halved at the median of their most widely spread number, down to leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.compiled import compiled

_SAMPLE = 512


@compiled
def order_rows(sums: NDArray[np.uint32], totals: NDArray[np.int64], leaf: int) -> NDArray[np.int64]:
    """The order in which rows fill leaves; the same rows always give the same order.

    Args:
        sums: coarse sums, shape (n, segments).
        totals: Σ counts, shape (n,).
        leaf: rows of a leaf; every leaf but the last is full.

    Returns:
        A permutation of 0…n − 1, shape (n,).
    """
    n, segments = sums.shape
    places = np.arange(n)
    keys = np.empty(n, np.int64)
    firsts, lasts = np.empty(128, np.int64), np.empty(128, np.int64)
    firsts[0], lasts[0], depth = 0, n, 1
    while depth:
        depth -= 1
        first, last = firsts[depth], lasts[depth]
        n_leaves = -(-(last - first) // leaf)
        if n_leaves < 2:
            continue
        middle = first + (n_leaves // 2) * leaf
        segment = _widest(sums, totals, places, first, last)
        for place in range(first, last):
            row = places[place]
            keys[place] = totals[row] if segment == segments else sums[row, segment]
        _part(keys, places, first, last - 1, middle)
        firsts[depth], lasts[depth] = first, middle
        firsts[depth + 1], lasts[depth + 1] = middle, last
        depth += 2
    return places


@compiled
def _widest(sums: NDArray[np.uint32], totals: NDArray[np.int64], places: NDArray[np.int64], first: int,
            last: int) -> int:
    """The segment whose sums vary most among some of the rows; the number of segments stands for the total."""
    segments = sums.shape[1]
    step = max((last - first) // _SAMPLE, 1)
    best, widest = -1.0, int(segments)
    for segment in range(segments + 1):
        mean, squares = 0.0, 0.0
        for n, place in enumerate(range(first, last, step)):
            row = places[place]
            value = float(totals[row]) if segment == segments else float(sums[row, segment])
            change = value - mean
            mean += change / (n + 1)
            squares += change * (value - mean)
        if squares > best:
            best, widest = squares, segment
    return widest


@compiled
def _part(keys: NDArray[np.int64], places: NDArray[np.int64], low: int, high: int, middle: int) -> None:
    """Put the smaller keys before ``middle`` (Hoare's quickselect with the median of three)."""
    while low < high:
        a, b, c = keys[low], keys[(low + high) // 2], keys[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                places[i], places[j] = places[j], places[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return
