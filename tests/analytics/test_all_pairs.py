"""All pairs over a lake: exact, grouped without loss, the same wherever it is done."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pair_lakes import GRID, WIDTH, brute_force, drawn, leftovers, listed, put, windows
from report_lakes import calculation, fill

from analytics.similarity import sorted_index
from analytics.similarity.pairs import TooManyPairsError
from analytics.similarity.run import State, all_pairs
from lake.errors import InputError, SettingsError
from lake.store.lake import Lake


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tiles also for few fingerprints."""
    monkeypatch.setattr(sorted_index, "SMALLEST_TILE", 16)
    monkeypatch.setattr(sorted_index, "OWN_TILE_ROWS", 8)


def check_against_brute_force(lake: Lake, n: int, threshold: float) -> None:
    counts = drawn(n)
    starts, stops = windows(n, 5)
    ids = put(lake, counts, starts, stops)
    states: list[State] = []
    result = all_pairs(lake, GRID, threshold, progress=states.append)
    expected = brute_force(ids, counts, threshold, starts, stops)
    assert len(expected) > n
    assert listed(lake) == expected
    assert result.n_pairs == len(listed(lake, "similarities"))
    assert result.n_fingerprints == n
    assert result.n_identical > n // 25
    assert result.n_tasks > n // 13
    assert (states[-1].doing, states[-1].done, states[-1].pairs) == ("compare", result.n_tasks, result.n_pairs)
    assert leftovers(lake) == []


@pytest.mark.parametrize("threshold", [0.9, 0.6])
def test_equals_brute_force(lake: Lake, threshold: float) -> None:
    check_against_brute_force(lake, 250, threshold)


def test_equals_brute_force_on_s3(s3_lake: Lake) -> None:
    check_against_brute_force(s3_lake, 60, 0.6)


@given(seed=st.integers(0, 2**31), n=st.sampled_from((2, 17, 60)), several=st.sampled_from((0, 1, 6)),
       threshold=st.sampled_from((0.3, 0.8, 0.95, 1.0)), copies=st.sampled_from((0.0, 0.5)))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equals_brute_force_on_random_lakes(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, several: int, threshold: float, copies: float
) -> None:
    from tests.conftest import quick_settings

    lake = Lake.open(str(tmp_path_factory.mktemp("drawn")), quick_settings())
    counts = drawn(n, seed, families=3, copies=copies)
    starts, stops = windows(n, several, seed)
    ids = put(lake, counts, starts, stops)
    all_pairs(lake, GRID, threshold)
    assert listed(lake) == brute_force(ids, counts, threshold, starts, stops)


def test_counts_outside_what_is_covered_are_not_seen(lake: Lake) -> None:
    counts = np.full((2, WIDTH), 5)
    counts[1, 100:] = 50
    ids = put(lake, counts, [0, 0], [100, 100])
    result = all_pairs(lake, GRID, 1.0)
    assert result.n_identical == 1
    assert listed(lake) == [(min(ids), max(ids), 1.0)]


@pytest.mark.parametrize(("value", "n_identical", "n_all"), [(3, 29, 30 * 29 // 2), (0, 0, 0)])
def test_all_equal_and_all_empty(lake: Lake, value: int, n_identical: int, n_all: int) -> None:
    ids = put(lake, np.full((30, WIDTH), value))
    result = all_pairs(lake, GRID, 0.5)
    assert (result.n_identical, result.n_pairs) == (n_identical, 0)
    assert len(listed(lake)) == n_all
    assert {row["representative_id"] for row in lake.read("similarity_groups").to_pylist()} <= {min(ids)}


def test_one_none_and_no_fingerprint(lake: Lake) -> None:
    with pytest.raises(InputError, match="no fingerprints so far: run matlake fingerprint"):
        all_pairs(lake, GRID, 0.9)
    put(lake, None, ids=["x/aside"])
    assert all_pairs(lake, GRID, 0.9).n_fingerprints == 0
    put(lake, np.full((1, WIDTH), 2), ids=["x/one"])
    assert (all_pairs(lake, GRID, 0.9).n_fingerprints, listed(lake)) == (1, [])
    [run] = lake.read("similarity_runs").to_pylist()
    assert (run["n_fingerprints"], run["n_pairs"], run["threshold"]) == (1, 0, 0.9)
    with pytest.raises(InputError, match=r"no fingerprints on the grid dos-paper \(there are some on dos-reference\)"):
        all_pairs(lake, "dos-paper", 0.9)


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_impossible_thresholds(lake: Lake, threshold: float) -> None:
    put(lake, drawn(3))
    with pytest.raises(SettingsError, match="--threshold"):
        all_pairs(lake, GRID, threshold)


def test_grids_never_meet(lake: Lake) -> None:
    counts = drawn(40)
    put(lake, counts)
    wider = np.pad(counts, ((0, 0), (0, 8)))
    put(lake, wider, stops=np.full(40, 152), grid="dos-paper", ids=[f"y/{k}" for k in range(40)])
    all_pairs(lake, GRID, 0.5)
    before = listed(lake)
    paper = all_pairs(lake, "dos-paper", 0.5)
    assert paper.n_fingerprints == 40
    assert listed(lake) == before
    assert {left[0] for left, _, _ in before} == {"x"}
    assert {left[0] for left, _, _ in listed(lake, grid="dos-paper")} == {"y"}


def test_too_many_pairs_publish_nothing_and_leave_nothing(lake: Lake) -> None:
    put(lake, drawn(200, copies=0))
    all_pairs(lake, GRID, 0.99)
    before, versions = listed(lake), lake.versions()
    with pytest.raises(TooManyPairsError, match=r"More than 100 pairs of 200 .* --most-pairs"):
        all_pairs(lake, GRID, 0.3, most_pairs=100)
    assert (listed(lake), lake.versions()) == (before, versions)
    assert leftovers(lake) == []
    n = all_pairs(lake, GRID, 0.3).n_pairs
    assert all_pairs(lake, GRID, 0.31, most_pairs=n).n_pairs <= n


def test_the_same_question_is_answered_from_the_lake(lake: Lake) -> None:
    put(lake, drawn(60))
    first = all_pairs(lake, GRID, 0.8)
    again = all_pairs(lake, GRID, 0.8)
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.n_pairs, again.n_identical, again.similarities_version) == (
        first.n_pairs, first.n_identical, first.similarities_version)
    put(lake, drawn(5, seed=9), ids=[f"z/{k}" for k in range(5)])
    assert all_pairs(lake, GRID, 0.8).n_fingerprints == 65
    assert not all_pairs(lake, GRID, 0.85).n_resumed


def materials(lake: Lake, ids: list[str], elements: list[str]) -> None:
    rows = [calculation("x", name.removeprefix("x/"), {"O": 1, e: 1}) for name, e in zip(ids, elements, strict=True)]
    fill(lake, "calculations", rows)


def near_set(n: int) -> np.ndarray:
    """One shape with a little noise: similarities of 0.95 to 1."""
    random = np.random.default_rng(4)
    base = random.integers(10, 50, WIDTH)
    return np.clip(base + random.integers(-1, 2, (n, WIDTH)) * (random.random((n, WIDTH)) < 0.5), 0, 56)


def test_large_materials_are_folded_within_the_declared_bound(lake: Lake) -> None:
    counts = near_set(90)
    ids = put(lake, counts)
    materials(lake, ids, ["Mg"] * 60 + ["Zn"] * 30)
    result = all_pairs(lake, GRID, 0.9, fold_above=50, fold_similarity=0.98)
    groups = lake.read("similarity_groups").to_pylist()
    assert result.n_near == len(groups) > 20
    assert result.n_representatives == 90 - result.n_near
    exact = {(a, b): value for a, b, value in brute_force(ids, counts, 0.01)}

    def similarity(a: str, b: str) -> float:
        return 1.0 if a == b else exact[min(a, b), max(a, b)]

    in_mg = set(ids[:60])
    folded = {row["calculation_id"]: row for row in groups}
    assert {row["group_kind"] for row in groups} == {"near"}
    for row in groups:
        assert {row["calculation_id"], row["representative_id"]} <= in_mg
        assert row["similarity"] == similarity(row["calculation_id"], row["representative_id"]) >= 0.98
        assert row["representative_id"] not in folded
        for other in ids:
            apart = abs(similarity(row["calculation_id"], other) - similarity(row["representative_id"], other))
            assert apart <= 1 - row["similarity"] + 1e-12
    kept = [name for name in ids if name not in folded]
    assert listed(lake, "similarities") == [
        (a, b, value) for (a, b), value in sorted(exact.items()) if value >= 0.9 and {a, b} <= set(kept)
    ]
    [run] = lake.read("similarity_runs").to_pylist()
    assert (run["fold_above"], run["fold_similarity"]) == (50, 0.98)


def test_small_materials_and_unfolded_runs_are_exact(lake: Lake) -> None:
    counts = near_set(40)
    ids = put(lake, counts)
    materials(lake, ids, ["Mg"] * 40)
    expected = brute_force(ids, counts, 0.9)
    all_pairs(lake, GRID, 0.9, fold_above=40)
    assert listed(lake) == expected
    all_pairs(lake, GRID, 0.9, fold_above=None)
    assert listed(lake) == expected
    # What is listed from 0.995 on must not be folded at 0.98.
    all_pairs(lake, GRID, 0.995, fold_above=10)
    assert all(row["similarity"] >= 0.995 for row in lake.read("similarity_groups").to_pylist())


def test_copies_of_folded_ones_follow_them(lake: Lake) -> None:
    counts = np.concatenate([near_set(30), near_set(30)[:5]])
    ids = put(lake, counts)
    materials(lake, ids, ["Mg"] * 35)
    all_pairs(lake, GRID, 0.9, fold_above=10, fold_similarity=0.97)
    groups = {row["calculation_id"]: row for row in lake.read("similarity_groups").to_pylist()}
    assert {row["representative_id"] for row in groups.values()} & set(groups) == set()
    exact = {(a, b): value for a, b, value in brute_force(ids, counts, 0.9)}
    for a, b, value in listed(lake):
        assert exact[a, b] == value
