"""The inner loop of predicting a forest, compiled."""

from __future__ import annotations

from typing import Any

from lake.compiled import compiled


@compiled
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
