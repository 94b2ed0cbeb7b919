"""Formulas: values, text, LaTeX, and SQL that says the same in DuckDB."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from lake.errors import InputError
from ml.sisso.expression import Expression, Primary
from ml.sisso.formula import Formula
from ml.sisso.operators import OPERATORS
from ml.sisso.units import Unit

A, B, C, D = (Primary(name, Unit.parse(unit)) for name, unit in (
    ("IP (A) ev", "eV"), ("b_ev", "eV"), ("c_angstrom", "Å"), ("d", "1")))
of = Expression.of
TERMS = (
    of("/", of("-", A, B), of("^2", C)), of("exp-", of("/", of("|-|", A, B), B)),
    of("cbrt", of("-", of("^3", A), of("*", B, of("^2", A)))), of("/", of("sqrt", C), of("log", D)),
)


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {one.name: random.normal(size=120) for one in (A, B, C, D)}
    found["b_ev"][3] = 0.0
    found["d"][4:40] = np.abs(found["d"][4:40])
    found["c_angstrom"][4:40] = np.abs(found["c_angstrom"][4:40])
    return found


def said_by_duckdb(sql: str, columns: dict[str, np.ndarray], **others: list[str]) -> list[object]:
    rows = pa.table({**columns, **others})
    with duckdb.connect() as connection:
        connection.register("given", rows)
        return [row[0] for row in connection.execute(f"select {sql} as said from given").fetchall()]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_says_the_same_in_sql(name: str, columns: dict[str, np.ndarray]) -> None:
    operands = (D,) if OPERATORS[name].arity == 1 else (D, Primary("e", Unit()))
    given = columns | {"e": np.random.default_rng(1).normal(size=120)}
    given["e"][7] = 0.0
    formula = Formula("y", "1", (of(name, *operands),), ("*",), np.array([[[0.5, -2.0]]]))
    expected = formula.values(given, np.zeros(120, int))
    said = np.array([np.nan if one is None else one for one in said_by_duckdb(formula.sql(), given)], dtype=float)
    np.testing.assert_allclose(said, expected, rtol=1e-9, atol=1e-9)
    assert formula.text().startswith("y = 0.5 − 2·")
    assert formula.latex().count("{") == formula.latex().count("}")


def test_tasks_have_their_coefficients_in_sql(columns: dict[str, np.ndarray]) -> None:
    tasks = np.random.default_rng(2).integers(0, 2, 120)
    formula = Formula("gap_ev", "eV", TERMS, ("mp", "o'x"), np.random.default_rng(3).normal(size=(2, 1, 5)), "source")
    sources = [formula.tasks[task] for task in tasks]
    expected = formula.values(columns, tasks)
    assert 20 < np.isfinite(expected).sum() < 120
    said = said_by_duckdb(formula.sql(), columns, source=sources)
    np.testing.assert_allclose(np.array(said, dtype=float), expected, rtol=1e-9)
    only = np.array(said_by_duckdb(formula.sql(1), columns), dtype=float)
    np.testing.assert_allclose(only[tasks == 1], expected[tasks == 1], rtol=1e-9)
    strange = said_by_duckdb(formula.sql(), columns, source=["none"] * 120)
    assert set(strange) == {None}


def test_classes_say_the_same_in_sql(columns: dict[str, np.ndarray]) -> None:
    formula = Formula("kind", None, TERMS[:3], ("*",), np.random.default_rng(4).normal(size=(1, 3, 4)), None,
                      ("x", "y'", "z"))
    places = formula.values(columns, np.zeros(120, int))
    expected = [None if np.isnan(place) else formula.classes[int(place)] for place in places]
    assert said_by_duckdb(formula.sql(), columns) == expected
    assert expected[3] is None
    assert len(set(expected)) > 2


def test_units_of_coefficients_give_the_unit_of_the_target() -> None:
    formula = Formula("gap_ev", "eV", TERMS[:1], ("*",), np.array([[[1.0, 2.0]]]))
    assert json.loads(formula.coefficients_json()) == {"intercept": 1.0, "coefficients": [2.0], "units": ["Å²"]}


def test_text_keeps_what_belongs_together() -> None:
    formula = Formula("y", "1", (of("^2", of("/", of("-", A, B), A)),), ("*",), np.array([[[0.0, 1.0]]]))
    assert formula.text() == "y = 0 + 1·(((IP (A) ev − b_ev)/IP (A) ev)²)"


def test_json_is_read_back_and_checked() -> None:
    formula = Formula("gap_ev", "eV", TERMS, ("mp", "ox"), np.random.default_rng(3).normal(size=(2, 1, 5)), "source")
    plain = json.loads(json.dumps(formula.to_json()))
    assert Formula.of(plain).sql() == formula.sql()
    for broken in ({}, plain | {"coefficients": [[[1.0]]]}, plain | {"features": []}, plain | {"task_column": None},
                   plain | {"features": [{"operator": "rm", "operands": []}]},
                   plain | {"coefficients": [[[float("nan")] * 5]] * 2}):
        with pytest.raises(InputError):
            Formula.of(broken)
