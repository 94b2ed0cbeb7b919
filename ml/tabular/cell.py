"""Features of the cell that do not depend on which cell of the crystal was taken."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import InputError

# The last space group of each crystal system, International Tables for Crystallography A.
SYSTEMS = {
    "triclinic": 2, "monoclinic": 15, "orthorhombic": 74, "tetragonal": 142, "trigonal": 167, "hexagonal": 194,
    "cubic": 230,
}
CELL_NAMES = ("volume_angstrom3_per_atom", "spacegroup_number", *(f"crystal_system {s}" for s in SYSTEMS))


def cell_features(rows: pa.Table) -> NDArray[np.float64]:
    """Volume per atom, space group and crystal system.

    Args:
        rows: n rows with ``lattice_vectors_angstrom``, ``n_sites``, ``spacegroup_number``.

    Returns:
        (n, 9), columns as in :data:`CELL_NAMES`.

    Raises:
        InputError: a row lacks one of them, or its cell has no volume or no atoms.
    """
    for name in ("lattice_vectors_angstrom", "n_sites", "spacegroup_number"):
        absent = rows[name].null_count if name in rows.column_names else rows.num_rows
        if absent:
            raise InputError(
                f"{absent} of {rows.num_rows} rows have no {name}, which the features composition+cell need: leave "
                "these rows out, or take the features composition."
            )
    n_sites, groups = rows["n_sites"].to_numpy(), rows["spacegroup_number"].to_numpy()
    if (n_sites < 1).any() or (groups < 1).any() or (groups > SYSTEMS["cubic"]).any():
        raise InputError("A row's cell has no atoms, or its space group is none from 1 to 230: leave such rows out.")
    volumes = _volumes_angstrom3(rows["lattice_vectors_angstrom"]) / n_sites
    systems = np.searchsorted(list(SYSTEMS.values()), groups)
    return np.column_stack((volumes, groups, np.eye(len(SYSTEMS))[systems]))


def _volumes_angstrom3(lattices: pa.ChunkedArray) -> NDArray[np.float64]:
    """The cells' volumes in Å³."""
    lengths = pc.list_value_length(pc.list_flatten(lattices)).to_numpy()
    flat = pc.list_flatten(pc.list_flatten(lattices))
    whole = bool((pc.list_value_length(lattices).to_numpy() == 3).all() and (lengths == 3).all())
    if not whole or flat.null_count:
        raise InputError("Not every cell has three lattice vectors of three numbers: leave such rows out.")
    volumes: NDArray[np.float64] = np.abs(np.linalg.det(flat.to_numpy().reshape(-1, 3, 3)))
    bad = ~(np.isfinite(volumes) & (volumes > 0))
    if bad.any():
        raise InputError(f"{bad.sum()} of {len(bad)} cells have no volume: leave these rows out.")
    return volumes
