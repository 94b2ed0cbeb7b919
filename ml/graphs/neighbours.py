"""The neighbours of every atom in full shells, in any cell.

The lattice vectors are reduced by pairs, so that a skewed cell costs no more than a plain one; then the images of
each atom within a sphere are enumerated line by line as Fincke and Pohst do (Math. Comput. 44, 463 (1985)), which
meets hardly any point outside. The radius follows the crystal: from the density first, then from the atom before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lake.compiled import compiled
from ml.graphs.cell import bins_of, frame, heights_of, reduce_cell
from ml.graphs.ordering import grown, sort

COINCIDE_ANGSTROM = 0.1
"""Atoms closer than this are no two atoms: the shortest bond there is, of H₂, is 0.74 Å."""
ROUND = 1.0 + 1e-6
"""Tolerances and lattice parameters are round numbers, so that a difference may be a tolerance but for the last bit."""


@compiled
def images(
    places: Any, i: int, j: int, triangle: Any, radius: float, found: Any, senders: Any, n: int
) -> int:
    """Append the images of atom ``j`` within a radius of atom ``i``; returns how many are found then.

    Those beyond the end of ``found`` are counted but not kept.
    """
    square = radius * radius
    d0, d1, d2 = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1], places[j, 2] - places[i, 2]
    reach = radius / triangle[2, 2]
    for s2 in range(math.ceil(-reach - d2), math.floor(reach - d2) + 1):
        z2 = d2 + s2
        x2 = z2 * triangle[2, 2]
        left2 = square - x2 * x2
        if left2 < 0.0:
            continue
        at = d1 + z2 * triangle[2, 1] / triangle[1, 1]
        reach = math.sqrt(left2) / triangle[1, 1]
        for s1 in range(math.ceil(-reach - at), math.floor(reach - at) + 1):
            x1 = (at + s1) * triangle[1, 1]
            left1 = left2 - x1 * x1
            if left1 < 0.0:
                continue
            on = d0 + ((d1 + s1) * triangle[1, 0] + z2 * triangle[2, 0]) / triangle[0, 0]
            reach = math.sqrt(left1) / triangle[0, 0]
            for s0 in range(math.ceil(-reach - on), math.floor(reach - on) + 1):
                if i == j and s0 == 0 and s1 == 0 and s2 == 0:
                    continue
                if n < len(senders):
                    x0 = (on + s0) * triangle[0, 0]
                    found[n, 0] = math.sqrt(x0 * x0 + x1 * x1 + x2 * x2)
                    found[n, 1] = x0
                    found[n, 2] = x1
                    found[n, 3] = x2
                    senders[n] = j
                n += 1
    return n


@compiled
def around(
    i: int, places: Any, triangle: Any, heights: Any, grid: Any, place: Any, atoms: Any, starts: Any, radius: float,
    found: Any, senders: Any,
) -> int:
    """All atoms within a radius of atom ``i``, as :func:`images` appends them; returns how many there are."""
    n = int(radius) * 0  # no literal, which would be a type of its own
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for axis in range(3):
        reach = int(radius * grid[axis] / heights[axis]) + 1
        is_all = 2 * reach + 1 >= grid[axis]
        first[axis] = 0 if is_all else place[i, axis] - reach
        last[axis] = grid[axis] if is_all else place[i, axis] + reach + 1
    for b0 in range(first[0], last[0]):
        for b1 in range(first[1], last[1]):
            for b2 in range(first[2], last[2]):
                at = ((b0 % grid[0]) * grid[1] + b1 % grid[1]) * grid[2] + b2 % grid[2]
                for k in range(starts[at], starts[at + 1]):
                    n = images(places, i, atoms[k], triangle, radius, found, senders, n)
    return n


@compiled
def shells(distances: Any, radius: float, n_neighbours: int, largest: float, tolerance: float) -> float:
    """How far an atom's neighbours reach, or -1 where a larger radius must be searched.

    Args:
        distances: of all atoms within ``radius``, ascending, Å.
        radius: how far was searched, Å.
        n_neighbours: shells are taken up to the one that holds the so-many-th.
        largest: shells that begin beyond it are left out, but for the nearest.
        tolerance: the largest step between neighbours of one shell.

    Returns:
        A distance in the gap behind the last shell.
    """
    n = len(distances)
    last = n_neighbours - 1
    if n < n_neighbours or distances[last] > largest * ROUND:
        if radius < largest * ROUND or n == 0:
            return -1.0
        last = min(last, n - 1)
        while last > 0 and distances[last] > largest * ROUND:
            last -= 1
    while last + 1 < n and distances[last + 1] - distances[last] <= tolerance * ROUND:
        last += 1
    if distances[last] + tolerance * ROUND > radius:
        return -1.0
    return float(distances[last] + 0.5 * tolerance)


@compiled
def neighbours(
    lattice: Any, positions: Any, n_neighbours: int, largest: float, tolerance: float, axes: Any, ends: Any
) -> tuple[Any, Any, int]:
    """The neighbours of every atom in full shells; see :func:`shells`.

    Args:
        lattice: (3, 3), rows a, b, c, Å, with a volume.
        positions: (n, 3), fractional.
        n_neighbours: how many neighbours at least.
        largest: Å.
        tolerance: Å.
        axes: is filled with the axes of the frame in which vectors are, (3, 3).
        ends: is filled with where each atom's edges end, (n,).

    Returns:
        Distance of every edge and its vector from receiver to sender, in that frame, Å, (≥ m, 4); its sender
        (≥ m, 1); an atom with which another coincides, -1 if none does.
    """
    n = len(positions)
    cell, places = lattice.copy(), positions.copy()
    triangle, heights = np.empty((3, 3)), np.empty(3)
    reduce_cell(cell, places)
    frame(cell, triangle, axes)
    volume = triangle[0, 0] * triangle[1, 1] * triangle[2, 2]
    heights_of(cell, volume, heights)
    most = largest * ROUND + 4.0 * tolerance
    # A sphere of the crystal's density with some more atoms than are asked for.
    radius = min(most, (3.0 * (1.25 * n_neighbours + 6.0) * volume / (4.0 * math.pi * n)) ** (1 / 3))
    grid, place, atoms = np.empty(3, np.int64), np.empty((n, 3), np.int64), np.empty(n, np.int64)
    starts = bins_of(places, heights, 0.5 * radius, grid, place, atoms)
    n_room = 16 * n_neighbours + 256
    found, senders, ordered = np.empty((n_room, 4)), np.empty(n_room, np.int32), np.empty(n_room)
    n_edges = n * (n_neighbours + n_neighbours // 2 + 8)
    edges, edge_senders = np.empty((n_edges, 4)), np.empty((n_edges, 1), np.int32)
    n_edges = 0
    for i in range(n):
        reach = -1.0
        while reach < 0.0:
            n_found = around(i, places, triangle, heights, grid, place, atoms, starts, radius, found, senders)
            if n_found > n_room:
                n_room = 2 * n_found
                found, senders, ordered = np.empty((n_room, 4)), np.empty(n_room, np.int32), np.empty(n_room)
                continue
            for k in range(n_found):
                ordered[k] = found[k, 0]
            sort(ordered[:n_found].view(np.uint64))
            reach = shells(ordered[:n_found], radius, n_neighbours, largest, tolerance)
            if reach < 0.0:
                radius = most if 0.8 * most < radius < most else 1.25 * radius + 2.0 * tolerance
        if ordered[0] < COINCIDE_ANGSTROM:
            return edges, edge_senders, i
        edges, edge_senders = grown(edges, n_edges + n_found), grown(edge_senders, n_edges + n_found)
        for k in range(n_found):
            if found[k, 0] <= reach:
                for column in range(4):
                    edges[n_edges, column] = found[k, column]
                edge_senders[n_edges, 0] = senders[k]
                n_edges += 1
        ends[i] = n_edges
        # Most atoms of a crystal see about as far as the one before.
        radius = 1.1 * reach + 2.0 * tolerance
    return edges, edge_senders, -1
