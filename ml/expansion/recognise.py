"""Parent lattices from the structures themselves.

Elements are told apart only as metals and others: which of them mix on which site is what comes out. Structures with
the same symmetry and number of atoms in the primitive cell are decorations of one lattice; those that leave some of its
sites empty are found by what they share (:mod:`ml.expansion.vacancies`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ml.expansion.labelled import METAL, OTHER, Labelled, labelled_of, narrowed
from ml.expansion.parent import Parent
from ml.expansion.placing import METRIC_TOLERANCE, WIDE_TOLERANCE, Placed, Structure, place
from ml.expansion.vacancies import with_vacancies

FEWEST = 3
"""Structures that a lattice is recognised from."""
CLOSE = 0.3
"""Å, root mean square, within which structures must be that a lattice is recognised from."""


def recognise(structures: Sequence[Structure], fewest: int = FEWEST) -> list[Parent]:
    """The lattices that structures are decorations of; those of most structures first.

    Args:
        structures: any number of crystals.
        fewest: structures that a lattice needs.
    """
    labelled = [one for one in (labelled_of(structure) for structure in structures) if one is not None]
    parents = with_vacancies(labelled, fewest)
    rest = [one for one in labelled if not any(_fits(one.structure, parent) for parent in parents)]
    groups: dict[tuple[object, ...], list[Labelled]] = defaultdict(list)
    for one in rest:
        groups[one.kind].append(one)
    # The most symmetric lattice first: less symmetric crystals may be decorations of it.
    for _, group in sorted(groups.items(), key=lambda item: (-len(item[1]), -item[1][0].number)):
        left = [one for one in group if not any(_fits(one.structure, parent, WIDE_TOLERANCE) for parent in parents)]
        if len(left) < fewest:
            continue
        parent = _of_group(left)
        if parent is not None and _n_close(left, parent, fewest) >= fewest:
            parents.append(parent)
    return _named([parent for parent in parents if parent.active])


def _fits(structure: Structure, parent: Parent, tolerance: float = METRIC_TOLERANCE) -> bool:
    return isinstance(place(structure, parent, tolerance), Placed)


def _n_close(group: list[Labelled], parent: Parent, wanted: int) -> int:
    """How many structures are close to a lattice, counted up to so many: unrelated crystals are not."""
    n = 0
    for one in group:
        placed = place(one.structure, parent)
        n += isinstance(placed, Placed) and placed.rms_angstrom < CLOSE
        if n >= wanted:
            break
    return n


def _of_group(group: list[Labelled]) -> Parent | None:
    """The lattice of structures of one symmetry: the cell of the one of median volume, species as they are seen."""
    by_volume = sorted(group, key=lambda one: abs(np.linalg.det(one.lattice)) / len(one.primitive_labels))
    middle = by_volume[len(by_volume) // 2]
    elements = {label: sorted(set().union(*(one.elements(label) for one in group))) for label in (METAL, OTHER)}
    wide = Parent.made("lattice", middle.number, middle.lattice, middle.positions,
                       [elements[label] for label in middle.primitive_labels])
    return narrowed(wide, [one.structure for one in group])


def _named(parents: Sequence[Parent]) -> list[Parent]:
    """Names from space group and species, numbered where two are the same."""
    names: dict[str, int] = defaultdict(int)
    found = []
    for parent in parents:
        name = f"{parent.spacegroup_number}:{parent.species_words.replace('; ', '|').replace(' ', ',')}"
        names[name] += 1
        again = f"#{names[name]}" if names[name] > 1 else ""
        found.append(Parent.made(name + again, parent.spacegroup_number, parent.lattice, parent.positions,
                                 parent.species))
    return found
