"""Structures onto lattices that are given or recognised, and why others are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from expansion_alloys import bcc, decorated, fcc, perovskite, rocksalt, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import InputError
from ml.expand.mapping import best_place
from ml.expansion.parent import VACANCY, Parent, of_structure
from ml.expansion.placing import LeftOut, Placed, Structure, place, structures_of
from ml.expansion.recognise import recognise
from ml.expansion.supercells import supercells

CUBE = [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
SHAPES = [[[1, 0, 0], [0, 1, 0], [0, 0, 2]], [[1, 1, 0], [0, 1, 1], [1, 0, 1]], [[2, 0, 0], [0, 1, 0], [0, 1, 2]],
          [[1, 0, 1], [0, 3, 0], [0, 0, 1]], CUBE]


def alloys(parent: Parent, n: int, seed: int = 0) -> list[Structure]:
    """Decorations in cells of several shapes, turned, with a volume each."""
    rng = np.random.default_rng(seed)
    return [turned(decorated(parent, SHAPES[i % len(SHAPES)], rng, f"{parent.name} {i}", rng.uniform(0.97, 1.03)), rng)
            for i in range(n)]


def _shortest(positions: np.ndarray) -> float:
    away = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return float(away[~np.eye(len(away), dtype=bool)].min())


def left_out(structure: Structure, parent: Parent) -> LeftOut:
    found = place(structure, parent)
    assert isinstance(found, LeftOut)
    return found


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_atom_is_on_a_site_of_its_own(seed: int) -> None:
    parent = rocksalt(("Fe", "Mg", "X"))
    rng = np.random.default_rng(seed)
    structure = turned(decorated(parent, SHAPES[seed % len(SHAPES)], rng), rng)
    placed = place(structure, parent)
    assert isinstance(placed, Placed)
    assert sorted(one for one in placed.species if one != VACANCY) == sorted(structure.species)
    assert len(placed.species) == len(parent.species) * abs(round(np.linalg.det(placed.matrix)))
    assert all(one in parent.species[site] for one, site in zip(placed.species, placed.sites, strict=True))
    assert placed.largest_angstrom < 1e-6
    atoms = placed.atoms(parent)
    assert _shortest(atoms.positions) > 1.9


def test_supercells_are_those_of_the_cell_however_it_is_turned() -> None:
    lattice = fcc().cell
    matrix = np.array(SHAPES[2])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    found = supercells(matrix @ lattice @ rotation, lattice, 4, 0.02)
    metric = matrix @ lattice @ lattice.T @ matrix.T
    assert len(found)
    for one in found:
        assert np.allclose(one @ lattice @ lattice.T @ one.T, metric)
    assert not len(supercells(matrix @ lattice, lattice, 3, 0.02))


def test_what_cannot_be_placed_says_why() -> None:
    parent = rocksalt(("Fe", "Mg"))
    rng = np.random.default_rng(2)
    good = decorated(parent, CUBE, rng)
    oxygen, metal = (good.species.index("O"), next(i for i, one in enumerate(good.species) if one != "O"))

    foreign = Structure("x", good.lattice, good.positions, ("Zn", *good.species[1:]))
    assert left_out(foreign, parent).reason == "other_species"
    assert "Zn" in left_out(foreign, parent).message

    for missing in (oxygen, metal):
        rest = [i for i in range(len(good.species)) if i != missing]
        fewer = Structure("x", good.lattice, good.positions[rest], tuple(good.species[i] for i in rest))
        assert left_out(fewer, parent).reason == "composition"

    long = Structure("x", good.lattice * np.array([[3.0], [1.0], [1 / 3]]), good.positions, good.species)
    assert left_out(long, parent).reason == "no_supercell"

    moved = good.positions.copy()
    moved[metal] += [0.25, 0.21, 0.17]
    far = left_out(Structure("x", good.lattice, moved, good.species), parent)
    assert far.reason == "too_distorted"


def test_a_strained_cell_with_its_atoms_on_the_sites_is_placed_where_nothing_nearer_is() -> None:
    parent = perovskite()
    one = decorated(parent, CUBE, np.random.default_rng(4))
    strained = Structure("x", one.lattice * np.array([1, 1, 1.22]), one.positions, one.species)
    assert left_out(strained, parent).reason == "no_supercell"
    number, placed = best_place(strained, [fcc(), parent])
    assert number == 1
    assert isinstance(placed, Placed)
    assert placed.largest_angstrom < 1e-6
    assert placed.strain > 0.2


def test_the_mirror_image_of_a_crystal_is_not_taken_for_it() -> None:
    # Sites of a chiral lattice (a screw of three): its own hand fits, the other does not.
    def chiral(sign: int) -> Structure:
        sites = [[0.3, 0.1, 0.0], [-0.1, 0.2, sign / 3], [-0.2, -0.3, 2 * sign / 3]]
        lattice = np.array([[6, 0, 0], [-3, 3 * np.sqrt(3), 0], [0, 0, 7.0]])
        return Structure("x", lattice, np.array(sites) % 1.0, ("Ti",) * 3)

    right = chiral(1)
    parent = of_structure("screw", right.lattice, right.positions, [["Ti", "V"]] * 3)
    assert isinstance(place(right, parent), Placed)
    mirrored = Structure("x", right.lattice * np.array([1, 1, -1]), right.positions, right.species)
    found = place(mirrored, parent)
    assert isinstance(found, LeftOut) or found.largest_angstrom > 0.3


@pytest.mark.parametrize(("parent", "species"), [
    (fcc(), "Au Cu"), (bcc(), "Fe Ti"), (fcc(("Ag", "Au", "Cu")), "Ag Au Cu"), (perovskite(), "Ba Sr"),
    (rocksalt(("Mg", "Mn"), ("O", "S")), "Mg Mn"),
], ids=["fcc", "bcc", "ternary", "perovskite", "both sublattices"])
def test_lattices_are_recognised_without_empty_sites(parent: Parent, species: str) -> None:
    structures = alloys(parent, 12)
    found = recognise(structures)
    assert len(found) == 1
    assert found[0].spacegroup_number == parent.spacegroup_number
    assert len(found[0].species) == len(parent.species)
    assert sorted(found[0].species_words.split("; ")) == sorted(parent.species_words.split("; "))
    assert species in found[0].species_words
    assert all(isinstance(place(one, found[0]), Placed) for one in structures)


def test_several_lattices_are_told_apart() -> None:
    structures = alloys(fcc(), 12) + alloys(perovskite(), 12) + alloys(bcc(("Cr", "Mo")), 12)
    found = recognise(structures)
    assert sorted(one.spacegroup_number for one in found) == [221, 225, 229]
    assert len({one.name for one in found}) == 3
    for start, number in ((0, 225), (12, 221), (24, 229)):
        parent = next(one for one in found if one.spacegroup_number == number)
        assert all(isinstance(place(one, parent), Placed) for one in structures[start:start + 12])


def test_a_lattice_with_empty_sites_is_recognised_from_what_its_structures_share() -> None:
    # Three cations of twelve are missing: no structure has the symmetry of the lattice.
    full = rocksalt(("Fe", "Mg"))
    rng = np.random.default_rng(8)
    structures = []
    for i in range(10):
        one = decorated(full, [[2, 0, 0], [0, 2, 0], [0, 0, 3]], rng, str(i))
        metals = [k for k, species in enumerate(one.species) if species != "O"]
        gone = set(rng.choice(metals, 3, replace=False).tolist())
        kept = [k for k in range(len(one.species)) if k not in gone]
        structures.append(turned(Structure(one.name, one.lattice, one.positions[kept],
                                           tuple(one.species[k] for k in kept)), rng))
    found = recognise(structures)
    assert len(found) == 1
    assert (found[0].spacegroup_number, found[0].species_words) in ((225, "O; Fe Mg X"), (225, "Fe Mg X; O"))
    placed = [place(one, found[0]) for one in structures]
    assert all(isinstance(one, Placed) and one.species.count(VACANCY) == 3 for one in placed)


def test_nothing_is_recognised_in_unrelated_or_unmixed_materials() -> None:
    rng = np.random.default_rng(5)
    of_elements = (["Na", "Cl", "O"], ["Fe", "S", "Si"], ["K", "Br", "N"], ["Al", "P", "C"])
    unrelated = [Structure(str(i), np.diag(rng.uniform(3, 9, 3)), rng.random((3, 3)), tuple(elements))
                 for i, elements in enumerate(of_elements)]
    assert recognise(unrelated) == []
    assert recognise(alloys(fcc(("Cu",)), 8)) == []
    assert recognise([]) == []
    assert recognise(alloys(fcc(), 2)) == []


def test_broken_structures_do_not_stop_the_others() -> None:
    good = alloys(fcc(), 12)
    nan = Structure("nan", good[0].lattice * np.nan, good[0].positions, good[0].species)
    flat = Structure("flat", np.zeros((3, 3)), good[0].positions, good[0].species)
    lost = Structure("lost", good[0].lattice, good[0].positions * np.nan, good[0].species)
    none = Structure("none", np.eye(3), np.zeros((0, 3)), ())
    broken = [nan, flat, lost, none]
    found = recognise([*broken, *good])
    assert [one.spacegroup_number for one in found] == [225]
    assert [left_out(one, found[0]).reason for one in broken] == ["not_whole"] * 4


def test_parents_that_are_none_are_refused() -> None:
    given = fcc().to_json()
    changes: tuple[dict[str, Any], ...] = (
        {"species": [["Xx"]]}, {"species": [[]]}, {"lattice": [[0, 0, 0]] * 3}, {"positions": []}, {"lattice": "abc"},
        {"positions": [[float("nan"), 0, 0]]}, {"species": None})
    for change in changes:
        with pytest.raises(InputError):
            Parent.of(given | change)
    with pytest.raises(InputError):
        Parent.of({"name": "x"})
    assert Parent.of(given) == fcc()
    # A conventional cell is reduced to the primitive one.
    corners = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    assert len(of_structure("fcc", np.eye(3) * 4.0, np.array(corners), [["Cu", "Au"]] * 4).species) == 1


def test_structures_come_from_columns() -> None:
    one = structures_of(["a"], [np.eye(3).tolist()], [[[0, 0, 0]]], [["Cu"]])[0]
    assert (one.name, one.lattice.shape, one.positions.shape, one.species) == ("a", (3, 3), (1, 3), ("Cu",))
