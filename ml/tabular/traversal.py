"""The inner loop of predicting a forest, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, keeping the machine code where there is a place for it."""
    try:
        return cast(Callable[..., Any], njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba's "no locator available": nowhere to write
        return cast(Callable[..., Any], njit(nogil=True)(function))


@_compiled
def traverse(values: Any, tree_starts: Any, right: Any, feature: Any, number: Any, first: int, last: int,
             predicted: Any) -> None:
    """Fill ``predicted[t, i]`` with the value of the leaf that row i ends in, for trees first to last (not included).

    Rows go left where their feature, in single precision, is at most the threshold in double, as in scikit-learn.
    """
    for tree in range(first, last):
        start = tree_starts[tree]
        for row in range(values.shape[0]):
            node = start
            while feature[node] >= 0:
                if values[row, feature[node]] <= number[node]:
                    node += 1
                else:
                    node = start + right[node]
            predicted[tree, row] = number[node]
