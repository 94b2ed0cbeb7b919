"""Targets that are sums over elements are found again; what is not determined stays near the mean."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.element_terms import element_terms, summed

VALUES = {8: -3.0, 26: 1.5, 12: -1.0}


def crystals(n: int) -> pa.Table:
    generator = np.random.default_rng(0)
    symbols = np.array(["O", "Fe", "Mg"])
    atoms = [list(generator.choice(symbols, generator.integers(1, 9))) for _ in range(n)]
    return pa.table({"species_at_sites": pa.array(atoms, pa.list_(pa.string()))})


def test_sums_over_elements_are_found_again() -> None:
    rows = crystals(2000)
    actual = summed(rows, VALUES)
    plain = [np.mean([{"O": -3.0, "Fe": 1.5, "Mg": -1.0}[s] for s in atoms])
             for atoms in rows["species_at_sites"].to_pylist()]
    assert actual == pytest.approx(plain)
    found = element_terms(rows, actual)
    assert found.keys() == VALUES.keys()
    for number, value in VALUES.items():
        assert found[number] == pytest.approx(value, abs=0.02)


def test_a_rare_element_gets_half_of_what_its_one_material_says() -> None:
    rows = pa.table({"species_at_sites": [["O"]] * 1000 + [["U"]]})
    actual = np.array([0.0] * 1000 + [4.0])
    assert element_terms(rows, actual)[92] == pytest.approx(2.0, abs=0.01)


def test_no_crystals_no_terms_and_an_unknown_element_counts_nothing() -> None:
    assert element_terms(crystals(0), np.array([])) == {}
    assert summed(crystals(0), VALUES).shape == (0,)
    assert summed(pa.table({"species_at_sites": [["U", "O"]]}), VALUES) == pytest.approx([-1.5])
