"""Sorting and growing arrays in kernels: few lines, as each is compiled anew on every machine.

NumPy's own sort takes numba three seconds to compile for every dtype, and array expressions take nearly as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lake.compiled import compiled

GAPS = (701_112, 311_605, 138_491, 61_551, 27_356, 12_158, 5_403, 2_401, 1_067, 474, 210, 93, 41, 18, 8, 3, 1)
"""Of Shell's sort, near to Ciura's and continued by 2.25: as fast as a quick sort for a few hundred values."""


@compiled
def sort(values: Any) -> None:
    """Sort unsigned integers in place, ascending (floats that are not negative may be viewed as such)."""
    for gap in GAPS:
        for i in range(gap, len(values)):
            value = values[i]
            j = i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value


@compiled
def ranks(values: Any, rank: Any, ordered: Any) -> int:
    """The rank of every value among those that differ; returns how many differ.

    Args:
        values: (n,) uint64.
        rank: is filled with the ranks, (n,).
        ordered: room for n values.
    """
    n = len(values)
    for k in range(n):
        ordered[k] = values[k]
    sort(ordered[:n])
    n_different = 0
    for k in range(n):
        if k == 0 or ordered[k] != ordered[n_different - 1]:
            ordered[n_different] = ordered[k]
            n_different += 1
    for k in range(n):
        low, high = 0, n_different
        while high - low > 1:
            middle = (low + high) // 2
            if ordered[middle] <= values[k]:
                low = middle
            else:
                high = middle
        rank[k] = low
    return n_different


@compiled
def grown(array: Any, n: int) -> Any:
    """The array with room for ``n`` rows at least."""
    if n <= array.shape[0]:
        return array
    larger = np.empty((max(n, 2 * array.shape[0]), array.shape[1]), array.dtype)
    for i in range(array.shape[0]):
        for j in range(array.shape[1]):
            larger[i, j] = array[i, j]
    return larger
