"""Greedy clustering on the sparse graph against the definition, taken literally on the dense matrix."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.similarity.greedy import greedy
from analytics.similarity.neighbours import FIXED_ONE, Neighbours
from tests.conftest import examples


def by_definition(similarity, threshold):
    """Lists and fractions: recount all neighbourhoods after every cluster."""
    left = list(range(len(similarity)))
    clusters, centers = [-1] * len(left), [-1] * len(left)
    number = 0
    while left:
        around = {i: [j for j in left if j != i and similarity[i][j] >= threshold] for i in left}
        means = {
            i: sum(Fraction(similarity[i][j]) for j in near) / len(near) if near else Fraction(0)
            for i, near in around.items()
        }
        center = max(left, key=lambda i: (len(around[i]), means[i], -i))
        if not around[center]:
            break
        for member in [center, *around[center]]:
            clusters[member], centers[member] = number, center
        left = [i for i in left if clusters[i] < 0]
        number += 1
    return clusters, centers


def on_graph(similarity, threshold):
    matrix = np.asarray(similarity, float).reshape(len(similarity), len(similarity))
    left, right = np.nonzero(np.triu(matrix >= threshold, 1))
    shuffle = np.random.default_rng(len(left)).permutation(len(left))
    graph = Neighbours.of(len(matrix), left[shuffle], right[shuffle], matrix[left, right][shuffle])
    clusters, centers = greedy(graph)
    return clusters.tolist(), centers.tolist()


@st.composite
def matrices(draw):
    """Symmetric, in steps coarse enough that ties of degree and of mean are frequent."""
    n = draw(st.integers(0, 12))
    steps = draw(st.sampled_from([1, 2, 4, 64]))
    values = draw(st.lists(st.integers(0, steps), min_size=n * n, max_size=n * n))
    matrix = np.array(values, float).reshape(n, n) / steps
    matrix = np.triu(matrix, 1)
    return (matrix + matrix.T + np.eye(n)).tolist()


@given(matrices(), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
@settings(max_examples=examples(300), deadline=None)
def test_it_is_the_definition(similarity, threshold):
    assert on_graph(similarity, threshold) == by_definition(similarity, threshold)


@given(st.integers(0, 2**32 - 1), st.integers(20, 60), st.sampled_from([0.55, 0.7, 0.8]))
@settings(max_examples=examples(30), deadline=None)
def test_it_is_the_definition_on_clustered_points(seed, n, threshold):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(6, 2))[generator.integers(0, 6, n)] + generator.normal(size=(n, 2)) * 0.3
    distance = np.abs(points[:, None] - points[None]).sum(axis=2)
    similarity = np.rint(256 / (1 + distance)) / 256
    clusters, centers = on_graph(similarity, threshold)
    assert (clusters, centers) == by_definition(similarity.tolist(), threshold)
    for node, center in enumerate(centers):
        assert center < 0 or similarity[node, center] >= threshold
    sizes = np.bincount([c for c in clusters if c >= 0])
    assert (np.diff(sizes) <= 0).all()


@given(matrices(), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_weighted_nodes_are_the_expanded_graph(similarity, data):
    n = len(similarity)
    weights = data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    matrix = np.array(similarity).reshape(n, n)
    expanded = np.repeat(np.arange(n), weights)
    clusters, centers = by_definition(matrix[np.ix_(expanded, expanded)].tolist(), 0.5)
    left, right = np.nonzero(np.triu(matrix >= 0.5, 1))
    weight = np.array(weights, np.int64)
    found, found_centers = greedy(
        Neighbours.of(n, left, right, matrix[left, right]), weight, (weight - 1) * FIXED_ONE
    )
    assert found[expanded].tolist() == clusters
    first = np.concatenate([[0], np.cumsum(weight)[:-1]]).astype(int) if n else np.zeros(0, int)
    assert [first[c] if c >= 0 else -1 for c in found_centers[expanded]] == centers


@pytest.mark.parametrize(("n", "value", "expected"), [
    (0, 1.0, []), (1, 1.0, [-1]), (4, 1.0, [0, 0, 0, 0]), (4, 0.0, [-1, -1, -1, -1]),
])
def test_degenerate_sets(n, value, expected):
    clusters, _ = on_graph(np.full((n, n), value).tolist(), 0.8)
    assert clusters == expected


def test_the_larger_mean_goes_first_then_the_smaller_node():
    chain = np.eye(4)
    for a, b, s in ((0, 1, 0.8), (1, 2, 0.8), (2, 3, 0.9)):
        chain[a, b] = chain[b, a] = s
    assert on_graph(chain.tolist(), 0.8) == ([-1, 0, 0, 0], [-1, 2, 2, 2])
    chain[2, 3] = chain[3, 2] = 0.8
    assert on_graph(chain.tolist(), 0.8) == ([0, 0, 0, -1], [1, 1, 1, -1])


def test_pairs_that_are_none_are_refused():
    with pytest.raises(ValueError, match="itself"):
        Neighbours.of(3, np.array([1]), np.array([1]), np.array([1.0]))
    with pytest.raises(ValueError, match="outside"):
        Neighbours.of(3, np.array([1]), np.array([3]), np.array([1.0]))
