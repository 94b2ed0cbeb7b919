"""Ranges of flat arrays copied one after the other: some graphs of a store, a batch of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lake.compiled import compiled
from ml.graphs.graphs import Graphs, Ints

Array = npt.NDArray[Any]

OFFSETS = {"node": "node_offsets", "edge": "edge_offsets", "distance": "distance_offsets"}


@compiled
def copy_ranges(source: Any, starts: Any, counts: Any, target: Any) -> None:
    """Copy ranges of an array of bytes, one after the other, to another."""
    n = 0
    for k in range(len(starts)):
        for at in range(starts[k], starts[k] + counts[k]):
            target[n] = source[at]
            n += 1


def ranges_of(array: Array, starts: Ints, counts: Ints) -> Array:
    """Ranges of the rows of an array, one after the other."""
    made = np.empty((int(counts.sum()), *array.shape[1:]), array.dtype)
    width = array.itemsize * int(np.prod(array.shape[1:]))
    copy_ranges(array.reshape(-1).view(np.uint8), starts * width, counts * width, made.reshape(-1).view(np.uint8))
    return made


def taken(graphs: Graphs, places: Ints) -> Graphs:
    """The graphs at some places, in that order."""
    arrays: dict[str, Any] = {"sha256s": graphs.sha256s[places], "n_atoms": graphs.n_atoms[places]}
    for name, array in graphs.arrays().items():
        kind = name.partition("_")[0]
        if kind not in OFFSETS or name.endswith("_offsets"):
            continue
        offsets = getattr(graphs, OFFSETS[kind])
        starts, counts = offsets[places], np.diff(offsets)[places]
        arrays[name] = ranges_of(array, starts, counts)
        arrays[OFFSETS[kind]] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Graphs(graphs.settings, **arrays)


def batch_arrays(
    places: Ints, counts: Ints, starts: Ints, flat: tuple[Array, ...], vectors: Array | None
) -> tuple[tuple[Array, ...], Array | None]:
    """The graphs at some places as one: numbers of nodes, edges and distances counted through.

    Args:
        places: (g,).
        counts: nodes, edges and distances of every graph of the store, (n, 3).
        starts: where they start, (n, 3).
        flat: z, weight and degree of nodes; sender, receiver, weight and distance of edges; distances.
        vectors: of edges, (edges, 3).

    Returns:
        z, weight, graph and degree of nodes; sender, receiver, weight and distance of edges; distances. And vectors.

    Raises:
        IndexError: a place is not there.
    """
    z, weight, degree, sender, receiver, edge_weight, edge_distance, distance = flat
    if len(places) and places.min() < 0:
        raise IndexError(f"There is no graph at place {places.min()}.")
    n_nodes, n_edges, n_distances = counts[places].sum(axis=0).tolist()
    number = weight.dtype
    made = (
        np.empty(n_nodes, np.int64), np.empty(n_nodes, number), np.empty(n_nodes, np.int64), np.empty(n_nodes, number),
        np.empty(n_edges, np.int64), np.empty(n_edges, np.int64), np.empty(n_edges, number),
        np.empty(n_edges, np.int64), np.empty(n_distances, number),
    )
    gather_batch(places, counts, starts, z, weight, degree, sender, receiver, edge_weight, edge_distance, distance,
                 *made)
    if vectors is None:
        return made, None
    return made, ranges_of(vectors, starts[places, 1], counts[places, 1])


@compiled
def gather_batch(
    places: Any, counts: Any, starts: Any, z: Any, weight: Any, degree: Any, sender: Any, receiver: Any,
    edge_weight: Any, edge_distance: Any, distance: Any, to_z: Any, to_weight: Any, to_graph: Any, to_degree: Any,
    to_sender: Any, to_receiver: Any, to_edge_weight: Any, to_edge_distance: Any, to_distance: Any,
) -> None:
    """Fill the arrays of a batch; see :func:`batch_arrays`."""
    node = edge = length = 0
    for g in range(len(places)):
        place = places[g]
        first_node, first_length = node, length
        for k in range(starts[place, 0], starts[place, 0] + counts[place, 0]):
            to_z[node] = z[k]
            to_weight[node] = weight[k]
            to_degree[node] = degree[k]
            to_graph[node] = g
            node += 1
        for k in range(starts[place, 2], starts[place, 2] + counts[place, 2]):
            to_distance[length] = distance[k]
            length += 1
        for k in range(starts[place, 1], starts[place, 1] + counts[place, 1]):
            to_sender[edge] = first_node + sender[k]
            to_receiver[edge] = first_node + receiver[k]
            to_edge_weight[edge] = edge_weight[k]
            to_edge_distance[edge] = first_length + edge_distance[k]
            edge += 1
