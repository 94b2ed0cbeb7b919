"""The pruned search of all pairs against the comparison of all pairs: the same pairs, the same float64."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from fingerprint_sets import KINDS, Fingerprints, fingerprint_sets, make
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.similarity import tanimoto
from analytics.similarity.index import Index
from analytics.similarity.pairs import Pairs, TooManyPairsError, pairs_above, pairs_between
from lake.errors import InputError, SettingsError
from tests.conftest import examples

THRESHOLDS = st.one_of(st.sampled_from((1e-300, 0.5, 0.7, 0.9, 1.0)), st.floats(0.0, 1.0, exclude_min=True))


def index_of(drawn: Fingerprints) -> Index:
    return Index.of(drawn.counts, drawn.starts, drawn.stops)


def joined(chunks: Iterable[Pairs]) -> list[tuple[int, int, float]]:
    """All pairs, sorted; one that comes twice stays twice."""
    return sorted(row for chunk in chunks for row in zip(*(column.tolist() for column in chunk), strict=True))


def brute_force(matrix: np.ndarray, threshold: float, once: bool) -> list[tuple[int, int, float]]:
    left, right = np.nonzero(np.triu(matrix >= threshold, 1) if once else matrix >= threshold)
    return list(zip(left.tolist(), right.tolist(), matrix[left, right].tolist(), strict=True))


@given(fingerprint_sets(), THRESHOLDS, st.sampled_from((64, 200, 100_000)))
@settings(max_examples=examples(150), deadline=None)
def test_pairs_are_those_of_brute_force(drawn: Fingerprints, threshold: float, chunk: int) -> None:
    matrix = tanimoto.matrix(drawn.counts, drawn.starts, drawn.stops)
    found = joined(pairs_above(index_of(drawn), threshold, chunk=chunk))
    assert found == brute_force(matrix, threshold, once=True)


@given(fingerprint_sets(largest=150), st.integers(0, 10_000))
@settings(max_examples=examples(60), deadline=None)
def test_a_threshold_that_is_a_coefficient_is_reached(drawn: Fingerprints, place: int) -> None:
    matrix = tanimoto.matrix(drawn.counts, drawn.starts, drawn.stops)
    values = np.unique(matrix[matrix > 0])
    if not len(values):
        return
    exact = float(values[place % len(values)])
    for threshold in (exact, float(np.nextafter(exact, 0.0)), min(float(np.nextafter(exact, 2.0)), 1.0)):
        found = joined(pairs_above(index_of(drawn), threshold))
        assert found == brute_force(matrix, threshold, once=True)


@given(fingerprint_sets(largest=150), THRESHOLDS, st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=examples(60), deadline=None)
def test_shares_of_the_work_make_the_whole(drawn: Fingerprints, threshold: float, cuts: list[int]) -> None:
    index = index_of(drawn)
    edges = [0, *sorted(min(cut, len(drawn)) for cut in cuts), len(drawn)]
    shares = [pairs for rows in pairwise(edges)
              for pairs in pairs_above(index, threshold, rows=rows, chunk=100)]
    assert joined(shares) == joined(pairs_above(index, threshold))


@given(fingerprint_sets(largest=150), THRESHOLDS, st.integers(0, 150))
@settings(max_examples=examples(80), deadline=None)
def test_tiles_make_the_whole(drawn: Fingerprints, threshold: float, cut: int) -> None:
    """Two indexes of the halves, and one of all, find the same."""
    windows = [(None, None) if drawn.starts is None or drawn.stops is None else (drawn.starts[part], drawn.stops[part])
               for part in (slice(None, cut), slice(cut, None))]
    left, right = Index.of(drawn.counts[:cut], *windows[0]), Index.of(drawn.counts[cut:], *windows[1])
    found = joined(pairs_above(left, threshold))
    found += [(i + left.n_rows, j + left.n_rows, value) for i, j, value in joined(pairs_above(right, threshold))]
    between = joined(pairs_between(left, right, threshold, chunk=64))
    found += [(i, j + left.n_rows, value) for i, j, value in between]
    assert sorted(found) == joined(pairs_above(index_of(drawn), threshold))
    assert joined(pairs_between(right, left, threshold)) == sorted((j, i, value) for i, j, value in between)


def test_tiles_of_different_units_and_widths_of_numbers_meet() -> None:
    """Coarse sums of a tile with large totals are in larger units than those of a tile with small ones."""
    large, small = make("clustered", 200, 152, 2048, 1, 0).counts, make("clustered", 150, 152, 56, 1, 0).counts
    small[:20] = np.minimum(large[:20], 255)
    left, right = Index.of(large), Index.of(small)
    assert left.parts[0].shift != right.parts[0].shift
    assert left.parts[0].counts.dtype != right.parts[0].counts.dtype
    found = joined(pairs_between(left, right, 0.05))
    assert found == brute_force(tanimoto.block(large, small), 0.05, once=False)
    assert len(found) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_larger_sets(kind: str) -> None:
    """Enough rows for several groups of 64 leaves."""
    drawn = make(kind, 5000 if kind in ("random", "clustered", "sparse") else 700, 40, 56, 3, 0)
    matrix = tanimoto.matrix(drawn.counts)
    for threshold in (0.6, 0.95):
        found = list(pairs_above(index_of(drawn), threshold, chunk=5000))
        ours = np.concatenate([*(p.left * len(drawn) + p.right for p in found), np.empty(0, np.int64)])
        theirs = np.flatnonzero(np.triu(matrix >= threshold, 1))
        assert np.array_equal(np.sort(ours), theirs)
        assert np.array_equal(np.concatenate([*(p.similarity for p in found), []]), matrix.ravel()[ours])


def test_every_row_of_an_index_is_there_once_and_bounded() -> None:
    drawn = make("random", 1000, 144, 56, 7, 5)
    index = index_of(drawn)
    assert sorted(number for part in index.parts for number in part.order.tolist()) == list(range(1000))
    for part in index.parts:
        given_rows = drawn.counts[part.order, part.start:part.stop]
        assert np.array_equal(part.counts[:, :given_rows.shape[1]], given_rows)
        assert not part.counts[:, given_rows.shape[1]:].any()
        assert np.array_equal(part.totals, given_rows.sum(axis=1))
        assert part.lowest.min() == part.totals.min()
        assert part.highest.max() == part.totals.max()
    assert index.lowest_total <= index.highest_total


def test_the_order_of_an_index_is_the_same_every_time() -> None:
    counts = make("clustered", 3000, 144, 56, 7, 0).counts
    first, second = Index.of(counts), Index.of(counts.copy())
    assert np.array_equal(first.parts[0].order, second.parts[0].order)


def test_an_index_survives_pickling() -> None:
    index = index_of(make("clustered", 500, 144, 56, 2, 3))
    copy = pickle.loads(pickle.dumps(index))
    assert joined(pairs_above(copy, 0.8)) == joined(pairs_above(index, 0.8))


def test_too_many_pairs_are_noticed_and_memory_stays_that_of_a_chunk() -> None:
    """20,000 equal rows make 200 million pairs."""
    index = Index.of(np.full((20_000, 32), 7, np.uint8))
    next(pairs_above(index, 0.9, chunk=1000))  # compile before memory is measured
    taken: list[int] = []
    tracemalloc.start()
    with pytest.raises(TooManyPairsError, match="more than 1,000,000 pairs"):
        taken.extend(len(pairs.left) for pairs in pairs_above(index, 0.9, chunk=10_000, most=1_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 980_000 < sum(taken) <= 1_000_000
    assert peak < 2_000_000


def test_as_many_pairs_as_allowed_are_no_error() -> None:
    index = Index.of(np.full((100, 32), 7, np.uint8))
    assert len(joined(pairs_above(index, 0.9, most=4950))) == 4950
    with pytest.raises(TooManyPairsError):
        joined(pairs_above(index, 0.9, most=4949))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.0001, float("nan")])
def test_thresholds_outside_are_refused(threshold: float) -> None:
    index = Index.of(np.ones((2, 4), np.uint8))
    with pytest.raises(SettingsError, match="threshold"):
        next(pairs_above(index, threshold))
    with pytest.raises(SettingsError, match="threshold"):
        next(pairs_between(index, index, threshold))


def test_two_grids_never_meet() -> None:
    with pytest.raises(InputError, match="two grids"):
        next(pairs_between(Index.of(np.ones((2, 4), np.uint8)), Index.of(np.ones((2, 5), np.uint8)), 0.5))


def test_a_chunk_must_hold_the_pairs_of_a_row_and_a_leaf() -> None:
    with pytest.raises(SettingsError, match="at least 64"):
        next(pairs_above(Index.of(np.ones((2, 4), np.uint8)), 0.5, chunk=63))
