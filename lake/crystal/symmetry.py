"""Space groups, for every source with the same tool and tolerance (moyo, symprec 0.1 Å)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

import numpy as np

from lake.crystal.cells import Cells, Floats, Ints

SYMPREC_ANGSTROM = 0.1
MOST_WORK = 1_000_000_000
"""Largest (atoms of the rarest element)² × (atoms) that is searched. At this bound (a noisy supercell of 1,000
equal atoms) moyo takes some ten seconds, and the time grows with the product; beyond it the space group is null."""
CHECKED_FROM_SITES = 65
"""From this size on cells are searched for overlapping atoms first: moyo fails on them, after minutes."""

# moyo warns through logging about cells that are not primitive and tolerances that it adapts; its failures come
# as exceptions. Levels are set before its first message, which is when it looks them up.
for _name in ("moyo", "moyopy"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@cache
def tool() -> str:
    """Program, version and tolerance, as the column ``symmetry_tool`` records them."""
    import moyopy

    return f"moyopy {moyopy.__version__}, symprec {SYMPREC_ANGSTROM} Å"


def space_group(
    lattice: Sequence[Sequence[float]], positions: Sequence[Sequence[float]], numbers: Sequence[int]
) -> int | None:
    """The space-group number of one cell, or None where none can be found (see :func:`space_groups`).

    Args:
        lattice: 3 × 3, rows a, b, c in Å.
        positions: n × 3, fractional.
        numbers: n atomic numbers.
    """
    cell = Cells(
        [0],
        np.asarray(lattice, dtype=np.float64).reshape(1, 3, 3),
        np.asarray(positions, dtype=np.float64).reshape(-1, 3),
        np.asarray(numbers, dtype=np.int64),
        np.array([len(numbers)], dtype=np.int64),
    )
    return space_groups(cell)[0]


def space_groups(cells: Cells) -> list[int | None]:
    """The space-group number of every cell.

    Null where atoms overlap, where the search fails, and where the cell is so large (see
    :data:`MOST_WORK`) that it could take minutes. Atoms are moved so that one of the rarest element is at the
    origin: near the tolerance moyo's answer depends on the origin, and so it does not.
    """
    if not len(cells):
        return []
    moved, rarest = _at_common_origin(cells)
    lattices, positions, numbers = cells.lattices.tolist(), moved.tolist(), cells.numbers.tolist()
    work = (rarest.astype(np.float64) ** 2 * cells.counts).tolist()
    result: list[int | None] = []
    start = 0
    for lattice, end, cost in zip(lattices, cells.ends.tolist(), work, strict=True):
        large = end - start >= CHECKED_FROM_SITES
        if cost > MOST_WORK or (large and _overlap(np.array(lattice), moved[start:end])):
            result.append(None)
        else:
            result.append(_ask_moyo(lattice, positions[start:end], numbers[start:end]))
        start = end
    return result


def _ask_moyo(lattice: list[list[float]], positions: list[list[float]], numbers: list[int]) -> int | None:
    import moyopy

    try:
        cell = moyopy.Cell(lattice, positions, numbers)
        return int(moyopy.MoyoDataset(cell, symprec=SYMPREC_ANGSTROM).number)
    except BaseException as error:
        # A panic in the compiled library is no Exception; a failed search is a plain ValueError.
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return None


def _at_common_origin(cells: Cells) -> tuple[Floats, Ints]:
    """Positions with the first atom of each cell's rarest element at 0, and how many atoms that element has."""
    cell_of_site = np.repeat(np.arange(len(cells)), cells.counts)
    kinds, first, count = np.unique(
        cell_of_site * 128 + cells.numbers, return_index=True, return_counts=True
    )
    cell_of_kind = kinds // 128
    order = np.lexsort((kinds, count, cell_of_kind))
    rarest = order[np.searchsorted(cell_of_kind[order], np.arange(len(cells)))]
    moved = cells.positions - cells.positions[first[rarest]][cell_of_site]
    return moved - np.floor(moved), count[rarest]


def _overlap(lattice: Floats, positions: Floats) -> bool:
    """Whether any two atoms, or an atom and a periodic image, are closer than the tolerance.

    Args:
        lattice: 3 × 3 in Å.
        positions: n × 3, fractional, within [0, 1].
    """
    from scipy.spatial import cKDTree

    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    margin = SYMPREC_ANGSTROM / heights
    if (margin >= 0.5).any():
        return True
    images = [positions]
    for step in np.ndindex(3, 3, 3):
        shifted = positions + np.array(step) - 1
        near = ((shifted > -margin) & (shifted < 1 + margin)).all(axis=1)
        if step != (1, 1, 1):
            images.append(shifted[near])
    # The nearest to each atom is itself, at distance 0.
    distances = np.asarray(cKDTree(np.concatenate(images) @ lattice).query(positions @ lattice, k=2)[0])
    return bool((distances[:, 1] < SYMPREC_ANGSTROM).any())
