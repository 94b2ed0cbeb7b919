"""A structure with metals and others told apart, and its symmetry: what lattices are recognised from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.expansion.parent import VACANCY, Parent, primitive, reduced_counts
from ml.expansion.placing import LeftOut, Structure, place

Floats = npt.NDArray[np.float64]
METAL, OTHER = 1, 2
TOLERANCE = 0.1
"""Å within which atoms are equivalent, in a crystal of :data:`TYPICAL` Å per atom."""
TYPICAL = 2.3
MOST_TRIED = 60
"""Structures of a group that are looked at to see which species a site takes."""
NONMETALS = frozenset((
    "H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "Ge", "As", "Se", "Br", "Kr", "Sb", "Te", "I",
    "Xe", "At", "Rn",
))


@dataclass(frozen=True)
class Labelled:
    """A structure with metals and others told apart, and its symmetry."""

    structure: Structure
    labels: tuple[int, ...]
    number: int
    lattice: Floats
    positions: Floats
    primitive_labels: tuple[int, ...]

    def elements(self, label: int) -> set[str]:
        """Those of a label."""
        return {one for one, known in zip(self.structure.species, self.labels, strict=True) if known == label}

    @property
    def kind(self) -> tuple[object, ...]:
        """What decorations of one lattice share."""
        return self.number, tuple(sorted(reduced_counts(self.primitive_labels))), len(self.primitive_labels)


def labelled_of(structure: Structure) -> Labelled | None:
    """The structure with labels; None = no symmetry can be found, not even none."""
    if not structure.is_whole:
        return None
    labels = tuple(OTHER if one in NONMETALS else METAL for one in structure.species)
    size = (abs(np.linalg.det(structure.lattice)) / len(labels)) ** (1 / 3)
    found = primitive(structure.lattice, structure.positions, labels, TOLERANCE * size / TYPICAL)
    if found is None:
        return None
    number, lattice, positions, kept, _ = found
    return Labelled(structure, labels, number, lattice, positions, tuple(kept))


def narrowed(wide: Parent, structures: Sequence[Structure]) -> Parent | None:
    """A lattice with the species that structures have on its sublattices; None = nothing varies, or nothing fits."""
    orbits = orbits_of(wide)
    seen: dict[int, set[str]] = defaultdict(set)
    step = max(1, len(structures) // MOST_TRIED)
    n_placed = 0
    for structure in structures[::step]:
        placed = place(structure, wide)
        if isinstance(placed, LeftOut):
            continue
        n_placed += 1
        for site, species in zip(placed.sites, placed.species, strict=True):
            seen[orbits[site]].add(species)
    if not n_placed:
        return None
    mixing = _mixing(seen, {one for structure in structures for one in structure.species}, wide, orbits)
    parent = wide.with_species([sorted(set().union(*(mixing[one] for one in seen[orbit]))) for orbit in orbits])
    return parent if parent.active else None


def _mixing(
    seen: Mapping[int, set[str]], elements: set[str], wide: Parent, orbits: Sequence[int]
) -> dict[str, set[str]]:
    """By species, those that it mixes with: what shares one sublattice may be on any that one of them is on.

    Only some of the structures were looked at, and few show every species on every site. Elements of which none was
    seen anywhere mix with all of their kind.
    """
    groups: dict[str, set[str]] = {one: {one} for found in seen.values() for one in found}
    for orbit, found in seen.items():
        unseen = {one for one in elements if one not in groups and one in wide.species[orbits.index(orbit)]}
        together = set().union(*(groups[one] for one in found if one != VACANCY), unseen)
        for one in together:
            groups[one] = together
    if VACANCY in groups:
        groups[VACANCY] = {VACANCY}
    return groups


def orbits_of(parent: Parent) -> list[int]:
    """Which sites symmetry joins, species and all: of every site the first one of its orbit."""
    kinds = sorted(set(parent.species))
    found = primitive(parent.cell, parent.sites, [1 + kinds.index(one) for one in parent.species], 0.01)
    if found is None or len(found[3]) != len(parent.species) or not np.allclose(
            np.abs((found[2] - parent.sites) - np.rint(found[2] - parent.sites)), 0, atol=1e-3):
        return list(range(len(parent.species)))
    return found[4]
