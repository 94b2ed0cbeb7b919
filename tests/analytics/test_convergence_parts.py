"""The parts of a convergence study on settings and matrices made by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.convergence.converged import converged_of
from analytics.convergence.differences import differences_of
from analytics.convergence.importance import importance_of
from analytics.convergence.order import blocks_of, order_of
from analytics.convergence.resampling import resample
from analytics.convergence.settings import UNKNOWN, level_numbers, settings_of
from lake.tables import CALCULATIONS
from tests.conftest import examples

NAMES = [*CALCULATIONS.schema.names]
SCHEMA = pa.schema([*CALCULATIONS.schema, ("broadening_ev", pa.float64())])
SCHEMA = pa.schema([pa.field(field.name, field.type) for field in SCHEMA])


def table(rows):
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def made(*rows):
    return settings_of(table(list(rows)))


def words(setting):
    return [setting.word(place) for place in range(len(setting.levels))]


# Settings as levels

def test_the_same_mesh_in_slightly_different_cells_is_one_level():
    found = made(
        {"k_point_density_angstrom": 10.0, "k_grid": [4, 4, 2]}, {"k_point_density_angstrom": 20.0},
        {"k_point_density_angstrom": 10.15, "k_grid": [4, 4, 2]}, {},
    )["k_points"]
    assert found.levels.tolist() == [0, 1, 0, UNKNOWN]
    assert words(found) == ["4×4×2", "20 Å", "4×4×2", "unknown"]


def test_k_points_go_by_the_measure_that_more_calculations_state():
    found = made({"k_grid": [2, 2, 2]}, {"n_k_points": 27}, {"k_point_density_angstrom": 9.0})["k_points"]
    assert found.measure == ("n_k_points",) * 3
    assert words(found) == ["2×2×2", "27 k-points", "unknown"]


def test_a_basis_goes_by_cutoff_or_by_functions_kind_by_kind():
    found = made(
        {"basis_set": "plane waves", "cutoff_ev": 500.0, "n_basis_functions": 900},
        {"basis_set": "plane waves", "cutoff_ev": 500.0, "n_basis_functions": 960},
        {"basis_set": "gaussians", "n_basis_functions": 30}, {"basis_set": "gaussians", "n_basis_functions": 60},
        {"cutoff_ev": 400.0}, {"basis_set": "gaussians"},
    )["basis_size"]
    assert words(found) == ["500 eV", "500 eV", "30 functions", "60 functions", "400 eV", "unknown"]
    assert found.measure == ("cutoff_ev",) * 2 + ("n_basis_functions",) * 2 + ("cutoff_ev", "n_basis_functions")


def test_plus_u_is_another_functional_and_null_is_none():
    found = made(
        {"xc_functional": "pbe", "hubbard_u_ev": []}, {"xc_functional": "pbe", "hubbard_u_ev": [("Fe", 4.0)]},
        {"xc_functional": "pbe"}, {},
    )["functional"]
    assert words(found) == ["pbe", "pbe+u", "pbe", "unknown"]


@given(st.lists(st.one_of(st.just(math.nan), st.floats(1e-3, 1e6)), max_size=30), st.sampled_from([0.0, 0.02, 0.5]))
@settings(deadline=None)
def test_levels_ascend_with_the_numbers_and_span_no_more_than_the_tolerance(values, tolerance):
    levels, first = level_numbers(np.array(values), tolerance)
    assert first == sorted(first)
    for value, level in zip(values, levels, strict=True):
        assert (level == UNKNOWN) == math.isnan(value)
        if level != UNKNOWN:
            assert first[level] <= value <= first[level] * (1 + tolerance)


# The order and the blocks

def test_sorted_by_functional_k_points_basis_and_tier_unknown_last():
    rows = [
        {"xc_functional": "pbe", "n_k_points": 8, "basis_set": "b", "cutoff_ev": 300.0},
        {"xc_functional": None, "n_k_points": 1},
        {"xc_functional": "pbe", "n_k_points": 8, "basis_set": "a", "cutoff_ev": 400.0},
        {"xc_functional": "lda", "n_k_points": 64},
        {"xc_functional": "pbe", "n_k_points": 8, "basis_set": "b", "cutoff_ev": 200.0, "settings_tier": "tight"},
        {"xc_functional": "pbe", "n_k_points": 8, "basis_set": "b", "cutoff_ev": 200.0, "settings_tier": "light"},
        {"xc_functional": "lda", "n_k_points": 8}, {"xc_functional": "lda"},
    ]
    assert order_of(made(*rows), list("abcdefgh")).tolist() == [6, 3, 7, 2, 5, 4, 0, 1]
    assert order_of(made({}, {}, {}), ["c", "a", "b"]).tolist() == [1, 2, 0]


@given(st.lists(st.tuples(st.sampled_from(["lda", "pbe", None]), st.sampled_from([8, 64, None])), min_size=1,
                max_size=12), st.integers(0, 99))
@settings(deadline=None, max_examples=examples(60))
def test_blocks_cover_the_matrix_and_their_means_are_those_of_their_pairs(chosen, seed):
    found = made(*({"xc_functional": f, "n_k_points": k} for f, k in chosen))
    n = len(chosen)
    matrix = np.random.default_rng(seed).random((n, n))
    matrix = (matrix + matrix.T) / 2
    order = order_of(found, [str(i) for i in range(n)])
    for blocks in blocks_of(found, order, matrix, None):
        assert [run.start for run in blocks.runs] == [0, *(run.stop for run in blocks.runs)][:-1]
        assert blocks.runs[-1].stop == n
        assert len({run.words for run in blocks.runs}) == len(blocks.runs)
        for a, left in enumerate(blocks.runs):
            for b, right in enumerate(blocks.runs):
                pairs = [matrix[i, j] for i in range(left.start, left.stop)
                         for j in range(right.start, right.stop) if i != j]
                if pairs:
                    assert blocks.between[a, b] == pytest.approx(np.mean(pairs))
                else:
                    assert math.isnan(blocks.between[a, b])
                    assert left.within is None


# Means and intervals

def naive_replicates(classes, values, drawn, n_classes):
    n = len(classes)
    weights, totals = np.zeros((n_classes, drawn.shape[1])), np.zeros((n_classes, drawn.shape[1]))
    for replicate in range(drawn.shape[1]):
        copies = np.repeat(np.arange(n), drawn[:, replicate])
        for a in range(len(copies)):
            for b in range(a + 1, len(copies)):
                i, j = sorted((copies[a], copies[b]))
                if i != j and classes[i, j] >= 0:
                    weights[classes[i, j], replicate] += 1
                    totals[classes[i, j], replicate] += values[i, j]
    return weights, totals


def test_a_replicate_is_a_sample_of_calculations(monkeypatch):
    from analytics.convergence import resampling

    monkeypatch.setattr(resampling, "REPLICATES", 100)
    generator = np.random.default_rng(0)
    n = 7
    classes = generator.integers(-1, 3, (n, n)).astype(np.int32)
    classes = np.triu(classes) + np.triu(classes, 1).T
    values = generator.random((n, n))
    found = resample(classes, values, 3)
    drawn = np.random.default_rng(resampling.SEED).multinomial(n, np.full(n, 1 / n), size=100).T
    weights, totals = naive_replicates(classes, values, drawn, 3)
    np.testing.assert_array_equal(found.weights, weights)
    np.testing.assert_allclose(found.totals, totals)
    upper = np.triu_indices(n, 1)
    assert found.counts.tolist() == [(classes[upper] == c).sum() for c in range(3)]
    assert found.mean(1) == pytest.approx(values[upper][classes[upper] == 1].mean())


def test_intervals_are_wider_than_pairs_would_say_where_calculations_differ():
    generator = np.random.default_rng(1)
    quality = generator.random(40)
    values = np.minimum.outer(quality, quality)
    classes = np.zeros((40, 40), np.int32)
    low, high = resample(classes, values, 1).interval(0)
    pairs = values[np.triu_indices(40, 1)]
    by_pairs = 2 * 1.96 * pairs.std() / math.sqrt(len(pairs))
    assert low < pairs.mean() < high
    assert high - low > 3 * by_pairs


def test_too_few_calculations_have_no_interval():
    assert resample(np.zeros((3, 3), np.int32), np.ones((3, 3)), 1).interval(0) is None
    assert resample(np.zeros((0, 0), np.int32), np.ones((0, 0)), 1).counts.tolist() == [0]


# Differences

def test_every_pair_is_in_one_class():
    rows = [
        {"xc_functional": "lda", "n_k_points": 8, "basis_set": "a", "cutoff_ev": 300.0},
        {"xc_functional": "lda", "n_k_points": 64, "basis_set": "a", "cutoff_ev": 400.0},
        {"xc_functional": "pbe", "n_k_points": 512, "basis_set": "a", "cutoff_ev": 300.0},
        {"xc_functional": "pbe", "basis_set": "b", "n_basis_functions": 30},
        {},
    ]
    similarity = np.arange(25.0).reshape(5, 5) / 25
    similarity = np.minimum(similarity, similarity.T)
    found = {(b.functional, b.k_points, b.basis): b for b in differences_of(made(*rows), similarity, similarity / 2)}
    assert sum(b.n_pairs for b in found.values()) == 10
    # 8 and 64 k-points differ by a factor of two along an axis.
    assert found["same", "√2 to 2", "up to √2"].similarity == similarity[0, 1]
    assert found["other", "above 2", "same"].similarity == similarity[0, 2]
    assert found["other", "√2 to 2", "up to √2"].aligned == similarity[1, 2] / 2
    assert found["same", "unknown", "other kind"].n_pairs == 1
    assert found["unknown", "unknown", "unknown"].n_pairs == 4


@given(st.lists(st.tuples(*(st.sampled_from(v) for v in (
    ["lda", "pbe", None], [8, 27, 64, None], ["a", "b", None], [200.0, 300.0, 500.0, None]))), max_size=10))
@settings(deadline=None, max_examples=examples(60))
def test_any_settings_can_be_studied(chosen):
    rows = [
        {"xc_functional": f, "n_k_points": k, "basis_set": b, "cutoff_ev": c, "code": "x" if k else None}
        for f, k, b, c in chosen
    ]
    n = len(rows)
    matrix = np.random.default_rng(n).random((n, n))
    matrix = np.maximum(matrix, matrix.T)
    found = made(*rows)
    assert sum(b.n_pairs for b in differences_of(found, matrix, None)) == n * (n - 1) // 2
    for effect in importance_of(found, matrix, matrix):
        assert (effect.distance is None) == (effect.reason is not None)
        assert effect.low is None or effect.low <= effect.high
    for series in converged_of(found, matrix, 0.9):
        assert (series.status == "no series") == (series.reason is not None)


# Where it is converged

def mesh_series(values, **more):
    return [{"xc_functional": "pbe", "basis_set": "a", "n_k_points": int(v) ** 3, "cutoff_ev": 400.0} | more
            for v in values]


def k_series(rows, similarity, level):
    return [s for s in converged_of(made(*rows), np.asarray(similarity), level) if s.setting == "k_points"]


@pytest.mark.parametrize(("to_densest", "at"), [
    ([0.5, 0.95, 0.97, 1.0], "27 k-points"), ([0.95, 0.5, 0.97, 1.0], "64 k-points"),
    ([0.95, 0.95, 0.5, 1.0], None), ([0.9, 0.9, 0.9, 1.0], "8 k-points"),
])
def test_converged_from_where_on_all_denser_meshes_agree_with_the_densest(to_densest, at):
    similarity = np.eye(4)
    similarity[3] = similarity[:, 3] = to_densest
    [found] = k_series(mesh_series([2, 3, 4, 5]), similarity, 0.9)
    assert found.at == at
    assert found.status == ("reached" if at else "not reached")
    assert [step.lowest for step in found.steps] == to_densest


def test_only_calculations_with_all_else_the_same_are_compared():
    rows = mesh_series([2, 4]) + mesh_series([2, 4], cutoff_ev=600.0)
    similarity = np.eye(4)
    similarity[0, 1] = similarity[1, 0] = 0.95
    similarity[2, 3] = similarity[3, 2] = 0.8
    [found] = k_series(rows, similarity, 0.9)
    assert (found.status, found.steps[0].n, found.steps[0].lowest) == ("not reached", 2, 0.8)
    assert found.steps[0].mean == pytest.approx(0.875)
    assert k_series(rows, similarity, 0.8)[0].at == "8 k-points"


def test_where_there_is_no_series_it_says_why():
    [alone] = k_series(mesh_series([2, 2]), np.ones((2, 2)), 0.9)
    assert (alone.status, alone.reason) == ("no series", "all have 8 k-points")
    [unknown] = k_series([{"xc_functional": "pbe"}] * 2, np.ones((2, 2)), 0.9)
    assert unknown.reason == "k_points is unknown for all"
    [crossed] = k_series(mesh_series([2]) + mesh_series([4], cutoff_ev=600.0), np.ones((2, 2)), 0.9)
    assert "counterpart" in crossed.reason


def test_a_kind_of_basis_and_a_functional_have_a_series_each():
    rows = mesh_series([2, 4]) + mesh_series([2, 4], xc_functional="lda") + mesh_series([2, 4], basis_set="b")
    found = k_series(rows, np.ones((6, 6)), 0.9)
    assert [(s.functional, s.basis_kind, s.status) for s in found] == [
        ("lda", "a", "reached"), ("pbe", "a", "reached"), ("pbe", "b", "reached"),
    ]


# Which setting matters

def additive(rows, distances):
    """Similarities that are one minus the sum of what each differing setting adds."""
    n = len(rows)
    result = np.ones((n, n))
    for i in range(n):
        for j in range(n):
            result[i, j] -= sum(d for name, d in distances.items() if rows[i].get(name) != rows[j].get(name))
    return result


def test_settings_are_ranked_by_pairs_that_differ_in_nothing_else():
    distances = {"xc_functional": 0.1, "n_k_points": 0.3, "settings_tier": 0.05}
    rows = [
        {"xc_functional": f, "n_k_points": k, "settings_tier": t}
        for f in ("lda", "pbe") for k in (8, 64) for t in ("light", "tight")
    ]
    similarity = additive(rows, distances)
    found = importance_of(made(*rows), similarity, similarity)
    assert [(e.setting, e.method, e.n_pairs) for e in found] == [
        ("k_points", "one at a time", 4), ("functional", "one at a time", 4), ("tier", "one at a time", 4),
    ]
    assert [e.distance for e in found] == pytest.approx([0.3, 0.1, 0.05])
    assert [e.aligned_distance for e in found] == pytest.approx([0.3, 0.1, 0.05])
    for effect in found:
        assert effect.low <= effect.distance + 1e-9
        assert effect.distance - 1e-9 <= effect.high


def test_where_nothing_differs_alone_the_contributions_are_fitted():
    # Two of three settings change at every step, so that no pair differs in one alone.
    rows = [
        {"xc_functional": f, "n_k_points": k, "settings_tier": t}
        for f, k, t in (("lda", 8, "light"), ("lda", 64, "tight"), ("pbe", 8, "tight"), ("pbe", 64, "light"))
    ]
    similarity = additive(rows, {"xc_functional": 0.1, "n_k_points": 0.3, "settings_tier": 0.05})
    found = importance_of(made(*rows), similarity, None)
    assert [(e.setting, e.method) for e in found] == [
        ("k_points", "regression"), ("functional", "regression"), ("tier", "regression"),
    ]
    assert [e.distance for e in found] == pytest.approx([0.3, 0.1, 0.05])


def test_settings_that_always_change_together_cannot_be_told_apart():
    rows = [{"xc_functional": "lda", "code": "a"}, {"xc_functional": "pbe", "code": "b"}]
    found = importance_of(made(*rows), np.array([[1.0, 0.5], [0.5, 1.0]]), None)
    assert [(e.setting, e.method, e.distance) for e in found] == [("code", None, None), ("functional", None, None)]
    assert "changes together with functional" in found[0].reason


def test_what_is_unknown_on_one_side_is_no_clean_difference():
    rows = [{"xc_functional": "lda"}, {}, {}]
    [found] = importance_of(made(*rows), np.full((3, 3), 0.5), None)
    assert found.method != "one at a time"
    assert importance_of(made({}, {}), np.ones((2, 2)), None) == ()
