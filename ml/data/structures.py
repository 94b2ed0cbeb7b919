"""The crystals of rows: which of them can be used, and a digest that is the same for the same crystal."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.crystal.formula import ATOMIC_NUMBER

SMALLEST_VOLUME_ANGSTROM3 = 0.1


def structure_digests(rows: pa.Table) -> list[str | None]:
    """SHA-256 of lattice vectors, positions and species of every row; None where the crystal cannot be used.

    Args:
        rows: with ``lattice_vectors_angstrom`` (Å), ``fractional_positions`` and ``species_at_sites``, each row whole
            as `sql/macros/usable_structure.sql` says.

    Returns:
        One per row. None where a species is no element or the cell has no volume.
    """
    n = rows.num_rows
    if n == 0:
        return []
    lattice = _flat(rows, "lattice_vectors_angstrom").reshape(n, 3, 3)
    positions = _flat(rows, "fractional_positions").reshape(-1, 3)
    species = rows["species_at_sites"].combine_chunks()
    ends = np.cumsum(pc.list_value_length(species).to_numpy(zero_copy_only=False))
    numbers = atomic_numbers(pc.list_flatten(species))
    digests: list[str | None] = []
    start = 0
    for end, cell, volume in zip(ends.tolist(), lattice, np.abs(np.linalg.det(lattice)).tolist(), strict=True):
        if volume < SMALLEST_VOLUME_ANGSTROM3 or not numbers[start:end].all():
            digests.append(None)
        else:
            digest = hashlib.sha256(cell.tobytes())
            digest.update(positions[start:end].tobytes())
            digest.update(numbers[start:end].tobytes())
            digests.append(digest.hexdigest())
        start = end
    return digests


def atomic_numbers(symbols: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """The atomic number of every symbol; 0 where it is no element."""
    encoded = symbols.combine_chunks() if isinstance(symbols, pa.ChunkedArray) else symbols
    encoded = encoded.dictionary_encode()
    known = [ATOMIC_NUMBER.get(symbol, 0) for symbol in encoded.dictionary.to_pylist()]
    by_index: npt.NDArray[np.uint8] = np.array(known or [0], dtype=np.uint8)
    numbers: npt.NDArray[np.uint8] = by_index[encoded.indices.to_numpy(zero_copy_only=False)]
    return numbers


def _flat(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    column = pc.list_flatten(pc.list_flatten(rows[name])).combine_chunks()
    # Two zeros of different sign are the same place.
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64) + 0.0
