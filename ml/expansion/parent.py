"""A parent lattice: the sites of its primitive cell, and which species may be on each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lake.crystal.formula import SYMBOLS
from lake.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

Floats = npt.NDArray[np.float64]
VACANCY = "X"
"""The species of an empty site, as ASE and icet spell it."""
MOST_SITES = 400
STRICT = 1e-3
"""Å within which a cell that was symmetrised must be symmetric."""
MOST_REFINED = 4


@dataclass(frozen=True)
class Parent:
    """A lattice that structures are decorations of.

    Attributes:
        name: what it is called.
        spacegroup_number: of the lattice with one species a sublattice.
        lattice: rows a, b, c of the primitive cell, Å.
        positions: of the sites, in units of the lattice vectors (m, 3).
        species: by site, what may be on it, sorted; ``X`` = it may be empty.
    """

    name: str
    spacegroup_number: int
    lattice: tuple[tuple[float, ...], ...]
    positions: tuple[tuple[float, ...], ...]
    species: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        lattice, positions = np.array(self.lattice), np.array(self.positions)
        if lattice.shape != (3, 3) or not np.isfinite(lattice).all() or abs(np.linalg.det(lattice)) < 1e-3:
            raise InputError(f"The cell of the parent lattice {self.name!r:.80} is none.")
        if positions.shape != (len(self.species), 3) or not np.isfinite(positions).all() \
                or not 1 <= len(self.species) <= MOST_SITES:
            raise InputError(f"The sites of the parent lattice {self.name!r:.80} are no 1 to {MOST_SITES} positions.")
        for species in self.species:
            if not species or any(one != VACANCY and one not in SYMBOLS for one in species):
                raise InputError(f"A site of the parent lattice {self.name!r:.80} has the species "
                                 f"{', '.join(map(str, species))[:80] or 'none'}: symbols of elements, or X for an "
                                 "empty site, are needed.")

    @property
    def cell(self) -> Floats:
        """The lattice as an array (3, 3), Å."""
        return np.array(self.lattice)

    @property
    def sites(self) -> Floats:
        """The positions as an array (m, 3)."""
        return np.array(self.positions)

    @cached_property
    def active(self) -> tuple[int, ...]:
        """Sites with more than one species."""
        return tuple(place for place, one in enumerate(self.species) if len(one) > 1)

    @cached_property
    def rotations(self) -> npt.NDArray[np.int64]:
        """Proper rotations that leave lattice and species as they are (r, 3, 3), acting on columns of lattice units."""
        import spglib

        kinds = sorted(set(self.species))
        labels = [1 + kinds.index(one) for one in self.species]
        data = spglib.get_symmetry_dataset((self.cell.tolist(), self.sites.tolist(), labels), symprec=1e-3)
        whole = np.eye(3, dtype=np.int64)[None] if data is None else np.unique(data.rotations, axis=0)
        return np.asarray(whole[np.rint(np.linalg.det(whole)) == 1], dtype=np.int64)

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """All species but the vacancy."""
        return tuple(sorted({one for species in self.species for one in species} - {VACANCY}))

    @cached_property
    def species_words(self) -> str:
        """Species by sublattice, as in ``Al Ga In; O``."""
        return "; ".join(dict.fromkeys(" ".join(one) for one in self.species))

    def atoms(self) -> Atoms:
        """The primitive cell as ASE and icet take it, the first species on every site."""
        from ase import Atoms

        return Atoms([one[0] for one in self.species], cell=self.cell, scaled_positions=self.sites, pbc=True)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "name": self.name, "spacegroup_number": self.spacegroup_number,
            "lattice": [list(row) for row in self.lattice], "positions": [list(row) for row in self.positions],
            "species": [list(one) for one in self.species],
        }

    @classmethod
    def of(cls, given: Any) -> Parent:
        """The parent that plain values describe; they may be from anywhere.

        Raises:
            InputError: they describe none.
        """
        try:
            return cls.made(str(given["name"]), int(given["spacegroup_number"]), given["lattice"], given["positions"],
                            given["species"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"This describes no parent lattice: {error!r:.120}.") from None

    @classmethod
    def made(
        cls, name: str, spacegroup_number: int, lattice: Any, positions: Any, species: Sequence[Sequence[str]]
    ) -> Parent:
        """A parent from arrays or lists."""
        return cls(
            name, spacegroup_number, tuple(tuple(float(x) for x in row) for row in lattice),
            tuple(tuple(float(x) for x in row) for row in positions),
            tuple(tuple(sorted({str(one) for one in of_site})) for of_site in species),
        )

    def with_species(self, species: Sequence[Sequence[str]]) -> Parent:
        """This lattice with other species."""
        return Parent.made(self.name, self.spacegroup_number, self.lattice, self.positions, species)

    @property
    def angstrom_per_site(self) -> float:
        """Cube root of the volume of a site, Å."""
        return float((abs(np.linalg.det(self.cell)) / len(self.species)) ** (1 / 3))


def of_structure(name: str, lattice: Floats, positions: Floats, species: Sequence[Sequence[str]]) -> Parent:
    """The parent of a crystal that is given, reduced to its primitive cell.

    Args:
        name: what to call it.
        lattice: rows, Å.
        positions: (n, 3), in units of the lattice vectors.
        species: what may be on each site; sites of the same species that symmetry joins are one sublattice.

    Raises:
        InputError: no symmetry is found in it.
    """
    kinds = sorted({tuple(sorted(set(one))) for one in species})
    labels = [1 + kinds.index(tuple(sorted(set(one)))) for one in species]
    found = primitive(lattice, positions, labels, 0.05)
    if found is None:
        raise InputError(f"No symmetry can be found in the structure given as the parent lattice {name!r:.80}.")
    number, cell, sites, kept, _ = found
    return Parent.made(name, number, cell, sites, [kinds[label - 1] for label in kept])


def primitive(
    lattice: Floats, positions: Floats, labels: Sequence[int], tolerance: float
) -> tuple[int, Floats, Floats, list[int], list[int]] | None:
    """Space group, primitive cell with symmetrised sites, their labels, and which of them symmetry joins.

    Args:
        lattice: rows, Å.
        positions: (n, 3), in units of the lattice vectors.
        labels: of the sites, from 1.
        tolerance: Å.
    """
    import spglib

    cell: Any = (np.asarray(lattice).tolist(), np.asarray(positions).tolist(), list(labels))
    found: tuple[Any, Any] | None = None
    try:
        for _ in range(MOST_REFINED):
            standard = spglib.standardize_cell(cell, to_primitive=True, no_idealize=False, symprec=tolerance)
            data = None if standard is None else spglib.get_symmetry_dataset(standard, symprec=STRICT)
            if standard is None or data is None:
                break
            # spglib tightens a tolerance that is too loose for the cell given, but perhaps not for what comes out:
            # looked at again, the symmetrised cell may be more symmetric.
            if found is not None and data.number == found[1].number:
                break
            found, cell = (standard, data), standard
    except spglib.SpglibError:
        pass
    if found is None:
        return None
    standard, data = found
    return (int(data.number), np.asarray(standard[0], dtype=np.float64), np.asarray(standard[1], dtype=np.float64),
            [int(one) for one in standard[2]], [int(one) for one in data.equivalent_atoms])


def counts(labels: Sequence[Any]) -> Mapping[Any, int]:
    """How many there are of each."""
    found: dict[Any, int] = {}
    for one in labels:
        found[one] = found.get(one, 0) + 1
    return found


def reduced_counts(labels: Sequence[Any]) -> tuple[tuple[Any, int], ...]:
    """Labels with their numbers, divided by the greatest common divisor."""
    found = counts(labels)
    divisor = math.gcd(*found.values()) if found else 1
    return tuple(sorted((label, n // divisor) for label, n in found.items()))
