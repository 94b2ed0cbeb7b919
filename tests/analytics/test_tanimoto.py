"""The plain coefficients against their definition in Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from fingerprint_sets import Fingerprints, coefficient_in_integers, fingerprint_sets, make
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.similarity import tanimoto
from analytics.similarity.compiled import compiled
from lake.errors import InputError
from tests.conftest import examples


def expected(drawn: Fingerprints) -> np.ndarray:
    rows = drawn.counts.tolist()
    starts = [0] * len(rows) if drawn.starts is None else drawn.starts.tolist()
    stops = [drawn.counts.shape[1]] * len(rows) if drawn.stops is None else drawn.stops.tolist()
    result = np.empty((len(rows), len(rows)))
    for i, left in enumerate(rows):
        for j, right in enumerate(rows):
            window = max(starts[i], starts[j]), min(stops[i], stops[j])
            result[i, j] = coefficient_in_integers(left, right, window)
    return result


@given(fingerprint_sets(largest=20))
@settings(max_examples=examples(60), deadline=None)
def test_matrix_is_the_definition(drawn: Fingerprints) -> None:
    if len(drawn) > 20:
        drawn = Fingerprints(drawn.counts[:20], *(None if w is None else w[:20] for w in (drawn.starts, drawn.stops)))
    assert np.array_equal(tanimoto.matrix(drawn.counts, drawn.starts, drawn.stops), expected(drawn))


@given(fingerprint_sets(), st.integers(0, 199))
@settings(max_examples=examples(60), deadline=None)
def test_all_forms_agree(drawn: Fingerprints, place: int) -> None:
    matrix = tanimoto.matrix(drawn.counts, drawn.starts, drawn.stops)
    windows = drawn.starts, drawn.stops
    assert np.array_equal(tanimoto.block(drawn.counts, drawn.counts, *windows, *windows), matrix)
    if not len(drawn):
        return
    row = place % len(drawn)
    window = None if drawn.starts is None or drawn.stops is None else (int(drawn.starts[row]), int(drawn.stops[row]))
    one = tanimoto.against(drawn.counts[row], drawn.counts, window, starts=drawn.starts, stops=drawn.stops)
    assert np.array_equal(one, matrix[row])
    last = None if drawn.starts is None or drawn.stops is None else (int(drawn.starts[-1]), int(drawn.stops[-1]))
    assert tanimoto.coefficient(drawn.counts[row], drawn.counts[-1], window, last) == matrix[row, -1]


def test_thermometer_bits_have_the_same_coefficient() -> None:
    counts = make("random", 12, 30, 56, 5, 0).counts
    bits = (np.arange(56) < counts[..., None]).reshape(len(counts), -1)
    both = (bits[:, None] & bits).sum(axis=-1)
    either = (bits[:, None] | bits).sum(axis=-1)
    assert np.array_equal(tanimoto.matrix(counts), both / either)


def test_counts_outside_a_window_are_ignored() -> None:
    left, right = np.array([9, 3, 4, 9]), np.array([1, 3, 5, 200])
    assert tanimoto.coefficient(left, right, (1, 3)) == 7 / 8
    assert tanimoto.coefficient(left, right, (1, 3), (2, 4)) == 4 / 5
    assert tanimoto.coefficient(left, right, (0, 2), (2, 4)) == 0.0


def test_lists_and_wide_integers_are_taken() -> None:
    assert tanimoto.coefficient([1, 300], [2, 300]) == 301 / 302
    assert tanimoto.coefficient(np.array([1, 2], np.int16), [0, 70]) == 2 / 71
    assert tanimoto.matrix(np.zeros((0, 5), np.uint8)).shape == (0, 0)


@pytest.mark.parametrize(("left", "right", "what"), [
    ([[1, 2]], [1, 2], "dimension"),
    ([1.5, 2.0], [1, 2], "whole numbers"),
    ([1, -2], [1, 2], "0…65535"),
    ([1, 70000], [1, 2], "0…65535"),
    ([1, 2, 3], [1, 2], "two grids"),
])
def test_what_is_no_fingerprint_is_refused(left: object, right: object, what: str) -> None:
    with pytest.raises(InputError, match=what):
        tanimoto.coefficient(left, right)  # type: ignore[arg-type]


def test_the_widest_rows_are_exact_and_wider_ones_refused() -> None:
    row = np.full((2, 16_000), 65_535, np.uint16)
    row[1, 0] = 65_534
    assert tanimoto.matrix(row)[0, 1] == (16_000 * 65_535 - 1) / (16_000 * 65_535)
    with pytest.raises(InputError, match="must stay below"):
        tanimoto.matrix(np.full((1, 20_000), 65_535, np.uint16))


@pytest.mark.parametrize("n", [7, 8, 63, 64, 65, 129, 300])
def test_tiles_of_a_matrix_meet(n: int) -> None:
    counts = make("clustered", n, 20, 56, 1, 0).counts
    matrix = tanimoto.matrix(counts)
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(matrix, tanimoto.block(counts, counts))
    assert np.array_equal(matrix[-1], [tanimoto.coefficient(counts[-1], row) for row in counts])


def test_windows_that_do_not_fit_are_refused() -> None:
    rows = np.ones((2, 4), np.uint8)
    with pytest.raises(InputError, match="one number for each of the 2 rows"):
        tanimoto.matrix(rows, starts=[0])
    with pytest.raises(InputError, match="within 0…4"):
        tanimoto.matrix(rows, stops=[4, 5])


def test_kernels_compile_where_nothing_can_be_cached() -> None:
    """A function without a file has no place for its machine code, as one in a folder that cannot be written."""
    names: dict[str, object] = {}
    exec("def double(x):\n    return 2 * x", names)
    assert compiled(names["double"])(21) == 42  # type: ignore[type-var,operator]
