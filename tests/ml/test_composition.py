"""Composition features: equal to matminer's, whatever form the column has, and nothing taken for a formula."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.crystal.formula import ATOMIC_NUMBER, SYMBOLS, formula, parse
from lake.errors import InputError
from ml.tabular import composition
from ml.tabular.composition import composition_features, composition_names
from ml.tabular.elements import element_table
from ml.tabular.formulas import compositions
from tests.conftest import examples

GOLDEN = json.loads((Path(__file__).parent.parent / "data/tabular/magpie.json").read_text())
counts = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 999_999), min_size=1, max_size=8)


def test_features_are_those_of_matminer():
    found = composition_features(pa.array(GOLDEN["formulas"]))
    assert list(composition_names()) == GOLDEN["labels"]
    np.testing.assert_allclose(found, np.array(GOLDEN["features"]), rtol=1e-12, atol=1e-12)


def test_missing_properties_are_the_mean_over_elements():
    table = element_table()
    place = table.properties.index("Electronegativity")
    helium, known = table.values[2, place], table.values[1:, place][~table.missing[1:, place]]
    assert table.missing[2, place]
    assert helium == pytest.approx(known.mean())
    assert np.isfinite(table.values[1:]).all()
    assert len(table.properties) == 22


@given(st.lists(counts, min_size=1, max_size=30))
@settings(max_examples=examples(60), deadline=None)
def test_formulas_are_read_as_one_by_one(materials):
    texts = [formula(c) for c in materials]
    found = compositions(pa.array(texts))
    for i, text in enumerate(texts):
        terms = slice(found.offsets[i], found.offsets[i + 1])
        numbers = [ATOMIC_NUMBER[e] for e in parse(text)]
        assert dict(zip(found.atomic_numbers[terms], found.counts[terms], strict=True)) == dict(
            zip(numbers, parse(text).values(), strict=True))


def test_any_form_of_a_column_gives_the_same():
    texts = GOLDEN["formulas"] * 3
    whole = composition_features(pa.array(texts))
    chunks = pa.chunked_array([pa.array(texts[:7]), pa.array([], pa.string()), pa.array(["Cl", *texts[7:]])[1:]])
    np.testing.assert_array_equal(composition_features(chunks), whole)
    np.testing.assert_array_equal(composition_features(pa.array(["He", *texts], pa.large_string())[1:]), whole)
    assert composition_features(pa.array([], pa.string())).shape == (0, 132)
    assert composition_features(pa.chunked_array([], pa.string())).shape == (0, 132)
    assert len(compositions(pa.array([], pa.string())).offsets) == 1


def test_features_do_not_depend_on_blocks_or_on_the_formula_unit(monkeypatch):
    texts = GOLDEN["formulas"]
    whole = composition_features(pa.array(texts))
    monkeypatch.setattr(composition, "BLOCK", 4)
    np.testing.assert_array_equal(composition_features(pa.array(texts)), whole)
    tripled = [formula({e: 3 * n for e, n in parse(t).items()}) for t in texts]
    np.testing.assert_allclose(composition_features(pa.array(tripled)), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bad", [
    "", "mg", "Mg0", "Mg02", "Xx2", "Mg-2", "Mg1234567", "MgF2 ", "Mg(OH)2", "Ø", "2Mg", "Mg2.5", "MGF", "Mgg", "\0",
])
def test_what_is_no_formula_is_refused_by_name(bad):
    with pytest.raises(InputError, match="1 of 3 formulas") as error:
        composition_features(pa.array(["F2Mg", bad, "Fe"]))
    assert repr(bad) in str(error.value)


def test_a_missing_formula_is_refused():
    with pytest.raises(InputError, match="2 of 3 rows have no formula"):
        composition_features(pa.array(["Fe", None, None]))


def test_a_hundred_thousand_formulas_take_seconds():
    rng = np.random.default_rng(0)
    texts = [f"{SYMBOLS[a]}{n}{SYMBOLS[b]}{m}O{k}" for a, b, n, m, k in zip(
        *rng.integers(0, 100, (2, 100_000)), *rng.integers(1, 60, (3, 100_000)), strict=True)]
    began = time.process_time()
    assert composition_features(pa.array(texts)).shape == (100_000, 132)
    assert time.process_time() - began < 8, "a loop over materials takes minutes"
