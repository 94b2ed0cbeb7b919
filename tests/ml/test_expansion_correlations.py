"""Correlations: against clusters counted by hand, and the same for the same crystal however it is written."""

from __future__ import annotations

import json
import pickle
from collections import defaultdict

import numpy as np
import pytest
from expansion_alloys import bcc, decorated, enumerated, fcc, in_cell, perovskite, rocksalt, sanchez, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.crystal.formula import SYMBOLS
from lake.errors import InputError
from ml.expansion.clusters import Clusters, clusters_for, correlations_of
from ml.expansion.parent import Parent, of_structure
from ml.expansion.placing import Placed, Structure, place

SHAPES = [[[2, 0, 0], [0, 2, 0], [0, 0, 1]], [[1, 1, 0], [0, 2, 1], [-1, 0, 2]], [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
          [[3, 0, 0], [0, 1, 0], [1, 0, 2]]]
UNIMODULAR = [[1, 1, 0], [0, 1, 0], [-1, 0, 1]]
Spaces = dict[str, Clusters]


@pytest.fixture(scope="module")
def spaces() -> Spaces:
    """Lattices with few clusters, made once."""
    return {
        "fcc": Clusters(fcc(), (5.7, 4.1, 2.9)), "bcc": Clusters(bcc(), (4.3, 3.1, 3.1)),
        "three": Clusters(fcc(("Au", "Cu", "Ag")), (4.1, 4.1)),
        "four": Clusters(bcc(("Fe", "Ti", "V", "X")), (3.1, 3.1)),
        "rocksalt": Clusters(rocksalt(), (4.3, 3.1)), "perovskite": Clusters(perovskite(), (5.6, 4.0)),
    }


def placed_of(structure: Structure, parent: Parent) -> Placed:
    found = place(structure, parent)
    assert isinstance(found, Placed), found
    return found


@pytest.mark.parametrize(("name", "shape"), [("fcc", SHAPES[0]), ("bcc", SHAPES[3]), ("three", SHAPES[1]),
                                             ("four", SHAPES[2])])
def test_they_are_means_over_clusters_counted_in_space(name: str, shape: list[list[int]], spaces: Spaces) -> None:
    clusters = spaces[name]
    parent = clusters.parent
    structure = turned(decorated(parent, shape, np.random.default_rng(len(name))), np.random.default_rng(3))
    placed = placed_of(structure, parent)
    species = sorted(parent.species[0], key=lambda one: -1 if one == "X" else SYMBOLS.index(one))
    # The sites, empty ones too, are where the structure is; without vacancies nothing of the mapping is used.
    if "X" in species:
        atoms = placed.atoms(parent)
        lattice, symbols = atoms.cell.array, list(placed.species)
        positions = atoms.positions @ np.linalg.inv(lattice)
    else:
        lattice, positions, symbols = structure.lattice, structure.positions, list(structure.species)
    values = [sanchez(len(species), species.index(one)) for one in symbols]
    wanted = enumerated(lattice, positions, values, clusters.cutoffs)

    found: dict[tuple[int, tuple[float, ...]], list[float]] = defaultdict(list)
    for row, value in zip(clusters.space.as_list[1:], clusters.correlations(placed), strict=True):
        lengths = clusters.space.orbit_list.get_orbit(row["orbit_index"]).representative_cluster.distances
        found[row["order"], tuple(sorted(round(one, 3) for one in lengths))].append(value)
    assert max(order for order, _ in wanted) == len(clusters.cutoffs) + 1
    for (key, values_), (wanted_key, wanted_values) in zip(sorted(found.items()), sorted(wanted.items()), strict=True):
        assert key[0] == wanted_key[0]
        assert np.allclose(key[1], wanted_key[1], atol=3e-3)
        assert np.abs(np.sort(values_) - wanted_values).max() < 1e-10


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(["fcc", "three", "rocksalt", "perovskite"]))
def test_cell_order_and_rotation_do_not_matter(seed: int, name: str, spaces: Spaces) -> None:
    clusters = spaces[name]
    rng = np.random.default_rng(seed)
    structure = decorated(clusters.parent, SHAPES[seed % len(SHAPES)], rng)
    wanted = clusters.correlations(placed_of(structure, clusters.parent))
    doubled = np.diag(rng.permutation([1, 1, 2])).tolist()
    for other in (turned(structure, rng), in_cell(structure, UNIMODULAR), turned(in_cell(structure, doubled), rng)):
        scaled = Structure(other.name, other.lattice * rng.uniform(0.9, 1.1), other.positions, other.species)
        assert np.abs(clusters.correlations(placed_of(scaled, clusters.parent)) - wanted).max() < 1e-10


def test_atoms_near_their_sites_count_as_on_them(spaces: Spaces) -> None:
    clusters = spaces["rocksalt"]
    rng = np.random.default_rng(1)
    structure = decorated(clusters.parent, SHAPES[1], rng)
    wanted = clusters.correlations(placed_of(structure, clusters.parent))
    strain = np.eye(3) + rng.normal(0, 0.01, (3, 3))
    off = rng.normal(0, 0.05, structure.positions.shape) @ np.linalg.inv(structure.lattice)
    moved = Structure("moved", structure.lattice @ strain, structure.positions + off, structure.species)
    placed = placed_of(moved, clusters.parent)
    assert 0.03 < placed.rms_angstrom < 0.15 < placed.largest_angstrom * 3
    assert 0 < placed.strain < 0.1
    assert np.abs(clusters.correlations(placed) - wanted).max() < 1e-10


def test_clusters_are_named_apart_with_their_sizes(spaces: Spaces) -> None:
    listed = spaces["three"].listed()
    assert len({one.name for one in listed}) == len(listed) == len(spaces["three"])
    assert [one.order for one in listed[:5]] == [1, 1, 2, 2, 2]
    nearest = 4.0 / np.sqrt(2)
    triplet = next(one for one in listed if one.order == 3)
    assert listed[0].diameter_angstrom == 0.0
    assert listed[2].diameter_angstrom == pytest.approx(nearest)
    # icet's radius is a mean distance from the middle; the diameter is that of the longest side.
    assert triplet.diameter_angstrom == pytest.approx(nearest)
    assert f"{nearest:.2f} Å" in triplet.name
    assert triplet.name.startswith("triplet")


@pytest.mark.parametrize(("parent", "wanted"), [(fcc(), 4), (perovskite(), 6), (fcc(("Ag", "Au", "Cu")), 27)])
def test_about_as_many_clusters_as_wanted(parent: Parent, wanted: int) -> None:
    assert wanted / 2 <= len(clusters_for(parent, wanted)) <= wanted


def test_more_than_wanted_only_where_the_nearest_neighbours_make_more() -> None:
    parent = rocksalt(("Fe", "Mg", "Mn", "X"))
    assert len(clusters_for(parent, 3)) == len(Clusters(parent, clusters_for(parent, 1).cutoffs)) > 3


def test_the_same_clusters_after_json_and_in_another_process(spaces: Spaces) -> None:
    clusters = spaces["perovskite"]
    kept = json.loads(json.dumps({"parent": clusters.parent.to_json(), "cutoffs": clusters.cutoffs}))
    rebuilt = Clusters(Parent.of(kept["parent"]), tuple(kept["cutoffs"]))
    travelled = pickle.loads(pickle.dumps(clusters))
    structure = decorated(clusters.parent, SHAPES[0], np.random.default_rng(0))
    placed = [placed_of(structure, clusters.parent)]
    wanted = correlations_of(clusters, placed)
    assert wanted.shape == (1, len(clusters))
    assert (correlations_of(rebuilt, placed) == wanted).all()
    assert (correlations_of(travelled, placed) == wanted).all()
    assert correlations_of(clusters, []).shape == (0, len(clusters))


def test_a_lattice_where_nothing_varies_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to expand"):
        clusters_for(fcc(("Cu",)), 5)


def test_what_icet_refuses_is_an_error_with_the_lattice_named() -> None:
    parent = fcc()
    placed = placed_of(decorated(parent, SHAPES[0], np.random.default_rng(0)), parent)
    other = Clusters(of_structure("other fcc", parent.cell, parent.sites, [["Ag", "Pd"]]), (3.0,))
    with pytest.raises(InputError, match="other fcc"):
        other.correlations(placed)
