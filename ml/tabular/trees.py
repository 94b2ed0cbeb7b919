"""A forest of regression trees as plain arrays: checked when it is read, predicted by our own traversal."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import InputError

LEAF = -1
ARRAYS = {"tree_starts": np.int64, "right": np.int32, "feature": np.int16, "number": np.float64}
Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Trees:
    """Trees one after the other, each in depth-first order: the left child of a node is the next node.

    Attributes:
        tree_starts: (n_trees + 1,): the nodes of tree t are ``tree_starts[t]:tree_starts[t + 1]``.
        right: (n_nodes,): the right child, counted from the start of the tree; 0 of a leaf.
        feature: (n_nodes,): the feature that is asked; −1 of a leaf.
        number: (n_nodes,): rows whose feature is at most this go left; of a leaf its value.
    """

    tree_starts: NDArray[np.int64]
    right: NDArray[np.int32]
    feature: NDArray[np.int16]
    number: NDArray[np.float64]

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.tree_starts) - 1

    @property
    def n_nodes(self) -> int:
        """How many nodes all of them have."""
        return len(self.number)

    @classmethod
    def of_sklearn(cls, trees: Sequence[Any]) -> Trees:
        """The arrays of scikit-learn's fitted ``tree_`` objects, grown depth first (``max_leaf_nodes=None``).

        Raises:
            ValueError: a tree is of another order or has several outputs.
        """
        starts = np.concatenate(([0], np.cumsum([tree.node_count for tree in trees]))).astype(np.int64)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        leaf = left == -1
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts))
        if (left[~leaf] != within[~leaf] + 1).any() or any(tree.value.shape[1:] != (1, 1) for tree in trees):
            raise ValueError("The trees are not in depth-first order with one output.")
        value = np.concatenate([tree.value[:, 0, 0] for tree in trees])
        threshold = np.concatenate([tree.threshold for tree in trees])
        feature = np.concatenate([tree.feature for tree in trees])
        return cls(
            starts, np.where(leaf, 0, right).astype(np.int32), np.where(leaf, LEAF, feature).astype(np.int16),
            np.where(leaf, value, threshold).astype(np.float64),
        )

    @classmethod
    def joined(cls, parts: Sequence[Trees]) -> Trees:
        """The trees of several, in their order."""
        sizes = np.concatenate([np.diff(part.tree_starts) for part in parts])
        return cls(
            np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), np.concatenate([p.right for p in parts]),
            np.concatenate([p.feature for p in parts]), np.concatenate([p.number for p in parts]),
        )

    @classmethod
    def of_weights(cls, weights: Weights, n_features: int) -> Trees:
        """Trees from stored arrays, which may come from anywhere: no node leads out of its tree or in a circle.

        Args:
            weights: the arrays of :attr:`weights`.
            n_features: how many features rows will have.

        Raises:
            InputError: they are no forest over that many features.
        """
        bad = sorted(
            name for name, kind in ARRAYS.items()
            if name not in weights or weights[name].dtype != kind or weights[name].ndim != 1
        )
        if bad:
            raise InputError(f"The weights are no forest: {', '.join(bad)} missing or of another type.")
        trees = cls(*(np.require(weights[name], requirements=["C", "W", "A"]) for name in ARRAYS))
        if not trees._is_sound(n_features):
            raise InputError(
                f"The weights are no forest over {n_features} features: nodes lead out of their trees. The file is "
                "damaged or belongs to another model."
            )
        return trees

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The arrays to store."""
        return {name: getattr(self, name) for name in ARRAYS}

    def predict(self, values: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """What every tree says of n rows.

        Args:
            values: (n, n_features), as scikit-learn rounds them.
            threads: how many share the trees; 0 = one per core.

        Returns:
            (n_trees, n); scikit-learn's forest predicts the mean over the first axis.

        Raises:
            InputError: another number of features, or one is not finite.
        """
        from ml.tabular.traversal import traverse

        values = np.require(values, np.float32, ["C", "W", "A"])
        if values.ndim != 2 or values.shape[1] <= self.feature.max(initial=LEAF):
            raise InputError(f"Features of the shape {values.shape} do not fit the forest: it has asked feature "
                             f"{int(self.feature.max(initial=LEAF)) + 1}.")
        if not np.isfinite(values).all():
            raise InputError("A feature is not a finite number: a forest cannot place such a row.")
        predicted = np.empty((self.n_trees, len(values)))
        workers = min(threads or os.cpu_count() or 1, self.n_trees)
        bounds = np.linspace(0, self.n_trees, workers + 1).astype(int)
        arrays = (self.tree_starts, self.right, self.feature, self.number)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda a, b: traverse(values, *arrays, a, b, predicted), bounds[:-1], bounds[1:]))
        return predicted

    def _is_sound(self, n_features: int) -> bool:
        starts, n = self.tree_starts, self.n_nodes
        if len(starts) < 2 or starts[0] != 0 or starts[-1] != n or (np.diff(starts) < 1).any():
            return False
        if len(self.right) != n or len(self.feature) != n:
            return False
        sizes = np.repeat(np.diff(starts), np.diff(starts))
        within = np.arange(n) - np.repeat(starts[:-1], np.diff(starts))
        leaf = self.feature == LEAF
        inner = (self.feature >= 0) & (self.feature < n_features) & (self.right > within + 1) & (self.right < sizes)
        return bool((leaf | inner).all() and np.isfinite(self.number).all())
