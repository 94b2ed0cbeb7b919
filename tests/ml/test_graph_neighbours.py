"""Neighbours in full shells, in any cell, against looking at every image; and crystals that are none."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from graph_crystals import (
    Crystal,
    brute_force,
    copper,
    crystal,
    edges_by_atom,
    oblique,
    random_crystals,
    rocksalt,
    shuffled,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import InputError, StructureError
from ml.graphs.build import graphs_of, problems_of
from ml.graphs.settings import GraphSettings

EXACT = {"kind": "full", "distance_tolerance_angstrom": 1e-8}


def full(one: Crystal, **more: object) -> list[np.ndarray]:
    return edges_by_atom(graphs_of([one], GraphSettings.of(EXACT | more)))


def same_edges(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert [len(rows) for rows in found] == [len(rows) for rows in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for rows in (ours, theirs):
            rows[:] = rows[np.lexsort(np.round(rows, 4).T)]
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@given(random_crystals(), st.sampled_from([1, 5, 12, 24]))
@settings(max_examples=25, deadline=None)
def test_neighbours_are_those_that_looking_everywhere_finds(one: Crystal, n_neighbours: int) -> None:
    same_edges(full(one, n_neighbours=n_neighbours), brute_force(one, n_neighbours, 1e-2))


@given(random_crystals(), st.integers(0, 1_000))
@settings(max_examples=12, deadline=None)
def test_oblique_vectors_of_a_lattice_change_nothing(one: Crystal, seed: int) -> None:
    skewed = oblique(one, np.random.default_rng(seed), times=8)
    same_edges(full(skewed), brute_force(one, 24, 1e-2))


def test_many_atoms_in_bins() -> None:
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3), -1).reshape(-1, 3) / 6
    lattice = np.array([[17.0, 0, 0], [5.0, 16.0, 0], [-3.0, 4.0, 18.0]])
    one = crystal(lattice, grid + rng.normal(0, 0.01, grid.shape), ["Si"] * len(grid))
    same_edges(full(one), brute_force(one, 24, 1e-2, reach=1))


@pytest.mark.parametrize(("n_neighbours", "expected"), [(1, 12), (12, 12), (13, 18), (18, 18), (24, 42)])
def test_shells_are_taken_whole(n_neighbours: int, expected: int) -> None:
    assert len(full(copper(), n_neighbours=n_neighbours)[0]) == expected


def test_noise_does_not_part_a_shell() -> None:
    rng = np.random.default_rng(0)
    one = rocksalt()
    noisy = crystal(one["lattice_vectors_angstrom"],
                    np.array(one["fractional_positions"]) + rng.normal(0, 1e-4, (8, 3)), one["species_at_sites"])
    assert [len(rows) for rows in full(noisy)] == [len(rows) for rows in full(one)] == [26] * 8
    # Only a tolerance below the noise does.
    assert [len(rows) for rows in full(noisy, shell_tolerance_angstrom=1e-8)] == [24] * 8


def test_vacuum() -> None:
    box = np.eye(3) * 40.0
    (alone,) = full(crystal(box, [[.3, .3, .3]], ["Ar"]))
    assert len(alone) == 6
    np.testing.assert_allclose(alone[:, 1], 40.0)
    pair = full(crystal(box, [[0, 0, 0], [.02, 0, 0]], ["O", "O"]))
    assert [len(rows) for rows in pair] == [1, 1]
    layer = crystal(np.diag([2.5, 2.5, 60.0]), [[0, 0, 0]], ["C"])
    assert len(full(layer)[0]) == 24
    (within,) = full(layer, largest_distance_angstrom=5.0)
    assert len(within) == 12
    assert within[:, 1].max() == 5.0  # the bound itself belongs to it


def test_vectors_lead_from_sender_to_receiver() -> None:
    one = crystal(np.eye(3) * 6, [[0, 0, 0], [.25, 0, 0]], ["Na", "Cl"])
    first, second = full(one, n_neighbours=1)
    assert first[0, 0] == 1
    assert second[0, 0] == 0
    np.testing.assert_allclose(first[0, 2:], [-1.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(second[0, 2:], [1.5, 0, 0], atol=1e-6)


@given(random_crystals(), st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_atoms_breaks_no_ties(one: Crystal, seed: int) -> None:
    other = shuffled(one, np.random.default_rng(seed))
    found = [full(each) for each in (one, other)]
    assert sorted(map(len, found[0])) == sorted(map(len, found[1]))
    lengths = [np.sort(np.concatenate(each)[:, 1]) for each in found]
    np.testing.assert_allclose(*lengths, atol=1e-9)


BAD = {
    "coinciding": (crystal(np.eye(3) * 4, [[0, 0, 0], [0, 0, 1]], ["O", "O"]), "in the place of another"),
    "nan": (crystal(np.eye(3) * 4, [[0, 0, float("nan")]], ["O"]), "no number"),
    "flat": (crystal([[1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 0, 0]], ["O"]), "one plane.*cell of 0 Å³"),
    "nan cell": (crystal(np.eye(3) * float("nan"), [[0, 0, 0]], ["O"]), "cell of nan Å³"),
    "element": (crystal(np.eye(3) * 4, [[0, 0, 0]], ["Xx"]), "no element"),
    "empty": (crystal(np.eye(3) * 4, [], []), "no atoms"),
    "null": (dict.fromkeys(copper()), "no atoms"),
    "lattice": (copper() | {"lattice_vectors_angstrom": [[1.0, 0, 0], [0, 1.0, 0]]}, "three vectors"),
    "species": (copper() | {"species_at_sites": ["Cu", "Cu"]}, "for each species"),
    "coordinates": (copper() | {"fractional_positions": [[0.0, 0.0]]}, "for each species"),
    "null coordinate": (copper() | {"fractional_positions": [[0.0, 0.0, None]]}, "for each species"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_crystal_is_named(name: str) -> None:
    one, words = BAD[name]
    rows = pa.Table.from_pylist([{"calculation_id": f"mp/{n}"} | each for n, each in enumerate([rocksalt(), one])])
    with pytest.raises(InputError, match=f"1 of 2 crystals.*mp/1 .*{words}"):
        graphs_of(rows)


def test_all_that_is_wrong_is_found_and_the_rest_is_not_blamed() -> None:
    rows = [copper(), *(one for one, _ in BAD.values()), rocksalt()]
    problems = problems_of(rows)
    assert problems[0] is None
    assert problems[-1] is None
    for problem, (_, words) in zip(problems[1:-1], BAD.values(), strict=True):
        assert problem is not None
        assert re.search(words, problem)
    with pytest.raises(InputError, match=r"10 of 13 crystals.*row 2 has .*and 5 more"):
        graphs_of(rows)


def test_rows_without_crystals() -> None:
    with pytest.raises(StructureError, match="fractional_positions"):
        graphs_of(pa.table({"lattice_vectors_angstrom": [1]}))
    with pytest.raises(StructureError, match="no crystals"):
        graphs_of([{"lattice_vectors_angstrom": 3}])
    assert graphs_of([]).n == 0


@pytest.mark.parametrize("wrong", [
    {"kind": "half"}, {"n_neighbours": 0}, {"n_neighbours": 2.5}, {"n_neighbours": True}, {"neighbours": 3},
    {"largest_distance_angstrom": float("nan")}, {"shell_tolerance_angstrom": 1}, {"distance_tolerance_angstrom": "1"},
])
def test_settings_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong)).split("_")[0]):
        GraphSettings.of(wrong)


def test_settings_have_names() -> None:
    digests = {GraphSettings.of(each).digest for each in ({}, {"n_neighbours": 12}, {"kind": "full"})}
    assert len(digests) == 3
    assert GraphSettings(largest_distance_angstrom=15).digest == GraphSettings().digest
