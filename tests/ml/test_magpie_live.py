"""Composition features against matminer itself, asked while the tests run: needs TEST_REFERENCE_PYTHON."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest

from lake.crystal.formula import SYMBOLS, formula
from ml.tabular.composition import composition_features, composition_names
from ml.tabular.elements import FILE
from tests.reference.make_magpie_golden import ORACLE, asked

PYTHON = os.environ.get("TEST_REFERENCE_PYTHON")

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PYTHON, reason="TEST_REFERENCE_PYTHON names no Python with matminer"),
]


def test_random_formulas_have_the_features_of_matminer():
    rng = np.random.default_rng(1)
    texts = [
        formula({SYMBOLS[z]: int(n) for z, n in zip(rng.choice(118, k, replace=False), rng.integers(1, 40, k),
                                                    strict=True)})
        for k in rng.integers(1, 8, 500)
    ]
    theirs = asked(PYTHON, texts)
    assert theirs["labels"] == list(composition_names())
    np.testing.assert_allclose(composition_features(pa.array(texts)), theirs["features"], rtol=1e-12, atol=1e-12)


def test_the_element_table_is_that_of_matminer():
    import subprocess

    made = subprocess.run([PYTHON, str(ORACLE), "table"], capture_output=True, text=True, check=True).stdout
    assert made == FILE.read_text()
