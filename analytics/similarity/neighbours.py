"""The pairs at or above a threshold as a graph: each node with its neighbours, compressed row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.compiled import compiled

Indices = NDArray[np.int32]
Whole = NDArray[np.int64]
Fixed = NDArray[np.uint32]

FIXED_ONE = 1 << 31
"""Similarity 1 as a whole number: sums of whole numbers do not depend on their order, so ties are exact."""


def fixed(similarity: NDArray[np.float64]) -> Fixed:
    """Similarities as multiples of 2⁻³¹."""
    return np.rint(similarity * FIXED_ONE).astype(np.uint32)


@dataclass(frozen=True)
class Neighbours:
    """An undirected graph.

    Attributes:
        offsets: where a node's neighbours begin (n + 1,).
        nodes: the neighbours (2 · pairs,), each pair from both sides.
        similarities: the similarity to each of them, as :func:`fixed` gives it.
    """

    offsets: Whole
    nodes: Indices
    similarities: Fixed

    @classmethod
    def of(cls, n: int, left: Indices, right: Indices, similarity: NDArray[np.float64]) -> Neighbours:
        """The graph of pairs (m,), each listed once.

        Raises:
            ValueError: a node outside 0 … n − 1, or a pair of a node with itself.
        """
        left, right = np.asarray(left, np.int32), np.asarray(right, np.int32)
        if len(left) and (min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= n):
            raise ValueError(f"pairs name nodes outside 0 … {n - 1}")
        if (left == right).any():
            raise ValueError("a node is paired with itself")
        degrees = np.bincount(left, minlength=n) + np.bincount(right, minlength=n)
        offsets = np.zeros(n + 1, np.int64)
        np.cumsum(degrees, out=offsets[1:])
        nodes, similarities = np.empty(2 * len(left), np.int32), np.empty(2 * len(left), np.uint32)
        _fill(left, right, fixed(np.asarray(similarity, np.float64)), offsets[:-1].copy(), nodes, similarities)
        return cls(offsets, nodes, similarities)


@compiled
def _fill(left: Indices, right: Indices, values: Fixed, ends: Whole, nodes: Indices, similarities: Fixed) -> None:
    """Write every pair behind what its two nodes have so far; ``ends`` is used up."""
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        nodes[ends[a]], similarities[ends[a]] = b, values[pair]
        nodes[ends[b]], similarities[ends[b]] = a, values[pair]
        ends[a] += 1
        ends[b] += 1
