"""One structure on one parent lattice: supercell, occupation, and how far the atoms are from the sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ml.expansion.parent import VACANCY, Parent, counts
from ml.expansion.supercells import supercells, without_turned

if TYPE_CHECKING:
    from ase import Atoms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
METRIC_TOLERANCE = 0.12
"""How far lengths and angles of a cell may be from the parent's, volume apart."""
WIDE_TOLERANCE = 0.16
"""The same where nothing fits within that: some alloys shear by so much while their atoms stay on the sites. Looking so
far takes many times longer, so that it is left for structures that fit nowhere else."""
GOOD = 0.35
"""A largest displacement, in Å, below which no better place is looked for."""
LARGEST = 1.0
"""A largest displacement, in Å, above which a structure is no decoration of the lattice."""
MOST_CELLS = 2_000
SMALLEST_VOLUME = 0.5
"""Å³ an atom, below which a cell is none."""


@dataclass(frozen=True)
class Structure:
    """A crystal.

    Attributes:
        name: for messages.
        lattice: rows a, b, c, Å.
        positions: (n, 3), in units of the lattice vectors.
        species: of the sites.
    """

    name: str
    lattice: Floats
    positions: Floats
    species: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether there is a cell, and an atom at every position: anything else breaks symmetry searches."""
        n = len(self.species)
        return (
            n > 0 and self.lattice.shape == (3, 3) and self.positions.shape == (n, 3)
            and bool(np.isfinite(self.lattice).all() and np.isfinite(self.positions).all())
            and abs(float(np.linalg.det(self.lattice))) > SMALLEST_VOLUME * n
        )


@dataclass(frozen=True)
class Placed:
    """A structure as a decoration of a lattice.

    Attributes:
        matrix: the supercell in units of the primitive vectors (3, 3).
        origin: positions @ matrix + origin are the atoms in units of the primitive vectors.
        cells: of every site of the supercell, its primitive cell (k·m, 3).
        sites: of every site of the supercell, its place in the parent (k·m,).
        species: on every site; ``X`` = empty.
        rms_angstrom: root mean square distance of atoms from their sites, strain removed.
        largest_angstrom: the largest distance.
        strain: largest difference of the metric from the lattice's at the same volume, as a share.
    """

    matrix: Ints
    origin: Floats
    cells: Ints
    sites: Ints
    species: tuple[str, ...]
    rms_angstrom: float
    largest_angstrom: float
    strain: float

    def atoms(self, parent: Parent) -> Atoms:
        """The decorated ideal supercell as ASE and icet take it."""
        from ase import Atoms

        positions = (self.cells + parent.sites[self.sites]) @ parent.cell
        return Atoms(list(self.species), cell=self.matrix @ parent.cell, positions=positions, pbc=True)


@dataclass(frozen=True)
class LeftOut:
    """Why a structure is no decoration of a lattice.

    Attributes:
        reason: not_whole, other_species, composition, no_supercell, too_distorted.
        message: the same in words.
        nearness: how near it came: the larger, the nearer.
    """

    reason: str
    message: str
    nearness: float = 0.0


def place(structure: Structure, parent: Parent, tolerance: float = METRIC_TOLERANCE) -> Placed | LeftOut:
    """Find the supercell and the origin that bring atoms nearest to sites.

    Lattice vectors are compared by lengths and angles, so that a structure may be turned, shifted and strained. Sites
    without an atom are vacancies where the parent allows them.
    """
    if not structure.is_whole:
        return LeftOut("not_whole", "Its cell or positions are missing, no numbers, or no crystal's.")
    foreign = sorted(set(structure.species) - set(parent.elements))
    if foreign:
        return LeftOut("other_species", f"{', '.join(foreign)} is on no site of {parent.name}.")
    sizes = _sizes(structure, parent)
    if not sizes:
        formula = " ".join(f"{one}{n}" for one, n in sorted(counts(structure.species).items()))
        return LeftOut("composition", f"{formula} cannot fill any number of cells of {parent.name} "
                       f"({parent.species_words}).", 1.0)
    best: Placed | LeftOut = LeftOut(
        "no_supercell", f"No supercell of {parent.name} with {' or '.join(map(str, sizes))} primitive cells has the "
        f"lengths and angles of its cell to {tolerance:.0%}.", 2.0)
    for size in sizes:
        found = _at_size(structure, parent, size, tolerance)
        if found is not None and _nearer(found, best):
            best = found
        if isinstance(best, Placed) and best.largest_angstrom < GOOD:
            break
    return best


def _nearer(one: Placed | LeftOut, other: Placed | LeftOut) -> bool:
    if isinstance(one, Placed):
        return not isinstance(other, Placed) or one.largest_angstrom < other.largest_angstrom
    return isinstance(other, LeftOut) and one.nearness > other.nearness


def _sizes(structure: Structure, parent: Parent) -> list[int]:
    """Numbers of primitive cells that the atoms can fill; the nearest to the parent's volume first."""
    found = counts(structure.species)
    n, m = len(structure.species), len(parent.species)
    filled = sum(VACANCY not in one for one in parent.species)
    most = n // filled if filled else 4 * n // m + 1
    sizes = []
    for size in range(-(-n // m), min(most, MOST_CELLS) + 1):
        kinds = {kind: size * count for kind, count in counts(parent.species).items()}
        if _can_fill(found, kinds):
            sizes.append(size)
    volume = abs(np.linalg.det(structure.lattice)) / abs(np.linalg.det(parent.cell))
    return sorted(sizes, key=lambda size: abs(np.log(volume / size)))[:4]


def _can_fill(atoms: Mapping[str, int], kinds: Mapping[tuple[str, ...], int]) -> bool:
    """Whether so many atoms of each species can be put on so many sites of each kind, the others empty.

    Hall's condition for the atoms, and for the sites that must not stay empty; by the theorem of Mendelsohn and Dulmage
    both can then be met at once.
    """
    for chosen in _subsets(list(atoms)):
        if sum(atoms[one] for one in chosen) > sum(n for kind, n in kinds.items() if not chosen.isdisjoint(kind)):
            return False
    needed = [kind for kind in kinds if VACANCY not in kind]
    return all(
        sum(kinds[kind] for kind in chosen)
        <= sum(n for one, n in atoms.items() if any(one in kind for kind in chosen))
        for chosen in _subsets(needed)
    )


def _subsets(things: list[Any]) -> Iterator[frozenset[Any]]:
    return (frozenset(one) for size in range(1, len(things) + 1) for one in combinations(things, size))


def _at_size(structure: Structure, parent: Parent, size: int, tolerance: float) -> Placed | LeftOut | None:
    volume = abs(np.linalg.det(structure.lattice))
    scale = (volume / (size * abs(np.linalg.det(parent.cell)))) ** (1 / 3)
    cell = parent.cell * scale
    matrices = supercells(structure.lattice, cell, size, tolerance)
    hand = np.sign(np.linalg.det(structure.lattice)) * np.sign(np.linalg.det(cell))
    # Mirrored supercells would turn a structure into its mirror image.
    matrices = matrices[np.sign(np.linalg.det(matrices)) == hand] if len(matrices) else matrices
    matrices = without_turned(matrices, parent.rotations)
    fit = _Fit.of(structure, parent, cell)
    best: tuple[float, Ints, Floats] | None = None
    for matrix in matrices:
        for shift in fit.shifts(matrix):
            largest, moved = fit.largest(matrix, shift)
            if best is None or largest < best[0]:
                best = largest, matrix, moved
        if best is not None and best[0] < GOOD:
            break
    if best is None:
        return None
    placed = fit.assigned(best[1], best[2], structure.lattice)
    if isinstance(placed, Placed) and placed.largest_angstrom <= LARGEST:
        return placed
    if isinstance(placed, LeftOut):
        return placed
    return LeftOut("too_distorted", f"In the nearest decoration of {parent.name} an atom is "
                   f"{placed.largest_angstrom:.2f} Å from its site; {LARGEST:g} Å are allowed.", 3.0)


@dataclass(frozen=True)
class _Fit:
    """Atoms against the sites of a lattice that was scaled to their volume."""

    structure: Structure
    parent: Parent
    cell: Floats
    allowed: npt.NDArray[np.bool_]
    anchor: int

    @classmethod
    def of(cls, structure: Structure, parent: Parent, cell: Floats) -> _Fit:
        allowed = np.array([[one in species for species in parent.species] for one in structure.species])
        # The atom with the fewest sites that it can be on tells most about the origin.
        found = counts(structure.species)
        anchor = min(range(len(structure.species)),
                     key=lambda i: (int(allowed[i].sum()), found[structure.species[i]], i))
        return cls(structure, parent, cell, allowed, anchor)

    def shifts(self, matrix: Ints) -> Floats:
        """Origins that bring one atom onto each site that it can be on (k, 3), in units of the primitive vectors."""
        at = self.structure.positions[self.anchor] @ matrix
        found: Floats = self.parent.sites[self.allowed[self.anchor]] - at
        return found

    def largest(self, matrix: Ints, shift: Floats) -> tuple[float, Floats]:
        """Largest distance of an atom from the nearest site that it can be on, Å, and the origin that is best then."""
        places = self.structure.positions @ matrix + shift
        away, _ = self._nearest(places)
        middle = away.mean(axis=0)
        return float(np.sqrt((((away - middle) @ self.cell) ** 2).sum(axis=1).max())), shift - middle

    def _nearest(self, places: Floats) -> tuple[Floats, Ints]:
        """From the nearest site to each atom, in units of the primitive vectors, and which site it is."""
        away = places[:, None] - self.parent.sites[None]
        away -= np.rint(away)
        squares = ((away @ self.cell) ** 2).sum(axis=-1)
        site = np.where(self.allowed, squares, np.inf).argmin(axis=1)
        return away[np.arange(len(site)), site], site

    def assigned(self, matrix: Ints, shift: Floats, lattice: Floats) -> Placed | LeftOut:
        """Every atom on a site of its own."""
        cells, sites = supercell_sites(matrix, len(self.parent.species))
        places = self.structure.positions @ matrix + shift
        inverse = np.linalg.inv(matrix)
        away = (places[:, None] - (cells + self.parent.sites[sites])[None]) @ inverse
        away = (away - np.rint(away)) @ matrix @ self.cell
        squares = np.where(self.allowed[:, sites], (away**2).sum(axis=-1), 1e6)
        chosen = squares.argmin(axis=1)
        if len(set(chosen.tolist())) < len(chosen):
            from scipy.optimize import linear_sum_assignment

            chosen = linear_sum_assignment(squares)[1]
        distance = np.sqrt(squares[np.arange(len(chosen)), chosen])
        species = np.full(len(sites), VACANCY, dtype=object)
        species[chosen] = self.structure.species
        wrong = [site for site, one in zip(sites, species, strict=True) if one not in self.parent.species[site]]
        if wrong or distance.max() > 1e2:
            return LeftOut("composition", f"{len(wrong)} sites of {self.parent.name} would stay empty that must not.",
                           2.5)
        ideal = matrix @ self.cell
        metric, wanted = lattice @ lattice.T, ideal @ ideal.T
        lengths = np.sqrt(np.diag(wanted))
        strain = float((np.abs(metric - wanted) / np.outer(lengths, lengths)).max())
        return Placed(matrix, shift, cells, sites, tuple(str(one) for one in species),
                      float(np.sqrt((distance**2).mean())), float(distance.max()), strain)


def supercell_sites(matrix: Ints, n_sites: int) -> tuple[Ints, Ints]:
    """All sites of a supercell: primitive cell (k·m, 3) and place in it (k·m,)."""
    size = int(abs(round(float(np.linalg.det(matrix)))))
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) @ matrix
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"),
                    axis=-1).reshape(-1, 3)
    inside = grid @ np.linalg.inv(matrix)
    grid = grid[((inside > -1e-9) & (inside < 1 - 1e-9)).all(axis=1)]
    assert len(grid) == size
    cells = np.repeat(grid, n_sites, axis=0).astype(np.int64)
    return cells, np.tile(np.arange(n_sites, dtype=np.int64), size)


def structures_of(
    names: Sequence[str], lattices: Sequence[object], positions: Sequence[object], species: Sequence[Sequence[str]]
) -> list[Structure]:
    """Structures from columns of a table."""
    return [
        Structure(name, np.array(lattice, dtype=np.float64), np.array(position, dtype=np.float64), tuple(one))
        for name, lattice, position, one in zip(names, lattices, positions, species, strict=True)
    ]
