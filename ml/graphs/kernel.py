"""Many crystals to graphs, in one compiled loop that holds no lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from lake.compiled import compiled
from ml.graphs.neighbours import neighbours
from ml.graphs.refine import colours, unique_distances


@compiled
def grown(array: Any, n: int) -> Any:
    """The array with room for ``n`` rows at least."""
    if n <= len(array):
        return array
    larger = np.empty((max(n, 2 * len(array)), array.shape[1]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def quotient_edges(
    representatives: Any, classes: Any, n_distances: int, ends: Any, senders: Any, which: Any, edges: Any, n: int
) -> tuple[Any, int]:
    """Append the edges of one atom of every class, equal ones as one with their number.

    Args:
        representatives: one atom of each class, (c,).
        classes: of every atom, (n,).
        n_distances: distances that differ.
        ends: where each atom's edges end, (n,).
        senders: (m,).
        which: distance of every edge, (m,).
        edges: rows of sender, receiver, number, distance.
        n: rows that ``edges`` holds.
    """
    for c in range(len(representatives)):
        i = representatives[c]
        first = 0 if i == 0 else ends[i - 1]
        keys = np.empty(ends[i] - first, dtype=np.int64)
        for k in range(first, ends[i]):
            keys[k - first] = np.int64(classes[senders[k]]) * n_distances + which[k]
        keys = np.sort(keys)
        edges = grown(edges, n + len(keys))
        for k in range(len(keys)):
            if k > 0 and keys[k] == keys[k - 1]:
                edges[n - 1, 2] += 1
                continue
            edges[n, 0] = keys[k] // n_distances
            edges[n, 1] = c
            edges[n, 2] = 1
            edges[n, 3] = keys[k] % n_distances
            n += 1
    return edges, n


@compiled
def build(
    lattices: Any, positions: Any, numbers: Any, ends: Any, quotient: bool, n_neighbours: int, largest: float,
    shell_tolerance: float, distance_tolerance: float,
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """The graphs of crystals that are laid end to end.

    Args:
        lattices: (g, 3, 3), rows a, b, c, Å, each with a volume.
        positions: (n, 3), fractional.
        numbers: atomic numbers, (n,).
        ends: where each crystal's atoms end, (g,).
        quotient: whether atoms of one class are one node.
        n_neighbours: see :class:`ml.graphs.settings.GraphSettings`.
        largest: Å.
        shell_tolerance: Å.
        distance_tolerance: Å.

    Returns:
        Where each crystal's nodes, edges and distances end (g, 3), -1 where atoms coincide; nodes: element, atoms,
        neighbours (…, 3); edges: sender, receiver, number, distance (…, 4); distances, Å (…, 1); vectors from sender
        to receiver, Å (…, 3), none for quotient graphs; the atom with which another coincides (g,), -1 if none does.
    """
    n_crystals = len(ends)
    out_ends = np.zeros((n_crystals, 3), dtype=np.int64)
    coinciding = np.full(n_crystals, -1, dtype=np.int64)
    nodes = np.empty((len(numbers) + 1, 3), dtype=np.int32)
    edges = np.empty((8 * len(numbers) + 64, 4), dtype=np.int32)
    distances = np.empty((4 * len(numbers) + 64, 1))
    vectors = np.empty((1, 3), dtype=np.float32)
    n_nodes = n_edges = n_distances = 0
    for g in range(n_crystals):
        start = 0 if g == 0 else ends[g - 1]
        z = numbers[start : ends[g]]
        atom_ends, senders, found, axes, wrong = neighbours(
            lattices[g], positions[start : ends[g]], n_neighbours, largest, shell_tolerance
        )
        if wrong >= 0:
            coinciding[g] = wrong
            out_ends[g] = n_nodes, n_edges, n_distances
            continue
        means, which = unique_distances(found[:, 0].copy(), distance_tolerance)
        distances = grown(distances, n_distances + len(means))
        distances[n_distances : n_distances + len(means), 0] = means
        n_distances += len(means)
        if quotient:
            classes, n_classes = colours(z, atom_ends, senders, which)
        else:
            classes, n_classes = np.arange(len(z)), len(z)
        representatives = np.full(n_classes, -1, dtype=np.int64)
        nodes = grown(nodes, n_nodes + n_classes)
        nodes[n_nodes : n_nodes + n_classes, 1] = 0
        for i in range(len(z)):
            c = classes[i]
            if representatives[c] < 0:
                representatives[c] = i
                nodes[n_nodes + c, 0] = z[i]
                nodes[n_nodes + c, 2] = atom_ends[i] - (0 if i == 0 else atom_ends[i - 1])
            nodes[n_nodes + c, 1] += 1
        n_nodes += n_classes
        if quotient:
            edges, n_edges = quotient_edges(
                representatives, classes, len(means), atom_ends, senders, which, edges, n_edges
            )
        else:
            edges = grown(edges, n_edges + len(senders))
            vectors = grown(vectors, n_edges + len(senders))
            n_edges = full_edges(atom_ends, senders, which, found, axes, edges, vectors, n_edges)
        out_ends[g] = n_nodes, n_edges, n_distances
    vectors = vectors[:0] if quotient else vectors[:n_edges]
    return out_ends, nodes[:n_nodes], edges[:n_edges], distances[:n_distances], vectors, coinciding


@compiled
def full_edges(
    ends: Any, senders: Any, which: Any, found: Any, axes: Any, edges: Any, vectors: Any, n: int
) -> int:
    """Append every edge by itself, with its vector from sender to receiver, turned back from the cell's frame."""
    edge = 0
    for i in range(len(ends)):
        while edge < ends[i]:
            edges[n, 0] = senders[edge]
            edges[n, 1] = i
            edges[n, 2] = 1
            edges[n, 3] = which[edge]
            for axis in range(3):
                vectors[n, axis] = -(
                    found[edge, 1] * axes[0, axis] + found[edge, 2] * axes[1, axis] + found[edge, 3] * axes[2, axis]
                )
            n += 1
            edge += 1
    return n
