"""A start for networks: the part of a target that is a sum of one number per element.

Most of the spread of formation energies is that of composition. A network that starts from the best such sum learns
what is left, and needs a fraction of the steps (the per-element references of K. T. Schütt et al., SchNetPack, J. Chem.
Theory Comput. 15, 448 (2019); there summed over atoms, here averaged, as targets are per atom).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.structures import atomic_numbers

RIDGE = 1.0
"""In materials: an element in one pure material keeps half of what it would get."""

Floats = npt.NDArray[np.float64]


def element_terms(rows: pa.Table, actual: Floats) -> dict[int, float]:
    """One number per element, so that the mean over the atoms of a crystal is near its target (ridge regression).

    Args:
        rows: n crystals with ``species_at_sites``; of training alone.
        actual: their targets (n,).

    Returns:
        Atomic number → in the unit of the target, for all elements of the rows.
    """
    numbers, shares = _shares(rows)
    known = np.flatnonzero(np.bincount(numbers[1], minlength=119))
    if not len(known):
        return {}
    column = np.zeros(119, dtype=np.int64)
    column[known] = np.arange(len(known))
    dense = np.zeros((rows.num_rows, len(known)))
    np.add.at(dense, (numbers[0], column[numbers[1]]), shares)
    centre = float(np.mean(actual))
    gram = dense.T @ dense + RIDGE * np.eye(len(known))
    values = np.linalg.solve(gram, dense.T @ (np.asarray(actual) - centre)) + centre
    return {int(number): float(value) for number, value in zip(known, values, strict=True)}


def summed(rows: pa.Table, terms: Mapping[int, float]) -> Floats:
    """The mean of the terms over the atoms of every crystal (n,); an element without one counts 0.

    Args:
        rows: n crystals with ``species_at_sites``.
        terms: atomic number → value.
    """
    numbers, shares = _shares(rows)
    values = np.zeros(119)
    for number, value in terms.items():
        values[number] = value
    return np.bincount(numbers[0], shares * values[numbers[1]], minlength=rows.num_rows).astype(np.float64)


def _shares(rows: pa.Table) -> tuple[npt.NDArray[np.int64], Floats]:
    """Row and atomic number of every atom (2, atoms), and the share of its crystal that it is."""
    species = rows["species_at_sites"].combine_chunks()
    lengths = pc.list_value_length(species).to_numpy(zero_copy_only=False).astype(np.int64)
    row = np.repeat(np.arange(rows.num_rows), lengths)
    numbers = atomic_numbers(pc.list_flatten(species)).astype(np.int64)
    return np.stack([row, numbers]), np.repeat(1 / np.maximum(lengths, 1), lengths)
