"""The macros behind what models learn from, on small tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sql_case import connection_with

from analytics.queries import create_macros

FOLDER = Path(__file__).parent / "cases" / "macros_of_training"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connection_with(FOLDER) as opened:
        create_macros(opened)
        yield opened


@pytest.mark.parametrize(("arguments", "expected"), [
    ("null, null, false, 'reduced_key', 0, 0.8, 0.1",
     [("a/1", "MgO_225", -3.0), ("b/1", "MgO_225", -2.9), ("b/2", None, -1.0)]),
    ("null, null, true, 'cell_key', 0, 0.8, 0.1",
     [("a/1", "Mg4O4_225", -3.0), ("a/2", "Na4Cl4_225", -2.0), ("b/1", "MgO_225", -2.9), ("b/2", None, -1.0)]),
    ("'level', 1, false, 'reduced_key', 0, 0.8, 0.1", [("a/1", "MgO_225", -3.0), ("b/1", "MgO_225", -3.5)]),
    ("'level', 2, false, 'reduced_key', 0, 0.8, 0.1", [("b/1", "MgO_225", -3.6)]),
    ("'other', 1, false, 'reduced_key', 0, 0.8, 0.1", [("a/2", "NaCl_225", -9.0)]),
    ("'nobody', 1, false, 'reduced_key', 0, 0.8, 0.1", []),
])
def test_training_rows(connection: duckdb.DuckDBPyConnection, arguments: str, expected: list[object]) -> None:
    found = connection.execute(
        "select calculation_id, material_key, level_formation_energy_ev_per_atom "
        f"from training_rows({arguments}) order by 1"
    ).fetchall()
    assert found == expected


def test_rows_of_one_key_share_their_split_and_rows_without_have_none(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select reduced_key, count(distinct split), count(split) "
        "from training_rows(null, null, true, 'reduced_key', 7, 0.5, 0.2) group by 1 order by 1 nulls last"
    ).fetchall()
    assert found == [("MgO_225", 1, 2), ("NaCl_225", 1, 1), (None, 0, 0)]


def test_seeded_splits_have_the_shares_that_were_asked_for(connection: duckdb.DuckDBPyConnection) -> None:
    for seed in (0, 1, 2**62):
        found = dict(connection.execute(
            f"select seeded_split('key ' || i, {seed}, 0.6, 0.3), count(*) / 10000 from range(10000) t(i) group by 1"
        ).fetchall())
        assert found == pytest.approx({"train": 0.6, "validation": 0.3, "test": 0.1}, abs=0.02)


@pytest.mark.parametrize(("lattice", "positions", "species", "expected"), [
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[[0, 0, 0]]", "['H']", True),
    ("[[1, 0, 0], [0, 1, 0]]", "[[0, 0, 0]]", "['H']", False),
    ("[[1, 0], [0, 1, 0, 0], [0, 0, 1]]", "[[0, 0, 0]]", "['H']", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, null]]", "[[0, 0, 0]]", "['H']", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[[0, 0, 0], [0, 0, 0.5]]", "['H']", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[[0, 0, 'nan'::double]]", "['H']", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[null]", "['H']", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[]", "[]", False),
    ("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "[[0, 0, 0]]", "[null]", False),
    ("null", "null", "null", False),
])
def test_usable_structures(
    connection: duckdb.DuckDBPyConnection, lattice: str, positions: str, species: str, expected: bool
) -> None:
    found = connection.execute(
        f"select usable_structure({lattice}::double[][], {positions}::double[][], {species}::varchar[])"
    ).fetchall()
    assert found == [(expected,)]
