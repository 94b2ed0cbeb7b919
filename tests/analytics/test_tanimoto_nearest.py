"""The pruned search for the nearest rows against sorting all coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from fingerprint_sets import Fingerprints, fingerprint_sets, make
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.similarity import tanimoto
from analytics.similarity.index import Index
from analytics.similarity.nearest import nearest, nearest_many
from lake.errors import InputError, SettingsError
from tests.conftest import examples


def by_sorting(coefficients: np.ndarray, k: int, without: int | None) -> tuple[list[int], list[float]]:
    order = np.lexsort((np.arange(len(coefficients)), -coefficients))
    order = order[order != without][:k] if without is not None else order[:k]
    return order.tolist(), coefficients[order].tolist()


def window_of(drawn: Fingerprints, row: int) -> tuple[int, int] | None:
    if drawn.starts is None or drawn.stops is None:
        return None
    return int(drawn.starts[row]), int(drawn.stops[row])


@given(fingerprint_sets(), st.sampled_from((1, 2, 10, 64, 500)), st.integers(0, 199), st.booleans())
@settings(max_examples=examples(150), deadline=None)
def test_nearest_is_sorting_all(drawn: Fingerprints, k: int, place: int, leave_out: bool) -> None:
    if not len(drawn):
        return
    row = place % len(drawn)
    window = window_of(drawn, row)
    without = row if leave_out else None
    coefficients = tanimoto.against(drawn.counts[row], drawn.counts, window, starts=drawn.starts, stops=drawn.stops)
    index = Index.of(drawn.counts, drawn.starts, drawn.stops)
    numbers, values = nearest(index, drawn.counts[row], k, window=window, without=without)
    assert (numbers.tolist(), values.tolist()) == by_sorting(coefficients, k, without)


@given(fingerprint_sets(largest=150), st.integers(0, 2**32), st.tuples(st.integers(0, 311), st.integers(0, 311)))
@settings(max_examples=examples(100), deadline=None)
def test_queries_from_elsewhere_with_a_window_of_their_own(drawn: Fingerprints, seed: int,
                                                          ends: tuple[int, int]) -> None:
    n_counts = drawn.counts.shape[1]
    query = np.random.default_rng(seed).integers(0, int(drawn.counts.max(initial=0)) + 1, n_counts)
    query = query.astype(drawn.counts.dtype)
    window = min(ends[0], n_counts), min(ends[1], n_counts)
    coefficients = tanimoto.against(query, drawn.counts, window, starts=drawn.starts, stops=drawn.stops)
    numbers, values = nearest(Index.of(drawn.counts, drawn.starts, drawn.stops), query, 7, window=window)
    assert (numbers.tolist(), values.tolist()) == by_sorting(coefficients, 7, None)


def test_many_queries_are_the_single_ones() -> None:
    drawn = make("clustered", 900, 144, 56, 11, 4)
    index = Index.of(drawn.counts, drawn.starts, drawn.stops)
    rows = np.arange(0, 900, 90)
    assert drawn.starts is not None
    assert drawn.stops is not None
    numbers, values = nearest_many(index, drawn.counts[rows], 5, starts=drawn.starts[rows], stops=drawn.stops[rows],
                                   without=rows)
    for place, row in enumerate(rows.tolist()):
        one = nearest(index, drawn.counts[row], 5, window=window_of(drawn, row), without=row)
        assert np.array_equal(numbers[place], one[0])
        assert np.array_equal(values[place], one[1])


def test_missing_rows_of_many_queries_are_marked() -> None:
    numbers, values = nearest_many(Index.of(np.ones((2, 4), np.uint8)), np.ones((1, 4), np.uint8), 4)
    assert numbers.tolist() == [[0, 1, -1, -1]]
    assert values[0, :2].tolist() == [1.0, 1.0]
    assert np.isnan(values[0, 2:]).all()


def test_larger_sets_with_many_ties() -> None:
    counts = np.repeat(make("clustered", 1000, 40, 20, 3, 0).counts, 8, axis=0)
    index = Index.of(counts)
    for row in range(0, 8000, 571):
        numbers, values = nearest(index, counts[row], 21)
        assert (numbers.tolist(), values.tolist()) == by_sorting(tanimoto.against(counts[row], counts), 21, None)


def test_an_empty_index_has_no_nearest() -> None:
    numbers, values = nearest(Index.of(np.empty((0, 4), np.uint8)), [1, 2, 3, 4], 3)
    assert numbers.shape == values.shape == (0,)


def test_what_cannot_be_asked() -> None:
    index = Index.of(np.ones((3, 4), np.uint8))
    with pytest.raises(SettingsError, match="At least 1"):
        nearest(index, [1, 1, 1, 1], 0)
    with pytest.raises(InputError, match="two grids"):
        nearest(index, [1, 1, 1], 1)
    with pytest.raises(InputError, match="cannot be compared"):
        nearest(index, [1, 1, 1, 300], 1)
    with pytest.raises(InputError, match="within 0…4"):
        nearest(index, [1, 1, 1, 1], 1, window=(0, 5))
    with pytest.raises(InputError, match="one row number for each"):
        nearest_many(index, np.ones((2, 4), np.uint8), 1, without=[0])
