"""The aligned coefficient: against brute force, symmetric, never below the plain one, exact on moved copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dos_examples import SMALL, coefficient, rough

from analytics.fingerprints.grid import PAPER, REFERENCE
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.profiles import Profiles
from analytics.similarity.aligned import aligned_pairs
from lake.errors import InputError

SHIFTS = np.round(np.arange(-10, 11) * 0.01, 12)


def smooth(seed, n=12, **more):
    """Densities of a few broad peaks, which a small shift changes little by little."""
    rng = np.random.default_rng(seed)
    energies = np.linspace(more.get("low", -14), more.get("high", 13), 700)
    peaks, heights = rng.uniform(-11, 9, (n, 8)), rng.exponential(1, (n, 8))
    states = (heights[..., None] * np.exp(-((energies - peaks[..., None]) / 0.3) ** 2)).sum(1)
    return Profiles.of_arrays([energies] * n, list(states))


def by_brute_force(profiles, i, j, grid):
    """The definition, shift by shift."""
    counts = [dos_counts(profiles, grid, shift)[0] for shift in SHIFTS]
    whole = (0, grid.n_counts)
    best = max(
        (max(coefficient(counts[10][i], counts[10 + k][j], whole, whole),
             coefficient(counts[10 - k][i], counts[10][j], whole, whole)), -abs(k), k)
        for k in range(-10, 11)
    )
    return best[0], SHIFTS[10 + best[2]]


@pytest.mark.parametrize("grid", [REFERENCE, PAPER, SMALL], ids=lambda g: g.grid_id)
@pytest.mark.parametrize("make", [smooth, rough])
def test_coefficients_and_shifts_are_those_of_the_definition(grid, make):
    profiles = make(5, n=6)
    left, right = np.triu_indices(6, 1)
    found, shifts = aligned_pairs(profiles, left, right, grid)
    for pair, (i, j) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        assert (found[pair], shifts[pair]) == by_brute_force(profiles, i, j, grid)


def test_exchanging_the_two_turns_the_shift():
    profiles = smooth(6, n=20)
    left, right = np.triu_indices(20, 1)
    one, there = aligned_pairs(profiles, left, right, PAPER)
    other, back = aligned_pairs(profiles, right, left, PAPER)
    assert np.array_equal(one, other)
    assert np.array_equal(there, -back)
    assert (there != 0).any()


def test_never_below_the_plain_coefficient():
    profiles = rough(7)
    left, right = np.triu_indices(len(profiles), 0)
    plain, none = aligned_pairs(profiles, left, right, REFERENCE, largest_shift_ev=0)
    best, _ = aligned_pairs(profiles, left, right, REFERENCE)
    assert not none.any()
    assert (best >= plain).all()
    assert (best > plain).any()
    counts = dos_counts(profiles, REFERENCE)[0]
    whole = (0, 144)
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    assert plain.tolist() == [coefficient(counts[i], counts[j], whole, whole) for i, j in pairs]
    assert (best[left == right] == 1).all()


@pytest.mark.parametrize("moved_ev", [-0.1, -0.03, 0.0, 0.07])
def test_a_moved_copy_is_found_at_the_shift_that_undoes_it(moved_ev):
    profiles = smooth(8)
    copy = replace(profiles, energies_ev=profiles.energies_ev + moved_ev)
    both = Profiles.of_arrays(
        [*(profiles.of_row(i)[0] for i in range(12)), *(copy.of_row(i)[0] for i in range(12))],
        [profiles.of_row(i % 12)[1] for i in range(24)],
    )
    found, shifts = aligned_pairs(both, np.arange(12), np.arange(12, 24), REFERENCE)
    assert (found > 0.999).all()
    # a copy that is 0.01 eV off may have the same counts, and the smaller of two equal shifts is taken
    assert np.median(shifts) == pytest.approx(-moved_ev, abs=1e-12)
    assert shifts == pytest.approx(-moved_ev, abs=0.0101)


def test_a_shift_that_bares_the_end_of_the_data_keeps_their_intervals():
    ending = smooth(9, low=-9.75, high=4.9)
    _, starts, stops = dos_counts(ending, REFERENCE)
    assert (starts == 0).all()
    assert (stops == 144).all()
    states = ending.states.copy()
    states[ending.offsets[2] - 60:ending.offsets[2]] += 5
    different = replace(ending, states=states)
    found, _ = aligned_pairs(different, [0], [1], REFERENCE)
    assert found[0] < 0.9


def test_partly_covered_densities_are_compared_where_both_are():
    wide, narrow = smooth(10, n=3), smooth(10, n=3, low=-6.03, high=3.01)
    both = Profiles.of_arrays(
        [*(wide.of_row(i)[0] for i in range(3)), *(narrow.of_row(i)[0] for i in range(3))],
        [*(wide.of_row(i)[1] for i in range(3)), *(narrow.of_row(i)[1] for i in range(3))],
    )
    plain, _ = aligned_pairs(both, [0, 1, 2], [3, 4, 5], REFERENCE, largest_shift_ev=0)
    counts, starts, stops = dos_counts(both, REFERENCE)
    ranges = np.column_stack([starts, stops])
    assert plain.tolist() == [coefficient(counts[i], counts[i + 3], ranges[i], ranges[i + 3]) for i in range(3)]
    best, _ = aligned_pairs(both, [0, 1, 2], [3, 4, 5], REFERENCE)
    assert (best >= plain).all()


def test_little_memory_gives_the_same():
    profiles = smooth(11, n=30)
    left, right = np.triu_indices(30, 1)
    order = np.random.default_rng(0).permutation(len(left))
    left, right = left[order], right[order]
    much = aligned_pairs(profiles, left, right, PAPER)
    little = aligned_pairs(profiles, left, right, PAPER, memory_bytes=60_000, threads=2)
    assert all(np.array_equal(a, b) for a, b in zip(much, little, strict=True))
    few = aligned_pairs(profiles, left[:5], right[:5], PAPER)
    assert all(np.array_equal(a[:5], b) for a, b in zip(much, few, strict=True))


def test_nothing_to_compare_gives_zero():
    profiles = Profiles.of_arrays([[-20, 20], [-20, 20], [], [-20, float("nan")]], [[1, 1], [0, 0], [], [1, 1]])
    found, shifts = aligned_pairs(profiles, [0, 0, 0, 1, 2], [1, 2, 3, 1, 2], REFERENCE)
    assert not found.any()
    assert not shifts.any()
    assert [a.shape for a in aligned_pairs(profiles, [], [], REFERENCE)] == [(0,), (0,)]


@pytest.mark.parametrize(("left", "right", "more", "says"), [
    ([0], [4], {}, "position 4 among 4"), ([-1], [0], {}, "position -1"), ([0, 1], [0], {}, "2 on the left"),
    ([0.5], [1], {}, "whole numbers"), ([0], [1], {"step_ev": 0}, "steps"),
    ([0], [1], {"largest_shift_ev": -1}, "0 or"), ([0], [1], {"largest_shift_ev": 1e9}, "1,000 steps"),
])
def test_impossible_questions_are_refused(left, right, more, says):
    with pytest.raises(InputError, match="Aligned pairs") as raised:
        aligned_pairs(smooth(1, n=4), left, right, REFERENCE, **more)
    assert says in str(raised.value)
