"""Composition fingerprints: exact fractions, and what cannot be read."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.fingerprints.composition import COMPOSITION, LEVELS, formula_counts, make
from analytics.similarity import tanimoto
from lake.crystal.formula import ATOMIC_NUMBER, SYMBOLS, formula

CONTENTS = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 999_999), min_size=1, max_size=12)


def counts_of(*formulas: str) -> np.ndarray:
    counts, readable = formula_counts(list(formulas))
    assert readable.all()
    return counts


def shared(left: dict[str, int], right: dict[str, int]) -> Fraction:
    """Σmin / Σmax of the exact fractions."""
    n, m = sum(left.values()), sum(right.values())
    pairs = [(Fraction(left.get(e, 0), n), Fraction(right.get(e, 0), m)) for e in {*left, *right}]
    return sum((min(p) for p in pairs), Fraction(0)) / sum((max(p) for p in pairs), Fraction(0))


@settings(deadline=None)
@given(CONTENTS, CONTENTS)
def test_counts_add_up_and_compare_as_the_exact_fractions_do(left: dict[str, int], right: dict[str, int]) -> None:
    counts = counts_of(formula(left), formula(right))
    assert counts.sum(axis=1, dtype=np.int64).tolist() == [LEVELS, LEVELS]
    for row, content in zip(counts, (left, right), strict=True):
        exact = np.zeros(len(SYMBOLS))
        for element, n in content.items():
            exact[ATOMIC_NUMBER[element] - 1] = LEVELS * n / sum(content.values())
        assert np.abs(row - exact).max() < 1
    found = tanimoto.matrix(counts)[0, 1]
    assert found == pytest.approx(float(shared(left, right)), abs=len(left | right) / LEVELS)


@pytest.mark.parametrize(("left", "right", "expected"), [
    ("ClNa", "ClNa", Fraction(1)), ("ClNa", "Cl7Na7", Fraction(1)), ("ClNa", "ClK", Fraction(1, 3)),
    ("BN", "C", Fraction(0)), ("Al2O3", "O2Si", Fraction(3, 7)), ("Fe2O3", "Fe3O4", Fraction(17, 18)),
])
def test_known_pairs_are_exact(left: str, right: str, expected: Fraction) -> None:
    assert tanimoto.matrix(counts_of(left, right))[0, 1] == pytest.approx(float(expected), abs=1e-15)


def test_same_ratios_have_the_same_counts() -> None:
    counts = counts_of("Ca5H13O17", "Ca10H26O34", "Ca15H39O51")
    assert (counts == counts[0]).all()


def test_a_dopant_is_not_lost() -> None:
    pure, doped = counts_of("Si", "PSi500")
    assert doped[ATOMIC_NUMBER["P"] - 1] > 0
    assert 0.99 < tanimoto.matrix(np.array([pure, doped]))[0, 1] < 1


def test_what_cannot_be_read_is_set_aside_and_the_rest_is_made() -> None:
    texts = ["BN", None, "", "Xx2", "B(OH)3", "BN", "Na0", "B1e3", "🙂"]
    made = make(pa.table({"formula_reduced": pa.chunked_array([texts[:4], texts[4:]], pa.string())}))
    assert list(made.reasons) == [None, "no_formula", *["bad_formula"] * 3, None, *["bad_formula"] * 3]
    assert [message is None for message in made.messages] == [reason is None for reason in made.reasons]
    assert made.counts.sum(axis=1).tolist() == [LEVELS, 0, 0, 0, 0, LEVELS, 0, 0, 0]
    assert (made.counts.shape[1], made.counts.dtype) == (COMPOSITION.n_counts, COMPOSITION.dtype)


def test_no_rows() -> None:
    assert make(pa.table({"formula_reduced": pa.array([], pa.string())})).counts.shape == (0, 118)


def test_a_hundred_thousand_formulas_take_about_a_second() -> None:
    texts = [f"{SYMBOLS[i % 97]}{1 + i % 89}O{2 + i // 8_000}" for i in range(100_000)]
    rows = pa.table({"formula_reduced": pa.array(texts)})
    began = time.process_time()
    made = make(rows)
    assert time.process_time() - began < 5
    assert made.counts.any(axis=1).all()
