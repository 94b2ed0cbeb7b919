"""Every query on small tables: a folder `<query>/<case>` holds the tables, the parameters, and the answer."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from sql_case import connection_with, spelled

from analytics.queries import describe, names, run_on

ROOT = Path(__file__).parent / "cases"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expected.csv"))


def agrees(found: str, expected: str) -> bool:
    """Equal as text, or as numbers: to nine digits, or to 1e-7, as regressions end where they converge."""
    if found == expected:
        return True
    try:
        return math.isclose(float(found), float(expected), rel_tol=1e-9, abs_tol=1e-7)
    except ValueError:
        return False


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_answer(case: Path) -> None:
    parameters = case / "parameters.json"
    given = json.loads(parameters.read_text()) if parameters.exists() else {}
    with connection_with(case) as connection:
        found = spelled(run_on(connection, case.parent.name, given))
    expected = list(csv.reader((case / "expected.csv").read_text().splitlines()))
    assert len(found) == len(expected), found
    for found_row, expected_row in zip(found, expected, strict=True):
        assert len(found_row) == len(expected_row)
        wrong = [pair for pair in zip(found_row, expected_row, strict=True) if not agrees(*pair)]
        assert not wrong, (wrong, found_row)


@pytest.mark.parametrize("query", names())
def test_every_query_has_a_case_and_says_its_columns(query: str) -> None:
    case = next((path for path in CASES if path.parent.name == query), None)
    assert case is not None, f"tests/sql/cases/{query} holds no case"
    with connection_with(case) as connection:
        assert run_on(connection, query).column_names == list(describe(query).columns)


@pytest.mark.parametrize("query", names())
def test_an_empty_lake_is_no_error(query: str, tmp_path: Path) -> None:
    with connection_with(tmp_path) as connection:
        assert run_on(connection, query).num_rows == 0
