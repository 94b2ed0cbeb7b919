"""Greedy threshold clustering of a sparse graph: the largest neighbourhood first.

The clustering of the fingerprint's authors (Kuban et al., Sci. Data 9, 646 (2022)): the point with most neighbours
at or above the threshold becomes a centre, it and its neighbours are taken away, and so on among the rest, until no
two of the rest are neighbours. Ties go to the larger mean similarity with the neighbours that are left (compared
in steps of 2⁻³¹ of their sum), then to the smaller node. It is Butina clustering with reordering; the result does
not depend on the order of the pairs, and every member is a neighbour of its centre.

A node may stand for several points that are alike: `weights` says how many, and the result is that of the graph
in which every one of them is a node of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.compiled import compiled
from analytics.similarity.neighbours import Fixed, Indices, Neighbours, Whole

SINGLE = -1


def greedy(
    graph: Neighbours, weights: Whole | None = None, own: Whole | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cluster the nodes of a graph.

    Args:
        graph: nodes 0 … n − 1 in the order in which ties go, with all pairs at or above the threshold.
        weights: points that each node stands for (n,); default 1.
        own: sum of the :func:`~analytics.similarity.neighbours.fixed` similarities of a node's first point to
            the others it stands for (n,); default 0.

    Returns:
        The cluster of each node (n,), numbered in the order in which they are found, so by size; −1 = single.
        The centre's node (n,); −1 where single.
    """
    n = len(graph.offsets) - 1
    weight = np.ones(n, np.int64) if weights is None else np.asarray(weights, np.int64)
    sums = np.zeros(n, np.int64) if own is None else np.array(own, np.int64)
    clusters, centers = np.full(n, SINGLE, np.int32), np.full(n, SINGLE, np.int32)
    degrees = weight - 1
    _begin(graph.offsets, graph.nodes, graph.similarities, weight, degrees, sums)
    order = np.lexsort((np.arange(n), -sums, -degrees)).astype(np.int32)
    _run(graph.offsets, graph.nodes, graph.similarities, weight, degrees, sums, order, clusters, centers)
    return clusters, centers


@compiled
def _begin(offsets: Whole, nodes: Indices, values: Fixed, weight: Whole, degrees: Whole, sums: Whole) -> None:
    """Neighbours of every node and the sum of their similarities, in points."""
    for node in range(len(degrees)):
        for place in range(offsets[node], offsets[node + 1]):
            other = weight[nodes[place]]
            degrees[node] += other
            sums[node] += other * np.int64(values[place])


@compiled
def _before(a: int, b: int, degree: Whole, total: Whole) -> bool:
    """Whether node a is to be taken before node b."""
    if degree[a] != degree[b]:
        return bool(degree[a] > degree[b])
    if total[a] != total[b]:
        return bool(total[a] > total[b])
    return a < b


@compiled
def _sink(heap: Indices, size: int, degree: Whole, total: Whole) -> None:
    """Move the root of a heap down to where it belongs."""
    place, node = 0, heap[0]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(heap[child + 1], heap[child], degree, total):
            child += 1
        if not _before(heap[child], node, degree, total):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = node


@compiled
def _run(offsets: Whole, nodes: Indices, values: Fixed, weight: Whole, degrees: Whole, sums: Whole,
         heap: Indices, clusters: NDArray[np.int32], centers: NDArray[np.int32]) -> None:
    """Take neighbourhoods from a heap whose keys are as they were when a node was last looked at.

    Degrees only fall, so a key is never too small: a root whose key still holds is the largest of all.
    """
    seen_degrees, seen_sums = degrees.copy(), sums.copy()
    gone = np.zeros(len(degrees), np.bool_)
    taken = np.empty(len(degrees), np.int32)
    size, cluster = len(heap), 0
    while size:
        node = heap[0]
        fresh = seen_degrees[node] == degrees[node] and seen_sums[node] == sums[node]
        if fresh and not gone[node]:
            if degrees[node] == 0:
                return
            _take(node, cluster, offsets, nodes, values, weight, degrees, sums, gone, taken, clusters, centers)
            cluster += 1
        if gone[node]:
            size -= 1
            heap[0] = heap[size]
        else:
            seen_degrees[node], seen_sums[node] = degrees[node], sums[node]
        _sink(heap, size, seen_degrees, seen_sums)


@compiled
def _take(center: int, cluster: int, offsets: Whole, nodes: Indices, values: Fixed, weight: Whole, degrees: Whole,
          sums: Whole, gone: NDArray[np.bool_], taken: Indices, clusters: NDArray[np.int32],
          centers: NDArray[np.int32]) -> None:
    """Make a cluster of a node and the neighbours that are left, and tell all of their neighbours."""
    taken[0] = center
    count = 1
    for place in range(offsets[center], offsets[center + 1]):
        if not gone[nodes[place]]:
            taken[count] = nodes[place]
            count += 1
    for member in taken[:count]:
        gone[member] = True
        clusters[member], centers[member] = cluster, center
    for member in taken[:count]:
        for place in range(offsets[member], offsets[member + 1]):
            other = nodes[place]
            if not gone[other]:
                degrees[other] -= weight[member]
                sums[other] -= weight[member] * np.int64(values[place])
