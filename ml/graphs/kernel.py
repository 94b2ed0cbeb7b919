"""Many crystals to graphs, in one compiled loop that holds no lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from lake.compiled import compiled
from ml.graphs.neighbours import neighbours
from ml.graphs.ordering import grown, sort
from ml.graphs.refine import colours, unique_distances


@compiled
def quotient_edges(
    representatives: Any, classes: Any, n_classes: int, n_distances: int, ends: Any, senders: Any, which: Any,
    edges: Any, n: int,
) -> tuple[Any, int]:
    """Append the edges of one atom of every class, equal ones as one with their number.

    Args:
        representatives: one atom of each class, (≥ c,).
        classes: of every atom, (n,).
        n_classes: c.
        n_distances: distances that differ.
        ends: where each atom's edges end, (n,).
        senders: (≥ m, 1).
        which: distance of every edge, (≥ m,).
        edges: rows of sender, receiver, number, distance.
        n: rows that ``edges`` holds.
    """
    for c in range(n_classes):
        i = representatives[c]
        first = 0 if i == 0 else ends[i - 1]
        keys = np.empty(ends[i] - first, np.uint64)
        for k in range(first, ends[i]):
            keys[k - first] = classes[senders[k, 0]] * n_distances + which[k]
        sort(keys)
        edges = grown(edges, n + len(keys))
        for k in range(len(keys)):
            if k > 0 and keys[k] == keys[k - 1]:
                edges[n - 1, 2] += 1
                continue
            key = np.int64(keys[k])
            edges[n, 0] = key // n_distances
            edges[n, 1] = c
            edges[n, 2] = 1
            edges[n, 3] = key % n_distances
            n += 1
    return edges, n


@compiled
def full_edges(
    ends: Any, senders: Any, which: Any, found: Any, axes: Any, edges: Any, vectors: Any, n: int
) -> int:
    """Append every edge by itself, with its vector from sender to receiver, turned back from the cell's frame."""
    edge = 0
    for i in range(len(ends)):
        while edge < ends[i]:
            edges[n, 0] = senders[edge, 0]
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


@compiled
def add_nodes(z: Any, ends: Any, classes: Any, n_classes: int, representatives: Any, nodes: Any, n: int) -> None:
    """Write a node of every class behind the first ``n``, and find an atom of each."""
    for c in range(n_classes):
        representatives[c] = -1
        nodes[n + c, 1] = 0
    for i in range(len(z)):
        c = classes[i]
        if representatives[c] < 0:
            representatives[c] = i
            nodes[n + c, 0] = z[i]
            nodes[n + c, 2] = ends[i] - (0 if i == 0 else ends[i - 1])
        nodes[n + c, 1] += 1


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
        Where each crystal's nodes, edges and distances end (g, 3); nodes: element, atoms,
        neighbours (…, 3); edges: sender, receiver, number, distance (…, 4); distances, Å (…, 1); vectors from sender
        to receiver, Å (…, 3), none for quotient graphs; the atom with which another coincides (g,), -1 if none does.
    """
    n_crystals = len(ends)
    out_ends = np.zeros((n_crystals, 3), np.int64)
    coinciding = np.empty(n_crystals, np.int64)
    nodes = np.empty((len(numbers) + 1, 3), np.int32)
    edges = np.empty((8 * len(numbers) + 64, 4), np.int32)
    distances = np.empty((4 * len(numbers) + 64, 1))
    vectors = np.empty((1, 3), np.float32)
    axes = np.empty((3, 3))
    # Not literals, which numba takes for a type of their own: it would compile what they are passed to twice.
    n_nodes = n_edges = n_distances = n_crystals * 0
    for g in range(n_crystals):
        start = 0 if g == 0 else ends[g - 1]
        z = numbers[start : ends[g]]
        n = len(z)
        atom_ends, classes, representatives = np.zeros(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        if n == 0:
            coinciding[g] = -1
        else:
            found, senders, coinciding[g] = neighbours(
                lattices[g], positions[start : ends[g]], n_neighbours, largest, shell_tolerance, axes, atom_ends
            )
        if n > 0 and coinciding[g] < 0:
            m = atom_ends[n - 1]
            which = np.empty(m, np.int32)
            distances = grown(distances, n_distances + m)
            n_unique = unique_distances(found, m, distance_tolerance, distances[n_distances:, 0], which)
            n_classes = n
            if quotient:
                n_classes = colours(z, atom_ends, senders, which, classes)
            else:
                for i in range(n):
                    classes[i] = i
            add_nodes(z, atom_ends, classes, n_classes, representatives, nodes, n_nodes)
            if quotient:
                edges, n_edges = quotient_edges(
                    representatives, classes, n_classes, n_unique, atom_ends, senders, which, edges, n_edges
                )
            else:
                edges, vectors = grown(edges, n_edges + m), grown(vectors, n_edges + m)
                n_edges = full_edges(atom_ends, senders, which, found, axes, edges, vectors, n_edges)
            n_nodes += n_classes
            n_distances += n_unique
        out_ends[g, 0], out_ends[g, 1], out_ends[g, 2] = n_nodes, n_edges, n_distances
    n_vectors = 0 if quotient else n_edges
    return out_ends, nodes[:n_nodes], edges[:n_edges], distances[:n_distances], vectors[:n_vectors], coinciding
