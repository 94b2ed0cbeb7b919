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

COINCIDE_ANGSTROM = 0.1
"""Atoms closer than this are no two atoms: the shortest bond there is, of H₂, is 0.74 Å."""
BINNED_FROM = 96
"""Cells of at least so many atoms are sorted into bins first; below, looking at every pair is faster."""
ROUND = 1.0 + 1e-6
"""Tolerances and lattice parameters are round numbers, so that a difference may be a tolerance but for the last bit."""


@compiled
def reduce_cell(lattice: Any, positions: Any) -> tuple[Any, Any]:
    """Shorter vectors of the same lattice, ascending in length, and the positions in them, within the cell.

    Args:
        lattice: (3, 3), rows a, b, c, Å.
        positions: (n, 3), fractional.
    """
    cell = lattice.copy()
    places = positions - np.floor(positions)
    for _ in range(1_000):
        changed = False
        for i in range(3):
            for j in range(3):
                if i == j:
                    continue
                square = (cell[j] * cell[j]).sum()
                times = np.rint((cell[i] * cell[j]).sum() / square)
                if times != 0.0:
                    shorter = cell[i] - times * cell[j]
                    if (shorter * shorter).sum() < (1.0 - 1e-12) * (cell[i] * cell[i]).sum():
                        cell[i] = shorter
                        places[:, j] += times * places[:, i]
                        changed = True
        if not changed:
            break
    for last in (2, 1, 2):
        if (cell[last - 1] ** 2).sum() > (cell[last] ** 2).sum():
            for k in range(3):
                cell[last - 1, k], cell[last, k] = cell[last, k], cell[last - 1, k]
            for n in range(len(places)):
                places[n, last - 1], places[n, last] = places[n, last], places[n, last - 1]
    return cell, places - np.floor(places)


@compiled
def frame(cell: Any) -> tuple[Any, Any]:
    """The cell as a lower triangle, and the axes in which it is one: ``cell = triangle @ axes``."""
    triangle = np.zeros((3, 3))
    axes = np.zeros((3, 3))
    for i in range(3):
        rest = cell[i].copy()
        for j in range(i):
            triangle[i, j] = (cell[i] * axes[j]).sum()
            rest -= triangle[i, j] * axes[j]
        triangle[i, i] = math.sqrt((rest * rest).sum())
        axes[i] = rest / triangle[i, i]
    return triangle, axes


@compiled
def bins_of(places: Any, heights: Any, width: float) -> tuple[Any, Any, Any, Any]:
    """The atoms sorted into bins of about the given width.

    Args:
        places: (n, 3), fractional, within the cell.
        heights: (3,), distances between opposite faces of the cell, Å.
        width: of a bin, Å.

    Returns:
        Bins along each vector (3,), each atom's bin (n, 3), atoms by bin (n,), where each bin starts in them.
    """
    n = len(places)
    grid = np.ones(3, dtype=np.int64)
    if n >= BINNED_FROM:
        most = int(2.0 * n ** (1 / 3))
        for axis in range(3):
            grid[axis] = max(1, min(most, int(heights[axis] / width)))
    place = np.empty((n, 3), dtype=np.int64)
    starts = np.zeros(grid[0] * grid[1] * grid[2] + 1, dtype=np.int64)
    for i in range(n):
        for axis in range(3):
            place[i, axis] = min(grid[axis] - 1, int(places[i, axis] * grid[axis]))
        starts[(place[i, 0] * grid[1] + place[i, 1]) * grid[2] + place[i, 2] + 1] += 1
    starts = np.cumsum(starts)
    cursor = starts.copy()
    atoms = np.empty(n, dtype=np.int64)
    for i in range(n):
        at = (place[i, 0] * grid[1] + place[i, 1]) * grid[2] + place[i, 2]
        atoms[cursor[at]] = i
        cursor[at] += 1
    return grid, place, atoms, starts


@compiled
def images(of: Any, other: Any, itself: bool, triangle: Any, radius: float, found: Any, n: int) -> int:
    """Append the images of one atom within a radius of another to ``found``; returns how many it then holds.

    Where ``found`` is too short the rest is counted but not kept.
    """
    square = radius * radius
    z2 = other[2] - of[2]
    reach2 = radius / triangle[2, 2]
    for s2 in range(math.ceil(-reach2 - z2), math.floor(reach2 - z2) + 1):
        x2 = (z2 + s2) * triangle[2, 2]
        left2 = square - x2 * x2
        if left2 < 0.0:
            continue
        z1 = other[1] - of[1] + (z2 + s2) * triangle[2, 1] / triangle[1, 1]
        reach1 = math.sqrt(left2) / triangle[1, 1]
        for s1 in range(math.ceil(-reach1 - z1), math.floor(reach1 - z1) + 1):
            x1 = (z1 + s1) * triangle[1, 1]
            left1 = left2 - x1 * x1
            if left1 < 0.0:
                continue
            at = (other[1] - of[1] + s1) * triangle[1, 0] + (z2 + s2) * triangle[2, 0]
            z0 = other[0] - of[0] + at / triangle[0, 0]
            reach0 = math.sqrt(left1) / triangle[0, 0]
            for s0 in range(math.ceil(-reach0 - z0), math.floor(reach0 - z0) + 1):
                if itself and s0 == 0 and s1 == 0 and s2 == 0:
                    continue
                if n < len(found):
                    x0 = (z0 + s0) * triangle[0, 0]
                    found[n, 0] = math.sqrt(x0 * x0 + x1 * x1 + x2 * x2)
                    found[n, 1] = x0
                    found[n, 2] = x1
                    found[n, 3] = x2
                n += 1
    return n


@compiled
def around(
    i: int, places: Any, triangle: Any, heights: Any, grid: Any, place: Any, atoms: Any, starts: Any, radius: float,
    found: Any, senders: Any,
) -> int:
    """All atoms within a radius of atom ``i``, as :func:`images` appends them; returns how many there are."""
    n = 0
    span = np.empty((3, 2), dtype=np.int64)
    for axis in range(3):
        reach = int(radius * grid[axis] / heights[axis]) + 1
        if 2 * reach + 1 >= grid[axis]:
            span[axis, 0] = 0
            span[axis, 1] = grid[axis]
        else:
            span[axis, 0] = place[i, axis] - reach
            span[axis, 1] = place[i, axis] + reach + 1
    for b0 in range(span[0, 0], span[0, 1]):
        for b1 in range(span[1, 0], span[1, 1]):
            for b2 in range(span[2, 0], span[2, 1]):
                at = ((b0 % grid[0]) * grid[1] + b1 % grid[1]) * grid[2] + b2 % grid[2]
                for k in range(starts[at], starts[at + 1]):
                    j = atoms[k]
                    before = n
                    n = images(places[i], places[j], i == j, triangle, radius, found, n)
                    senders[before : min(n, len(senders))] = j
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
        last = max(0, int(np.searchsorted(distances, largest * ROUND)) - 1)
    while last + 1 < n and distances[last + 1] - distances[last] <= tolerance * ROUND:
        last += 1
    if distances[last] + tolerance * ROUND > radius:
        return -1.0
    return float(distances[last] + 0.5 * tolerance)


@compiled
def neighbours(
    lattice: Any, positions: Any, n_neighbours: int, largest: float, tolerance: float
) -> tuple[Any, Any, Any, Any, int]:
    """The neighbours of every atom in full shells; see :func:`shells`.

    Args:
        lattice: (3, 3), rows a, b, c, Å, with a volume.
        positions: (n, 3), fractional.
        n_neighbours: how many neighbours at least.
        largest: Å.
        tolerance: Å.

    Returns:
        Where each atom's edges end (n,); sender of every edge (m,); its distance and the vector from receiver to
        sender, in a frame of the cell's own (m, 4), Å; the axes of that frame (3, 3); an atom with which another
        coincides, -1 if none does.
    """
    n = len(positions)
    cell, places = reduce_cell(lattice, positions)
    triangle, axes = frame(cell)
    volume = triangle[0, 0] * triangle[1, 1] * triangle[2, 2]
    heights = np.empty(3)
    for axis in range(3):
        one, two = cell[(axis + 1) % 3], cell[(axis + 2) % 3]
        heights[axis] = volume / math.sqrt((one * one).sum() * (two * two).sum() - (one * two).sum() ** 2)
    # A sphere of the crystal's density with some more atoms than are asked for.
    radius = (3.0 * (1.25 * n_neighbours + 6.0) * volume / (4.0 * math.pi * n)) ** (1 / 3)
    most = largest * ROUND + 4.0 * tolerance
    radius = min(radius, most)
    grid, place, atoms, starts = bins_of(places, heights, 0.5 * radius)
    found = np.empty((16 * n_neighbours + 256, 4))
    senders = np.empty(len(found), dtype=np.int64)
    ends = np.empty(n, dtype=np.int64)
    edges = np.empty((n * (n_neighbours + n_neighbours // 2 + 8), 4))
    edge_senders = np.empty(len(edges), dtype=np.int32)
    n_edges = 0
    for i in range(n):
        while True:
            n_found = around(i, places, triangle, heights, grid, place, atoms, starts, radius, found, senders)
            if n_found > len(found):
                found = np.empty((2 * n_found, 4))
                senders = np.empty(2 * n_found, dtype=np.int64)
                continue
            reach = shells(np.sort(found[:n_found, 0]), radius, n_neighbours, largest, tolerance)
            if reach > 0.0:
                break
            radius = most if 0.8 * most < radius < most else 1.25 * radius + 2.0 * tolerance
        while n_edges + n_found > len(edges):
            edges = np.concatenate((edges, np.empty_like(edges)))
            edge_senders = np.concatenate((edge_senders, np.empty_like(edge_senders)))
        for k in range(n_found):
            if found[k, 0] <= reach:
                if found[k, 0] < COINCIDE_ANGSTROM:
                    return ends, edge_senders, edges, axes, i
                edges[n_edges] = found[k]
                edge_senders[n_edges] = senders[k]
                n_edges += 1
        ends[i] = n_edges
        # Most atoms of a crystal see about as far as the one before.
        radius = 1.1 * reach + 2.0 * tolerance
    return ends, edge_senders[:n_edges], edges[:n_edges], axes, -1
