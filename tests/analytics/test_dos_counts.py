"""Counts of densities of states: against the public reference's answers, exact fractions, and spoilt input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from dos_examples import GRIDS, SMALL, coefficient, densities, golden, rough
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.fingerprints.grid import PAPER, REFERENCE
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles
from lake.errors import InputError


@pytest.mark.parametrize("number", range(6))
def test_counts_are_those_of_the_reference(number):
    profiles, grids, found = golden()
    counts, starts, stops = dos_counts(profiles, grids[number])
    assert np.array_equal(np.column_stack([starts, stops]), found[f"ranges_{number}"])
    ours = np.concatenate([row[a:b] for row, a, b in zip(counts, starts, stops, strict=True)])
    assert np.array_equal(ours, found[f"counts_{number}"])


@pytest.mark.parametrize("number", range(6))
def test_coefficients_of_counts_are_those_of_the_reference_on_bits(number):
    profiles, grids, found = golden()
    counts, starts, stops = dos_counts(profiles, grids[number])
    ranges = np.column_stack([starts, stops])
    ours = [coefficient(counts[i], counts[j], ranges[i], ranges[j]) for i, j in found["pairs"].tolist()]
    assert ours == found[f"coefficients_{number}"].tolist()


def exact_states(energies, states, low, high):
    """The integral of the linearly interpolated density, in fractions."""
    total = Fraction(0)
    for e0, e1, d0, d1 in zip(energies, energies[1:], states, states[1:], strict=False):
        a, b = max(e0, low), min(e1, high)
        if a < b:
            slope = (d1 - d0) / (e1 - e0)
            total += (2 * d0 + slope * (a - e0) + slope * (b - e0)) / 2 * (b - a)
    return total


@settings(max_examples=25, deadline=None)
@given(densities(), st.sampled_from(GRIDS))
def test_counts_are_the_exact_integrals(density, grid):
    counts, starts, stops = dos_counts(Profiles.of_arrays([density[0]], [density[1]]), grid)
    assert (starts[0], stops[0]) == (0, grid.n_counts)
    energies, states = ([Fraction(x) for x in values.tolist()] for values in density)
    edges = [Fraction(f"{x:.8f}") for x in grid.edges_ev.tolist()]
    for i in range(0, grid.n_counts, 7):
        share = exact_states(energies, states, edges[i], edges[i + 1]) * grid.levels / Fraction(grid.heights[i])
        allowed = {min(grid.levels, int(share + d)) for d in (Fraction(-1, 10**6), 0, Fraction(1, 10**6))}
        assert counts[0, i] in allowed


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: g.grid_id)
def test_a_shift_is_the_same_as_moving_the_energies(grid):
    profiles = rough(1)
    for shift in (-0.37, 0.05, 1.0):
        moved = replace(profiles, energies_ev=profiles.energies_ev + shift)
        for ours, theirs in zip(dos_counts(profiles, grid, shift), dos_counts(moved, grid), strict=True):
            assert np.array_equal(ours, theirs)


def test_points_between_points_change_nothing():
    energies, states = np.linspace(-14, 13, 541), np.abs(np.sin(np.arange(541)))
    finer = np.union1d(energies, np.linspace(-14, 13, 2161))
    profiles = Profiles.of_arrays([energies, finer], [states, np.interp(finer, energies, states)])
    counts = dos_counts(profiles, PAPER)[0].astype(int)
    assert np.abs(counts[0] - counts[1]).max() <= 1
    assert (counts[0] != counts[1]).mean() < 0.05


def test_two_half_channels_are_one_whole_density():
    profiles = rough(2)
    channels = replace(profiles, states=profiles.states / 2 + profiles.states / 2)
    for grid in GRIDS:
        whole, sum_of_two = dos_counts(profiles, grid)[0], dos_counts(channels, grid)[0]
        assert np.array_equal(whole, sum_of_two)
        assert coefficient(whole[0], sum_of_two[0], (0, grid.n_counts), (0, grid.n_counts)) == 1


def test_threads_and_batches_change_nothing():
    profiles = rough(3, n=1200, points=60)
    together = dos_counts(profiles, SMALL, threads=3)
    alone = [dos_counts(profiles.take([i]), SMALL) for i in (0, 511, 512, 1199)]
    for row, one in zip((0, 511, 512, 1199), alone, strict=True):
        assert all(np.array_equal(many[row], single[0]) for many, single in zip(together, one, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(together, dos_counts(profiles, SMALL), strict=True))


def test_only_intervals_covered_from_edge_to_edge_count():
    edges = REFERENCE.edges_ev
    middle = (edges[20] + edges[21]) / 2, (edges[100] + edges[101]) / 2
    cases = [
        (-20, 20), (middle[0], 20), (-20, middle[1]), middle, (edges[20] - 1e-6, edges[100]), (6, 9), (0.001, 0.002),
    ]
    energies = [np.linspace(low, high, 301) for low, high in cases]
    counts, starts, stops = dos_counts(Profiles.of_arrays(energies, [np.ones(301)] * len(cases)), REFERENCE)
    expected = [(0, 144), (21, 144), (0, 100), (21, 100), (20, 100), (0, 0), (0, 0)]
    assert list(zip(starts.tolist(), stops.tolist(), strict=True)) == expected
    for row, (start, stop) in zip(counts, expected, strict=True):
        assert not row[:start].any()
        assert not row[stop:].any()
        assert row[start:stop].all()


def test_small_negative_densities_count_as_none():
    energies, states = np.linspace(-14, 13, 541), np.abs(np.sin(np.arange(541)))
    states[::3] = 0
    spoilt = np.where(states == 0, -1e-3, states)
    counts = dos_counts(Profiles.of_arrays([energies] * 2, [states, spoilt]), PAPER)[0]
    assert np.array_equal(counts[0], counts[1])


NAN, INF = float("nan"), float("inf")
SPOILT = [
    ([], []), ([1.0], [1.0]), ([-20, NAN, 20], [1, 1, 1]), ([-20, 0, 20], [1, NAN, 1]), ([-INF, 20], [1, 1]),
    ([-20, 20], [INF, 1]), ([20, 0, -20], [1, 1, 1]), ([NAN, NAN], [NAN, NAN]),
]


def test_spoilt_densities_get_no_counts_and_spoil_no_others():
    fine = np.linspace(-20, 20, 500)
    energies, states = [e for e, _ in SPOILT], [s for _, s in SPOILT]
    profiles = Profiles.of_arrays([*energies, fine], [*states, np.ones(500)])
    counts, _, stops = dos_counts(profiles, REFERENCE)
    assert not counts[:-1].any()
    assert not stops[:-1].any()
    assert stops[-1] == REFERENCE.n_counts
    assert counts[-1].all()


def test_extreme_densities_are_counted():
    million = np.linspace(-30, 30, 10**6)
    rows = [
        (million, np.ones(10**6)), (np.linspace(-30, 30, 601), np.ones(601)), ([-1e300, 1e300], [1, 1]),
        ([-20, 0, 0, 20], [1, 1, 1, 1]), ([-20, 20], [1e308, 1e308]), ([-20, 20], [0, 0]),
    ]
    counts, starts, stops = dos_counts(Profiles.of_arrays(*zip(*rows, strict=True)), REFERENCE)
    assert set(zip(starts.tolist(), stops.tolist(), strict=True)) == {(0, 144)}
    assert np.abs(counts[0].astype(int) - counts[1]).max() <= 1
    assert np.abs(counts[2].astype(int) - counts[1]).max() <= 1
    assert np.abs(counts[3].astype(int) - counts[1]).max() <= 1
    assert (counts[4] == REFERENCE.levels).all()
    assert not counts[5].any()


def table(energies, states):
    n = len(energies)
    lists = pa.list_(pa.float64())
    return pa.table({
        "calculation_id": [f"x/{i}" for i in range(n)], "energies_ev": pa.array(energies, lists),
        "states_per_ev_per_atom": pa.array(states, lists), "reference_level": ["fermi"] * n,
        "spin_polarized": pa.nulls(n, pa.bool_()), "broadening_ev": pa.array([0.1] * n),
    })


def test_profiles_are_views_of_clean_tables():
    rows = table([[1.0, 2.0], [3.0, 4.0, 5.0]], [[0.1, 0.2], [0.3, 0.4, 0.5]])
    profiles = Profiles.of_table(rows)
    assert profiles.ids == ["x/0", "x/1"]
    assert profiles.offsets.tolist() == [0, 2, 5]
    assert profiles.of_row(1)[1].tolist() == [0.3, 0.4, 0.5]
    values = rows.column("energies_ev").chunk(0).values.to_numpy()
    assert np.shares_memory(values, profiles.energies_ev)


def test_profiles_stand_nulls_slices_chunks_and_unequal_lists():
    energies, states = [[1.0, None], None, [1.0, 2.0], [3.0], []], [[1.0, 2.0], None, [1.0], [4.0], []]
    rows = pa.concat_tables([table(energies, states), table([[7.0, 8.0]], [[5.0, 6.0]])])
    profiles = Profiles.of_table(rows)
    assert profiles.lengths.tolist() == [2, 0, 0, 1, 0, 2]
    assert np.isnan(profiles.energies_ev[1])
    assert profiles.of_row(5)[0].tolist() == [7, 8]
    assert Profiles.of_table(rows.slice(3, 3)).lengths.tolist() == [1, 0, 2]
    assert len(Profiles.of_table(rows.slice(0, 0))) == 0
    some = profiles.take([5, 0, 5])
    assert some.ids == ["x/0", "x/0", "x/0"]
    assert some.states.tolist() == [5, 6, 1, 2, 5, 6]


def test_profiles_name_the_column_that_is_missing_or_wrong():
    rows = table([[1.0]], [[1.0]])
    with pytest.raises(InputError, match="lacks the column reference_level"):
        Profiles.of_table(rows.drop_columns("reference_level"))
    with pytest.raises(InputError, match="energies_ev"):
        Profiles.of_table(rows.set_column(1, "energies_ev", pa.array(["low"])))
    with pytest.raises(InputError, match="as many states"):
        Profiles.of_arrays([[1, 2]], [[1]])
    assert set(DOS_COLUMNS) == set(rows.column_names)
