"""The robust fit on compositions: recovers what was put in, and says what cannot be known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analytics import element_offsets, energy_contradictions
from analytics.element_fit import compositions, cross_validated, fit, frequent

ELEMENTS = ("Al", "Fe", "Mg", "N", "O", "S", "Si", "Ti")


def made_up(n: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    formulas = []
    for _ in range(n):
        chosen = sorted(draw.choice(ELEMENTS, size=draw.integers(2, 5), replace=False))
        formulas.append("".join(f"{e}{draw.integers(2, 7)}" for e in chosen))
    return formulas


def test_fractions_add_up_to_one() -> None:
    known = compositions(["Al2O3", "MgO", "Si"])
    assert known.elements == ("Al", "Mg", "O", "Si")
    assert known.fractions.toarray().tolist() == [[0.4, 0, 0.6, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]
    with pytest.raises(ValueError, match="'X9'"):
        compositions(["X9"])


def test_the_fit_finds_what_was_put_in_among_outliers() -> None:
    draw = np.random.default_rng(1)
    known = compositions(made_up(400, 2))
    true = np.linspace(-0.3, 0.4, len(ELEMENTS))
    values = known.fractions @ true + draw.normal(0, 0.005, 400)
    values[:40] += 1.0
    found = fit(known.fractions, values)
    least_squares = np.linalg.lstsq(known.fractions.toarray(), values, rcond=None)[0]
    assert np.abs(found.deltas - true).max() < 0.01
    assert np.abs(found.deltas - true).max() < np.abs(least_squares - true).max() / 5
    assert found.separable.all()


def test_standard_errors_are_as_large_as_the_scatter_of_the_fits() -> None:
    draw = np.random.default_rng(3)
    known = compositions(made_up(200, 4))
    fits = [fit(known.fractions, draw.normal(0, 0.05, 200)) for _ in range(200)]
    scatter = np.std([f.deltas for f in fits], axis=0)
    stated = np.mean([f.standard_errors for f in fits], axis=0)
    assert np.abs(stated / scatter - 1).max() < 0.25


def test_elements_in_fixed_proportion_are_not_told_apart() -> None:
    known = compositions(["BN"] * 6 + ["MgO", "Mg2O", "MgO2", "MgO", "Mg3O"])
    found = fit(known.fractions, np.full(11, 0.1))
    separable = dict(zip(known.elements, found.separable.tolist(), strict=True))
    assert separable == {"B": False, "N": False, "Mg": True, "O": True}
    assert known.fractions @ found.deltas == pytest.approx(np.full(11, 0.1))


def test_setting_materials_aside_is_repeated_until_every_element_is_frequent() -> None:
    known = compositions(["HfO2", "TiO2", "TiO", "Ti", "Al", "Al"])
    # Without HfO2, O is in two materials; without those, Ti is in one.
    assert frequent(known, 3).tolist() == [False] * 6
    assert frequent(known, 2).tolist() == [False, True, True, True, True, True]


def test_noise_is_not_taken_for_explanation() -> None:
    draw = np.random.default_rng(5)
    formulas = made_up(30, 6)
    rows = pa.table({
        "left_source": ["aflow"] * 30, "right_source": ["mp"] * 30, "formula_reduced": formulas,
        "difference_ev_per_atom": draw.normal(0, 0.1, 30),
        "left_unknown_functional_rows": [0] * 30, "right_unknown_functional_rows": [1] * 30,
    })
    summary = element_offsets.complete(rows, {"at_least": 3, "folds": 5}).to_pylist()[0]
    assert summary["element"] == "*"
    assert summary["explained_fraction"] > 0.05
    assert summary["explained_fraction_cross_validated"] < 0.05
    assert summary["right_unknown_functional_rows"] == summary["n_materials_fitted"]


def test_cross_validation_is_the_same_every_time_and_needs_enough_materials() -> None:
    known = compositions(made_up(20, 7))
    values = np.linspace(0, 1, 20)
    first, again = (cross_validated(known.fractions, values, 5) for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.tolist() == again.tolist()
    assert cross_validated(known.fractions[:3], values[:3], 5) is None


def test_contradictions_are_found_within_their_group_only() -> None:
    draw = np.random.default_rng(8)
    formulas = made_up(300, 9)
    known = compositions(formulas)
    reference = known.fractions @ draw.normal(-5, 2, len(ELEMENTS))
    formation = draw.normal(-1, 0.5, 300)
    total = reference + formation
    # The second half has other references; nothing of it is a contradiction.
    total[150:] += known.fractions[150:] @ draw.normal(0, 1, len(ELEMENTS))
    stated = formation + draw.normal(0, 1e-4, 300)
    stated[[3, 200]] += 0.07
    rows = pa.table({
        "source": ["aflow"] * 300, "reference_group": ["a"] * 150 + ["b"] * 150, "functional_group": ["pbe"] * 300,
        "plus_u_group": ["none"] * 300, "calculation_id": [f"aflow/{i}" for i in range(300)],
        "formula_reduced": formulas, "formation_energy_reference": ["a"] * 300,
        "energy_functional": ["pbe"] * 300, "total_energy_ev_per_atom": total,
        "formation_energy_ev_per_atom": stated,
    })
    found = energy_contradictions.complete(rows, {"tolerance_ev_per_atom": 0.02, "sigmas": 8, "at_least": 5})
    assert sorted(found["calculation_id"].to_pylist()) == ["aflow/200", "aflow/3"]
    assert found["residual_ev_per_atom"].to_pylist() == pytest.approx([0.07, 0.07], abs=0.002)
