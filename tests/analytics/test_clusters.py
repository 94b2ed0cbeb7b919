"""Clusters on a lake: what is read, what is written, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from report_lakes import calculation, fill
from similar_lakes import GRID, fingerprint, put_fingerprints, put_similarities
from test_greedy import by_definition

from analytics.similarity.clusters import cluster
from lake.errors import SettingsError, TableError


def names(n):
    return [f"x/{i:03}" for i in range(n)]


def lake_of(lake, n, pairs, threshold=0.5, groups=()):
    put_fingerprints(lake, [fingerprint(name, [1]) for name in names(n)])
    return put_similarities(lake, pairs, threshold, list(groups))


def clusters_of(lake):
    rows = lake.read("clusters").sort_by("calculation_id").to_pylist()
    return {row["calculation_id"]: row for row in rows}


@pytest.mark.parametrize("seed", range(5))
def test_the_table_is_the_definition(lake, seed):
    generator = np.random.default_rng(seed)
    n = 40
    matrix = np.rint(generator.random((n, n)) * 16) / 16
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T + np.eye(n)
    ids = names(n)
    listed = [(ids[i], ids[j], matrix[i, j]) for i in range(n) for j in range(i) if matrix[i, j] >= 0.75]
    lake_of(lake, n, listed)
    result = cluster(lake, GRID, threshold=0.875)
    expected, centers = by_definition(matrix.tolist(), 0.875)
    found = clusters_of(lake)
    assert [found[i]["cluster"] for i in ids] == expected
    assert [found[i]["center_id"] for i in ids] == [ids[c] if c >= 0 else None for c in centers]
    for place, center in enumerate(centers):
        assert found[ids[place]]["similarity_to_center"] == (matrix[place, center] if center >= 0 else None)
        assert found[ids[place]]["n_members"] == (expected.count(expected[place]) if center >= 0 else 1)
    assert sum(result.sizes) + result.n_single == n
    assert result.sizes == tuple(sorted(result.sizes, reverse=True))


def test_components_chain_and_have_no_centre(lake):
    ids = names(6)
    lake_of(lake, 6, [(ids[0], ids[1], 0.9), (ids[1], ids[2], 0.9), (ids[3], ids[4], 0.6)])
    result = cluster(lake, GRID, "components", 0.8)
    found = clusters_of(lake)
    assert [found[i]["cluster"] for i in ids] == [0, 0, 0, -1, -1, -1]
    assert {row["center_id"] for row in found.values()} == {None}
    assert (result.sizes, result.n_single) == ((3,), 3)


@pytest.mark.parametrize("method", ["greedy", "components"])
def test_calculations_that_are_exactly_alike_count_one_by_one(lake, method):
    ids = names(6)
    # 1 and 3 are 2; 5 is the pair of 0. Representatives need not come first.
    groups = [(ids[1], ids[2], 1.0, "identical"), (ids[3], ids[2], 1.0, "identical")]
    lake_of(lake, 6, [(ids[0], ids[5], 0.9), (ids[2], ids[4], 0.8)], groups=groups)
    cluster(lake, GRID, method, 0.8)
    found = clusters_of(lake)
    assert [found[i]["cluster"] for i in ids] == [1, 0, 0, 0, 0, 1]
    if method == "greedy":
        assert {found[i]["center_id"] for i in ids[1:5]} == {ids[1]}
        assert [found[i]["similarity_to_center"] for i in ids[1:5]] == [1.0, 1.0, 1.0, 0.8]


def test_those_folded_as_near_follow_their_representative(lake):
    ids = names(5)
    groups = [(ids[0], ids[1], 0.98, "near"), (ids[2], ids[1], 1.0, "identical")]
    lake_of(lake, 5, [(ids[1], ids[3], 0.9), (ids[3], ids[4], 0.95)], groups=groups)
    cluster(lake, GRID, threshold=0.8)
    found = clusters_of(lake)
    # 3 sees 0, 1, 2 and 4: the largest neighbourhood.
    assert [found[i]["cluster"] for i in ids] == [0] * 5
    assert {row["center_id"] for row in found.values()} == {ids[3]}
    assert [found[i]["similarity_to_center"] for i in ids] == [None, 0.9, 0.9, 1.0, 0.95]
    with pytest.raises(SettingsError, match="folded"):
        cluster(lake, GRID, threshold=0.99)


def test_empty_fingerprints_are_alike_and_yet_no_neighbours(lake):
    ids = names(3)
    lake_of(lake, 3, [], groups=[(ids[1], ids[0], 0.0, "identical")])
    assert cluster(lake, GRID).n_single == 3


def test_a_lake_without_any_comparable_calculation(lake):
    put_fingerprints(lake, [fingerprint("x/1", None)])
    put_similarities(lake, [], 0.5)
    assert cluster(lake, GRID).sizes == ()
    assert lake.read("clusters").num_rows == 0


def test_the_same_again_replaces_and_another_threshold_adds(lake):
    ids = names(3)
    lake_of(lake, 3, [(ids[0], ids[1], 0.7)])
    for threshold in (0.6, 0.6, 0.8):
        cluster(lake, GRID, threshold=threshold)
    rows = lake.read("clusters").to_pylist()
    assert sorted((row["threshold"], row["calculation_id"], row["cluster"]) for row in rows) == [
        (0.6, ids[0], 0), (0.6, ids[1], 0), (0.6, ids[2], -1), (0.8, ids[0], -1), (0.8, ids[1], -1), (0.8, ids[2], -1),
    ]


def test_pairs_that_were_not_computed_are_asked_for(lake):
    with pytest.raises(SettingsError, match=r"matlake similar --threshold 0\.8"):
        cluster(lake, GRID)
    lake_of(lake, 2, [], threshold=0.9)
    with pytest.raises(SettingsError, match=r"from 0.9 on.*matlake similar --threshold 0.8"):
        cluster(lake, GRID)
    with pytest.raises(SettingsError, match="dos-reference"):
        cluster(lake, "dos-paper")
    with pytest.raises(SettingsError, match="greedy, components"):
        cluster(lake, GRID, "kmeans")
    with pytest.raises(SettingsError, match="above 0"):
        cluster(lake, GRID, threshold=1.5)


def test_a_pair_of_a_folded_calculation_is_a_broken_table(lake):
    ids = names(2)
    lake_of(lake, 2, [(ids[0], ids[1], 0.9)], groups=[(ids[1], ids[0], 1.0, "identical")])
    with pytest.raises(TableError, match="again"):
        cluster(lake, GRID)


def test_clusters_can_be_asked_for_beside_the_calculations(any_lake):
    lake = any_lake
    ids = names(2)
    fill(lake, "calculations", [calculation("x", i.removeprefix("x/"), {"Na": 1}) for i in ids])
    lake_of(lake, 2, [(ids[0], ids[1], 0.9)])
    cluster(lake, GRID)
    with lake.connect() as connection:
        found = connection.execute(
            "select calculation_id, formula_cell, cluster, center_id from clustered_calculations order by all"
        ).fetchall()
    assert found == [(ids[0], "Na", 0, ids[0]), (ids[1], "Na", 0, ids[0])]
