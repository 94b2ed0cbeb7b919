"""Shifts per element against those that were put in; the median where elements say nothing more."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest

from analytics.element_levels import levels

SHIFT = {"Fe": 0.3, "Mg": -0.1, "Na": 0.05, "O": -0.25, "S": 0.12}
PAIRS = list(itertools.combinations(sorted(SHIFT), 2))
FORMULAS = [f"{a}{m if m > 1 else ''}{b}{n if n > 1 else ''}" for a, b in PAIRS for m, n in ((1, 1), (2, 1), (1, 3))]


def shift_of(formula: str) -> float:
    from lake.crystal.formula import parse

    counts = parse(formula) or {}
    return sum(SHIFT[e] * n for e, n in counts.items()) / sum(counts.values())


def rows(here: dict[str, float], there: dict[str, float]) -> pa.Table:
    """Two databases; the key is the formula."""
    lines = [("here", f, e) for f, e in here.items()] + [("there", f, e) for f, e in there.items()]
    sources, formulas, energies = (list(column) for column in zip(*lines, strict=True))
    return pa.table({"source": sources, "material_key": formulas, "formula_reduced": formulas,
                     "formation_energy_ev_per_atom": energies})


def test_shifts_per_element_are_found_again_whatever_outliers_there_are() -> None:
    there = {f: -1.0 - 0.01 * n for n, f in enumerate(FORMULAS)}
    here = {f: e + shift_of(f) for f, e in there.items()}
    here[FORMULAS[0]] += 2.0
    found = levels(rows(here, there), "there", list(SHIFT))
    assert found.facts["here"]["method"] == "elements"
    assert found.facts["here"]["elements_by_median"] == []
    for element, value in SHIFT.items():
        assert found.by_source["here"][element] == pytest.approx(-value, abs=0.01)
    assert "there" not in found.by_source


def test_elements_that_are_not_in_common_move_by_the_median() -> None:
    there = dict.fromkeys(FORMULAS, -1.0)
    here = {f: -1.0 + shift_of(f) for f in FORMULAS}
    found = levels(rows(here, there), "there", [*SHIFT, "U"])
    median = float(np.median([-shift_of(f) for f in FORMULAS]))
    assert found.by_source["here"]["U"] == pytest.approx(median, abs=1e-5)
    assert found.facts["here"]["elements_by_median"] == ["U"]
    rare = levels(rows(here | {"PU": 5.0}, there | {"PU": 5.5}), "there", [*SHIFT, "P", "U"], at_least=2)
    assert rare.facts["here"]["elements_by_median"] == ["P", "U"]


def test_where_elements_explain_nothing_all_move_by_the_median() -> None:
    generator = np.random.default_rng(4)
    there = dict.fromkeys(FORMULAS, -1.0)
    here = {f: -1.0 - 0.2 + generator.normal(0, 0.3) for f in FORMULAS}
    found = levels(rows(here, there), "there", list(SHIFT))
    assert found.facts["here"]["method"] == "median"
    assert len(set(found.by_source["here"].values())) == 1
    few = levels(rows({"FeO": -1.0}, {"FeO": -1.4}), "there", ["Fe", "O"])
    assert few.by_source["here"] == {"Fe": pytest.approx(-0.4), "O": pytest.approx(-0.4)}
    assert few.facts["here"]["n_common"] == 1


def test_no_material_in_common_no_shift() -> None:
    found = levels(rows({"FeO": -1.0}, {"FeS": -1.4}), "there", ["Fe", "O", "S"])
    assert found.by_source == {}
    assert found.facts == {}
