"""The macros behind subsets, on small tables: a table in, the expected table out."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sql_case import connection_with, spell
from test_queries_on_tables import agrees

from analytics.queries import create_macros

FOLDER = Path(__file__).parent / "cases" / "macros_of_subsets"
TYPES = {
    "values": "quantity varchar, stage varchar, source varchar, material_key varchar, value double",
    "judged": "source varchar, material_key varchar, left_at integer",
    "plus_u": "calculation_id varchar, source varchar, material_key varchar, hubbard_u_ev map(varchar, double)",
    "energies": "source varchar, material_key varchar, formula_reduced varchar, formation_energy_ev_per_atom double",
    "candidates": "calculation_id varchar, source varchar, material_key varchar, k_point_density_angstrom double, "
                  "cutoff_ev double, n_basis_functions integer, n_sites integer, code varchar, basis_set varchar, "
                  "settings_tier varchar, typicality double, formation_energy_ev_per_atom double",
}
CASES = {
    "within_material_spread": "from within_material_spread('values_in')",
    "between_source_offsets": "from between_source_offsets('values_in')",
    "funnel_counts": "from funnel_counts('judged_in')",
    "same_plus_u": "from same_plus_u('plus_u_in')",
    "source_differences": "from source_differences('energies_in', 'aflow', 'mp')",
    "preferred": "select material_key, calculation_id, place from preferred('candidates_in', false)",
    "preferred_per_source": "select material_key, choice_source, calculation_id "
                            "from preferred('candidates_in', true) where place = 1",
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connection_with(tmp_path_factory.mktemp("empty")) as opened:
        create_macros(opened)
        for name, columns in TYPES.items():
            opened.execute(f"create table {name}_in ({columns})")
            opened.execute(
                f"insert into {name}_in by name select * from read_csv($path, all_varchar = true, header = true)",
                {"path": str(FOLDER / f"{name}.csv")},
            )
        yield opened


@pytest.mark.parametrize("case", CASES)
def test_answer(connection: duckdb.DuckDBPyConnection, case: str) -> None:
    answer = connection.sql(CASES[case]).to_arrow_table()
    with (FOLDER / f"{case}.csv").open() as file:
        expected = list(csv.DictReader(file))
    found = [{name: spell(value) for name, value in row.items()} for row in answer.to_pylist()]
    assert len(found) == len(expected), found
    for found_row, expected_row in zip(found, expected, strict=True):
        assert {name for name in expected_row if not agrees(found_row[name], expected_row[name])} == set(), found_row


@pytest.mark.parametrize("case", CASES)
def test_no_rows_are_no_error(connection: duckdb.DuckDBPyConnection, case: str) -> None:
    empty = CASES[case]
    for name in TYPES:
        connection.execute(f"create or replace temp table {name}_none as from {name}_in where false")
        empty = empty.replace(f"'{name}_in'", f"'{name}_none'")
    assert connection.sql(empty).fetchall() == []


@pytest.mark.parametrize("n", [6, 15, 101])
def test_the_place_is_that_of_the_offsets(connection: duckdb.DuckDBPyConnection, n: int) -> None:
    from scipy.stats import beta

    place = connection.execute("select median_interval_place(?)", [n]).fetchall()[0][0]
    assert abs(place - math.ceil(n * beta.ppf(0.025, (n + 1) / 2, (n + 1) / 2))) <= (0 if n > 15 else 1)
