"""The cell in which neighbours are looked for: short vectors, as a lower triangle, atoms sorted into bins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lake.compiled import compiled

BINNED_FROM = 96
"""Cells of at least so many atoms are sorted into bins first; below, looking at every pair is faster."""


@compiled
def dot(a: Any, i: int, b: Any, j: int) -> float:
    """The product of row ``i`` of one matrix with row ``j`` of another."""
    return float(a[i, 0] * b[j, 0] + a[i, 1] * b[j, 1] + a[i, 2] * b[j, 2])


@compiled
def wrap(places: Any) -> None:
    """Bring fractional positions into the cell, in place."""
    for n in range(len(places)):
        for k in range(3):
            places[n, k] -= math.floor(places[n, k])


@compiled
def reduce_cell(cell: Any, places: Any) -> None:
    """Shorten lattice vectors by each other, in place, ascending in length, and the positions with them.

    Args:
        cell: (3, 3), rows a, b, c, Å.
        places: (n, 3), fractional; they end within the cell.
    """
    wrap(places)
    for _ in range(1_000):
        changed = False
        for pair in range(9):
            i, j = pair // 3, pair % 3
            times = 0.0 if i == j else round(dot(cell, i, cell, j) / dot(cell, j, cell, j))
            if times == 0.0:
                continue
            before = dot(cell, i, cell, i)
            after = before - 2.0 * times * dot(cell, i, cell, j) + times * times * dot(cell, j, cell, j)
            if after >= (1.0 - 1e-9) * before:
                continue
            changed = True
            for k in range(3):
                cell[i, k] -= times * cell[j, k]
            for n in range(len(places)):
                places[n, j] += times * places[n, i]
        if not changed:
            break
    for last in (2, 1, 2):
        if dot(cell, last - 1, cell, last - 1) > dot(cell, last, cell, last):
            for k in range(3):
                cell[last - 1, k], cell[last, k] = cell[last, k], cell[last - 1, k]
            for n in range(len(places)):
                places[n, last - 1], places[n, last] = places[n, last], places[n, last - 1]
    wrap(places)


@compiled
def frame(cell: Any, triangle: Any, axes: Any) -> None:
    """Write the cell as a lower triangle and the axes in which it is one: ``cell = triangle @ axes``."""
    for i in range(3):
        for k in range(3):
            axes[i, k] = cell[i, k]
            triangle[i, k] = 0.0
        for j in range(i):
            triangle[i, j] = dot(cell, i, axes, j)
            for k in range(3):
                axes[i, k] -= triangle[i, j] * axes[j, k]
        triangle[i, i] = math.sqrt(dot(axes, i, axes, i))
        for k in range(3):
            axes[i, k] /= triangle[i, i]


@compiled
def heights_of(cell: Any, volume: float, heights: Any) -> None:
    """Write the distances between opposite faces of the cell, Å, (3,)."""
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        area = dot(cell, i, cell, i) * dot(cell, j, cell, j) - dot(cell, i, cell, j) ** 2
        heights[axis] = volume / math.sqrt(area)


@compiled
def bins_of(places: Any, heights: Any, width: float, grid: Any, place: Any, atoms: Any) -> Any:
    """Sort the atoms into bins.

    Args:
        places: (n, 3), fractional, within the cell.
        heights: (3,), distances between opposite faces of the cell, Å.
        width: of a bin, about, Å.
        grid: is filled with the number of bins along each vector, (3,).
        place: is filled with each atom's bin, (n, 3).
        atoms: is filled with the atoms by bin, (n,).

    Returns:
        Where each bin starts in ``atoms``.
    """
    n = len(places)
    most = int(2.0 * n ** (1 / 3)) if n >= BINNED_FROM else 1
    for axis in range(3):
        grid[axis] = max(1, min(most, int(heights[axis] / width)))
    starts = np.zeros(grid[0] * grid[1] * grid[2] + 2, np.int64)
    for i in range(n):
        for axis in range(3):
            place[i, axis] = min(grid[axis] - 1, int(places[i, axis] * grid[axis]))
        starts[(place[i, 0] * grid[1] + place[i, 1]) * grid[2] + place[i, 2] + 2] += 1
    for k in range(2, len(starts)):
        starts[k] += starts[k - 1]
    # One further than it will be: each entry ends where the next begins once its atoms are in.
    for i in range(n):
        at = (place[i, 0] * grid[1] + place[i, 1]) * grid[2] + place[i, 2] + 1
        atoms[starts[at]] = i
        starts[at] += 1
    return starts
