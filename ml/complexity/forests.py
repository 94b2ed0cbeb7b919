"""Leaves and splits of a forest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml.complexity.counts import Counts
from ml.tabular.trees import LEAF

if TYPE_CHECKING:
    from ml.tabular.trees import Trees


def forest_counts(trees: Trees) -> Counts:
    """Counts of a forest.

    A: values of leaves. N: thresholds of splits, one a split. A binary tree of n leaves has n − 1 splits, so that a
    forest has 2 × leaves − trees parameters. L: none; the mean over trees has no coefficients of its own.
    """
    leaves = int((trees.feature == LEAF).sum())
    return Counts(n_additive=leaves, n_nonlinear=trees.n_nodes - leaves, n_trees=trees.n_trees, n_leaves=leaves)


def depths(trees: Trees) -> npt.NDArray[np.int64]:
    """How many splits lie above every node (n_nodes,); 0 = the root of a tree."""
    found = np.zeros(trees.n_nodes, dtype=np.int64)
    starts = np.repeat(trees.tree_starts[:-1], np.diff(trees.tree_starts))
    splits = np.flatnonzero(trees.feature != LEAF)
    level = trees.tree_starts[:-1][trees.feature[trees.tree_starts[:-1]] != LEAF]
    depth = 0
    inner = np.zeros(trees.n_nodes, dtype=bool)
    inner[splits] = True
    while len(level):
        depth += 1
        children = np.concatenate([level + 1, starts[level] + trees.right[level]])
        found[children] = depth
        level = children[inner[children]]
    return found


def nodes_by_depth(trees: Trees) -> npt.NDArray[np.float64]:
    """Nodes of a tree, in the mean, if it were cut at a depth: entry d is for ``max_depth=d``."""
    return np.asarray(np.cumsum(np.bincount(depths(trees))) / trees.n_trees, dtype=np.float64)
