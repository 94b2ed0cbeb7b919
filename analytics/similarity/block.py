"""All calculations of one material, compared with each other: a dense block of the similarity matrix."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analytics.fingerprints.grid import DosGrid
    from analytics.fingerprints.profiles import Profiles
    from lake.store.lake import Lake

LARGEST_SHIFT_EV = 0.1
PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Block:
    """The calculations of one material against each other.

    Attributes:
        key: the cell_key or reduced_key.
        ids: calculation ids, ordered.
        similarity: Tanimoto coefficients (n, n), symmetric, in the order of ``ids``.
        aligned: the coefficient at the best shift of the energies within ±0.1 eV (n, n); None where the
            grid is not one of densities of states, or where it was not asked for.
        shifts_ev: that shift, of the column against the row (n, n), antisymmetric (eV).
        settings: one row per id; columns of the query `material`.
        set_aside: calculation_id, reason and message of calculations that cannot be compared.
        grid_id: the grid of the fingerprints.
    """

    key: str
    ids: list[str]
    similarity: NDArray[np.float64]
    aligned: NDArray[np.float64] | None
    shifts_ev: NDArray[np.float64] | None
    settings: pa.Table
    set_aside: pa.Table
    grid_id: str


def block_of(lake: Lake, key: str, grid_id: str, *, aligned: bool = True) -> Block:
    """Compare all calculations of a material.

    Args:
        lake: the lake.
        key: a cell_key or a reduced_key.
        grid_id: the grid of the fingerprints.
        aligned: also find the best shift of the energies of every pair (densities of states only).

    Raises:
        InputError: no calculation has that key, more than 20,000 have it, or the grid is of another definition.
    """
    import numpy as np

    from analytics.similarity.members import members_of
    from analytics.similarity.reading import dos_grid, few_tables, profiles_of
    from analytics.similarity.tanimoto import matrix

    with few_tables(lake) as connection:
        members = members_of(connection, key, grid_id)
        ids: list[str] = members.settings["calculation_id"].to_pylist()
        grid = dos_grid(connection, grid_id) if aligned and ids else None
        profiles = profiles_of(connection, ids) if grid else None
    similarity = np.asarray(matrix(members.counts, members.starts, members.stops), dtype=np.float64)
    best, shifts = (None, None) if grid is None or profiles is None else _aligned(profiles, grid, np.diag(similarity))
    return Block(key, ids, similarity, best, shifts, members.settings, members.set_aside, grid_id)


def _aligned(
    profiles: Profiles, grid: DosGrid, diagonal: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Aligned coefficients and shifts of all pairs: computed for i < j and mirrored."""
    import numpy as np

    from analytics.similarity.aligned import aligned_pairs

    n = len(profiles)
    best, shifts = np.diag(diagonal), np.zeros((n, n))
    rows_at_once = max(1, PAIRS_AT_ONCE // n)
    for first in range(0, n, rows_at_once):
        last = min(n, first + rows_at_once)
        left, right = np.nonzero(np.arange(first, last)[:, None] < np.arange(n)[None, :])
        left = left + first
        values, found_ev = aligned_pairs(profiles, left, right, grid, LARGEST_SHIFT_EV, threads=os.cpu_count() or 1)
        best[left, right] = best[right, left] = values
        shifts[left, right], shifts[right, left] = found_ev, -np.asarray(found_ev)
    return best, shifts
