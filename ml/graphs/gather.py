"""Ranges of flat arrays copied one after the other: some graphs of a store, a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.compiled import compiled
from ml.graphs.graphs import Graphs, Ints

Array = npt.NDArray[Any]

OFFSETS = {"node": "node_offsets", "edge": "edge_offsets", "distance": "distance_offsets"}


@compiled
def copy_ranges(source: Any, starts: Any, counts: Any, target: Any, to: Any) -> None:
    """Copy ranges of one array to places of another."""
    for k in range(len(starts)):
        for n in range(counts[k]):
            target[to[k] + n] = source[starts[k] + n]


def copy_rows(source: Array, starts: Ints, counts: Ints, target: Array, to: Ints) -> None:
    """Copy ranges of the rows of one array to places of another, as words: one kernel serves nearly all types."""
    n_bytes = source.itemsize * int(np.prod(source.shape[1:]))
    word = np.uint8 if n_bytes % 4 else np.uint32
    width = n_bytes // np.dtype(word).itemsize
    words, made = source.reshape(-1).view(word), target.reshape(-1).view(word)
    copy_ranges(words, starts * width, counts * width, made, to * width)


def ranges_of(array: Array, starts: Ints, counts: Ints) -> Array:
    """Ranges of the rows of an array, one after the other."""
    made = np.empty((int(counts.sum()), *array.shape[1:]), array.dtype)
    copy_rows(array, starts, counts, made, np.cumsum(counts) - counts)
    return made


def gathered(stores: Sequence[Graphs], which: Ints, places: Ints) -> Graphs:
    """Graphs of several stores of the same settings, copied once.

    Args:
        stores: at least one.
        which: the store of every wanted graph, (n,).
        places: its place there, (n,).
    """
    here = [np.flatnonzero(which == number) for number in range(len(stores))]
    arrays: dict[str, Any] = {}
    counts = {kind: np.zeros(len(which), np.int64) for kind in OFFSETS}
    for kind, name in OFFSETS.items():
        for store, wanted in zip(stores, here, strict=True):
            counts[kind][wanted] = np.diff(getattr(store, name))[places[wanted]]
        arrays[name] = np.concatenate([[0], np.cumsum(counts[kind])]).astype(np.int64)
    for name, like in stores[0].arrays().items():
        if name in arrays:
            continue
        kind = name.partition("_")[0]
        flat = kind in OFFSETS
        made = np.empty((int(arrays[OFFSETS[kind]][-1]) if flat else len(which), *like.shape[1:]), like.dtype)
        for store, wanted in zip(stores, here, strict=True):
            if not flat:
                made[wanted] = getattr(store, name)[places[wanted]]
            elif len(wanted):
                starts = getattr(store, OFFSETS[kind])[places[wanted]]
                copy_rows(getattr(store, name), starts, counts[kind][wanted], made, arrays[OFFSETS[kind]][wanted])
        arrays[name] = made
    return Graphs(stores[0].settings, **arrays)


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
