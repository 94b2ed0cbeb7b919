"""Structures of a batch as flat arrays: checked all at once, the bad ones rejected one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.crystal.formula import ATOMIC_NUMBER
from lake.sources.batch import Batch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_VOLUME_ANGSTROM3 = 1e-3
"""Cells with less volume per atom than this are no crystals."""
SMALLEST_VOLUME_SHARE = 1e-8
"""Volume over the product of the vectors' lengths; below this they lie in one plane, as far as doubles tell."""
LARGEST_COMPONENT = 1e6
"""Lattice components (Å) and fractional coordinates beyond this are no measurement."""


class BadStructureError(ValueError):
    """A structure that is none; the message says why."""


@dataclass(frozen=True)
class Cells:
    """Crystals laid end to end.

    Attributes:
        index: which record of the batch each cell is, shape (m,).
        lattices: rows a, b, c in Å, shape (m, 3, 3).
        positions: fractional, all cells one after the other, shape (n, 3).
        numbers: atomic numbers, shape (n,).
        counts: atoms in each cell, shape (m,).
    """

    index: list[int]
    lattices: Floats
    positions: Floats
    numbers: Ints
    counts: Ints

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def ends(self) -> Ints:
        """Where each cell's atoms end in ``positions`` and ``numbers``, shape (m,)."""
        return np.cumsum(self.counts)

    @property
    def volumes(self) -> Floats:
        """Cell volumes in Å³, shape (m,)."""
        volumes: Floats = np.abs(np.linalg.det(self.lattices))
        return volumes


def gather(batch: Batch) -> Cells:
    """The structures of a batch that are crystals; the others are rejected as ``bad_structure``.

    Records that have neither lattice nor positions are passed over: they have no structure to be bad.
    """
    lattice_column = batch.column("lattice_vectors_angstrom")
    position_column = batch.column("fractional_positions")
    species_column = batch.column("species_at_sites")
    given = [
        index
        for index in range(len(batch))
        if index not in batch.rejects
        and not (lattice_column[index] is None and position_column[index] is None)
    ]
    lattices = _matrices(batch, "lattice_vectors_angstrom", given, lattice_column)
    positions = _matrices(batch, "fractional_positions", given, position_column)
    numbers: dict[int, list[int]] = {}
    for index in given:
        if index in batch.rejects:
            continue
        try:
            if len(lattices[index]) != 3:
                raise BadStructureError(f"lattice_vectors_angstrom: {len(lattices[index])} vectors, 3 are needed")
            numbers[index] = _atomic_numbers(species_column[index], len(positions[index]))
        except BadStructureError as error:
            batch.reject(index, "bad_structure", str(error))
    return _sound(batch, lay_out(lattices, positions, numbers))


def lay_out(lattices: dict[int, Floats], positions: dict[int, Floats], numbers: dict[int, list[int]]) -> Cells:
    """Cells from matrices by record, those of ``numbers``, unchecked."""
    index = list(numbers)
    return Cells(
        index,
        np.array([lattices[i] for i in index], dtype=np.float64).reshape(-1, 3, 3),
        np.concatenate([positions[i] for i in index]) if index else np.empty((0, 3)),
        np.fromiter(chain.from_iterable(numbers.values()), dtype=np.int64),
        np.fromiter(map(len, numbers.values()), dtype=np.int64, count=len(index)),
    )


def _matrices(batch: Batch, name: str, given: list[int], column: list[Any]) -> dict[int, Floats]:
    """The n × 3 arrays of the given records; one conversion for all of them where nothing is odd."""
    values = [column[index] for index in given]
    arrays = _all_at_once(values)
    if arrays is not None:
        return dict(zip(given, arrays, strict=True))
    result = {}
    for index, value in zip(given, values, strict=True):
        try:
            result[index] = _matrix(value, name)
        except BadStructureError as error:
            batch.reject(index, "bad_structure", str(error))
    return result


def _all_at_once(values: Sequence[Any]) -> list[Floats] | None:
    if not all(isinstance(value, list | tuple | np.ndarray) and len(value) for value in values):
        return None
    try:
        flat = np.array(list(chain.from_iterable(values)), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if flat.ndim != 2 or flat.shape[1] != 3:
        return None
    ends = np.cumsum([len(value) for value in values]).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _matrix(rows: Any, name: str) -> Floats:
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadStructureError(f"{name}: not a list of three numbers each") from None
    if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0:
        raise BadStructureError(f"{name}: shape {array.shape}, (n, 3) is needed")
    return array


def _atomic_numbers(species: Any, n_positions: int) -> list[int]:
    if not isinstance(species, list | tuple) or len(species) != n_positions:
        count = len(species) if isinstance(species, list | tuple) else "no"
        raise BadStructureError(f"{n_positions} positions, {count} species")
    try:
        return [ATOMIC_NUMBER[symbol] for symbol in species]
    except (KeyError, TypeError):
        odd = next(s for s in species if not isinstance(s, str) or s not in ATOMIC_NUMBER)
        raise BadStructureError(f"species_at_sites: {odd!r:.40} is no element") from None


def _sound(batch: Batch, cells: Cells) -> Cells:
    """Only the cells that can be crystals; the others are rejected."""
    if not len(cells):
        return cells
    largest_lattice = np.abs(cells.lattices).max(axis=(1, 2))
    largest_position = np.maximum.reduceat(np.abs(cells.positions).max(axis=1), cells.ends - cells.counts)
    bad = np.zeros(len(cells), dtype=bool)

    def refuse(wrong: NDArray[np.bool_], message: Callable[[int], str]) -> None:
        for number in np.flatnonzero(wrong & ~bad).tolist():
            batch.reject(cells.index[number], "bad_structure", message(number))
        bad[wrong] = True

    # Written as "not within" so that NaN is refused as well.
    odd = f"values that are not finite, or beyond {LARGEST_COMPONENT:g}"
    refuse(~(largest_lattice <= LARGEST_COMPONENT), lambda _: f"lattice_vectors_angstrom: {odd}")
    refuse(~(largest_position <= LARGEST_COMPONENT), lambda _: f"fractional_positions: {odd}")
    lattices = np.where(bad[:, None, None], np.eye(3), cells.lattices)
    volumes = np.abs(np.linalg.det(lattices))
    refuse(~(volumes >= SMALLEST_VOLUME_ANGSTROM3 * cells.counts),
           lambda n: f"a cell of {volumes[n]:g} Å³ for {cells.counts[n]} atoms")
    lengths = np.linalg.norm(lattices, axis=2).prod(axis=1)
    refuse(~(volumes >= SMALLEST_VOLUME_SHARE * lengths),
           lambda _: "lattice_vectors_angstrom: the three vectors lie in one plane")
    return cells if not bad.any() else _select(cells, ~bad)


def _select(cells: Cells, keep: NDArray[np.bool_]) -> Cells:
    sites = np.repeat(keep, cells.counts)
    return Cells(
        [i for i, kept in zip(cells.index, keep.tolist(), strict=True) if kept],
        cells.lattices[keep],
        cells.positions[sites],
        cells.numbers[sites],
        cells.counts[keep],
    )
