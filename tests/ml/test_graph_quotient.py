"""Quotient graphs: the same output as the whole crystal, whatever cell and order of atoms it is written in."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from graph_crystals import (
    Crystal,
    PlainSchNet,
    brute_force,
    copper,
    crystal,
    oblique,
    perovskite,
    random_crystals,
    rocksalt,
    shuffled,
    supercell,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import InputError
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs, joined
from ml.graphs.refine import cut
from ml.graphs.settings import GraphSettings
from tests.conftest import examples

FILE = Path(__file__).parents[1] / "data" / "crystals" / "mp-summary.json.gz"
FEW = GraphSettings(n_neighbours=6)
NETWORK = PlainSchNet()


def real_crystals(most_atoms: int) -> list[Crystal]:
    records = json.loads(gzip.decompress(FILE.read_bytes()))["data"]
    return [
        crystal(record["structure"]["lattice"]["matrix"], [site["abc"] for site in record["structure"]["sites"]],
                [site["species"][0]["element"] for site in record["structure"]["sites"]])
        for record in records if record["nsites"] <= most_atoms
    ]


def same_graph(one: Graphs, other: Graphs) -> None:
    for name, array in one.arrays().items():
        if name in ("sha256s", "n_atoms"):
            continue
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, getattr(other, name), rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)


def test_textbook_crystals() -> None:
    graphs = graphs_of([rocksalt(), perovskite(), copper()])
    assert np.diff(graphs.node_offsets).tolist() == [2, 3, 1]
    assert graphs.node_z.tolist() == [*graphs.node_z[:2].tolist(), *graphs.node_z[2:5].tolist(), 29]
    shares = dict(zip(graphs.node_z[2:5].tolist(), graphs.node_weight[2:5].tolist(), strict=True))
    assert shares == pytest.approx({38: .2, 22: .2, 8: .6})
    assert graphs.node_degree.tolist()[:2] == [26, 26]
    # Sodium's shells in rocksalt: 6 chlorine, 12 sodium, 8 chlorine.
    assert np.diff(graphs.distance_offsets)[0] == 3
    assert graphs.edge_weight[:3] * 26 == pytest.approx([12, 6, 8])
    assert graphs.elements == (8, 11, 17, 22, 29, 38)


@pytest.mark.parametrize("kind", ["quotient", "full"])
def test_weights_are_shares(kind: str) -> None:
    graphs = graphs_of(real_crystals(20), GraphSettings(kind=kind))
    nodes = np.repeat(np.arange(graphs.n), np.diff(graphs.node_offsets))
    np.testing.assert_allclose(np.bincount(nodes, graphs.node_weight), 1, rtol=1e-6)
    crystals = np.repeat(np.arange(graphs.n), np.diff(graphs.edge_offsets))
    receivers = graphs.edge_receiver + graphs.node_offsets[crystals]
    np.testing.assert_allclose(np.bincount(receivers, graphs.edge_weight), 1, rtol=1e-6)
    assert (np.diff(receivers) >= 0).all()
    assert (np.diff(graphs.node_offsets) <= graphs.n_atoms).all()


def test_the_same_output_as_atom_by_atom_on_real_crystals() -> None:
    some = real_crystals(12)[::2]
    assert len(some) >= 10
    graphs = graphs_of(some, GraphSettings(n_neighbours=12))
    assert len(graphs.node_z) < sum(len(one["species_at_sites"]) for one in some)
    for place, one in enumerate(some):
        expected = NETWORK.atoms(one, brute_force(one, 12, 1e-2, reach=4))
        assert NETWORK.graph(graphs, place) == pytest.approx(expected, abs=1e-6)


@given(random_crystals())
@settings(max_examples=12, deadline=None)
def test_the_same_output_on_random_crystals(one: Crystal) -> None:
    expected = NETWORK.atoms(one, brute_force(one, 6, 1e-2, reach=5))
    assert NETWORK.graph(graphs_of([one], FEW), 0) == pytest.approx(expected, abs=1e-6)


@given(random_crystals(), st.sampled_from([(2, 1, 1), (1, 2, 2), (3, 1, 2)]), st.integers(0, 1_000))
@settings(max_examples=20, deadline=None)
def test_cell_and_order_change_nothing(one: Crystal, counts: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain, larger, other, skewed = (
        graphs_of([each]) for each in (one, supercell(one, counts), shuffled(one, rng), oblique(one, rng))
    )
    for written in (larger, other, skewed):
        same_graph(plain, written)


def test_large_supercells_of_real_crystals() -> None:
    some = real_crystals(6)[::4]
    same_graph(graphs_of(some), graphs_of([supercell(one, (3, 3, 3)) for one in some]))


def test_atoms_that_differ_far_away_only() -> None:
    """A chain with one odd end: every atom is told apart, though all but two have the same nearest neighbours."""
    n = 9
    chain = crystal(np.diag([60.0, 60.0, 60.0]), [[(2.0 * k) / 60, 0, 0] for k in range(n)], ["C"] * (n - 1) + ["O"])
    graphs = graphs_of([chain], GraphSettings(n_neighbours=1))
    assert graphs.n_atoms.tolist() == [n]
    assert len(graphs.node_z) == n


def test_noise_below_the_tolerance_is_averaged_away() -> None:
    rng = np.random.default_rng(1)
    one = rocksalt()
    noisy = crystal(one["lattice_vectors_angstrom"],
                    np.array(one["fractional_positions"]) + rng.normal(0, 1e-6, (8, 3)), one["species_at_sites"])
    plain, merged = graphs_of([one]), graphs_of([noisy])
    same = np.abs(plain.distance_angstrom - merged.distance_angstrom).max()
    assert len(merged.node_z) == 2
    assert same < 1e-5
    exact = graphs_of([noisy], GraphSettings(distance_tolerance_angstrom=1e-8))
    assert len(exact.node_z) == 8
    assert NETWORK.graph(merged, 0) == pytest.approx(NETWORK.graph(exact, 0), abs=1e-6)


def groups(distances: list[float], tolerance: float) -> list[list[float]]:
    ordered = np.sort(np.array(distances))
    begins = np.flatnonzero(cut(ordered, tolerance))
    return [part.tolist() for part in np.split(ordered, begins[1:])]


def test_groups_of_distances_have_no_edges_of_rounding() -> None:
    # On a grid of 1e-3 these would be two; in a chain of small steps all would be one.
    assert groups([2.4995, 2.50049, 2.5005], 1e-3 + 1e-4) == [[2.4995, 2.50049, 2.5005]]
    assert groups([2.4999999, 2.5000001, 2.6], 1e-3) == [[2.4999999, 2.5000001], [2.6]]
    # Divided where the step is largest.
    assert groups([1.0, 1.0004, 1.0010, 1.0013], 1e-3) == [[1.0, 1.0004], [1.0010, 1.0013]]
    # Equal steps are treated equally, whatever their last bits are.
    even = [1.0 + 6e-4 * k for k in range(9)]
    assert groups(even, 1e-3) == groups([x + 1e-14 * (k % 2) for k, x in enumerate(even)], 1e-3) \
        or len(groups(even, 1e-3)) == 9
    # A difference that is the tolerance but for rounding.
    assert len(groups([2.0, 2.001], 1e-3)) == len(groups([0.001, 0.002], 1e-3)) == 1


@given(st.lists(st.floats(0.5, 15.0), min_size=1, max_size=60), st.sampled_from([1e-8, 1e-3, 0.2]))
@settings(max_examples=examples(60), deadline=None)
def test_no_group_is_wider_than_the_tolerance(distances: list[float], tolerance: float) -> None:
    parts = groups(distances, tolerance)
    assert sorted(distances) == [x for part in parts for x in part]
    assert all(part[-1] - part[0] <= tolerance * 1.00001 for part in parts)
    assert all(after[0] > before[-1] for before, after in pairwise(parts))


def test_dense_distances_in_reasonable_time() -> None:
    ordered = np.sort(np.random.default_rng(0).uniform(2, 6, 200_000))
    begins = cut(ordered, 1e-3)
    widths = np.diff(np.append(ordered[begins], 6.0))
    assert widths.min() >= 0
    assert 4_000 < begins.sum() < 20_000


def test_threads_and_parts_give_the_same() -> None:
    some = real_crystals(12) * 24
    one, two = graphs_of(some), graphs_of(some, threads=2)
    assert len(some) > 512
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, getattr(two, name))
    steps: list[tuple[int, int]] = []
    graphs_of(some, threads=2, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(some), len(some))


@pytest.mark.parametrize("kind", ["quotient", "full"])
def test_some_graphs_of_a_store(kind: str) -> None:
    setting = GraphSettings(kind=kind)
    some = [rocksalt(), copper(), perovskite()]
    graphs = graphs_of(some, setting)
    picked = graphs.take([2, 0, 2])
    for place, which in enumerate([2, 0, 2]):
        same_graph(picked.take([place]), graphs_of([some[which]], setting))
    assert graphs.take([0, 1, 2]) is graphs
    same_graph(joined([graphs.take([0]), graphs.take([1, 2])]), graphs)
    assert graphs.places(picked.sha256s).tolist() == [2, 0, 2]
    with pytest.raises(InputError, match="1 of 2 crystals"):
        graphs.places([graphs.sha256s[0], "0" * 64])
    with pytest.raises(InputError, match="from 0 to 2"):
        graphs.take([3])
    assert graphs.take([]).n == 0
