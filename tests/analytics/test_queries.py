"""Asking: names, parameters, SQL that only reads, and messages that help."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from analytics.queries import create_views, describe, names, run_on
from analytics.query_files import parse, queries
from lake.errors import QueryError
from lake.tables import TABLES


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            rows = table.schema.empty_table()
            connection.register("rows", rows)
            connection.execute(f'create table "{name}" as select * from rows')
            connection.unregister("rows")
        create_views(connection)
        connection.execute(
            "insert into calculations by name select 'mp/mp-1' as calculation_id, 'mp' as source, 5 as n_sites, "
            "0.5 as band_gap_ev, true as deprecated, $now as fetched_at", {"now": datetime.now(UTC)},
        )
        yield connection


def test_the_queries_that_the_lake_promises_are_there() -> None:
    assert {
        "overlap", "duplicates", "energy_offsets", "gap_offsets", "element_offsets", "distributions", "coverage",
        "quality",
    } <= set(names())


def test_every_parameter_in_a_text_is_declared_and_has_a_default() -> None:
    connection = duckdb.connect()
    for query in queries().values():
        mentioned = connection.extract_statements(query.text)[0].named_parameters
        assert mentioned <= set(query.parameters), query.name
        assert all(p.default is not None for p in query.parameters.values()), query.name
        assert query.question.endswith("?"), query.name


def test_the_description_tells_question_parameters_columns_and_units() -> None:
    text = str(describe("energy_offsets"))
    assert "How far are the formation energies" in text
    assert "functional (varchar, default pbe)" in text
    assert "median_ev_per_atom" in text
    assert "(eV/atom)" in text


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("nope", {}, "There is no query 'nope'. Queries: clusterings"),
        ("overlap", {"functonal": "pbe"}, "no parameter 'functonal'. Parameters: functional"),
        ("overlap", {"require_band_gap": "maybe"}, "'maybe' is no boolean"),
        ("overlap", {"unknown_functional": "hide"}, "Choices: keep, drop"),
        ("duplicates", {"limit": "many"}, "'many' is no integer"),
        ("distributions", {"bin_width_ev_per_atom": "nan"}, "is no double"),
        ("energy_offsets", {"by": 'code" from calculations; --'}, "is no choice for by"),
        ("energy_offsets", {"by": ".*"}, "is no choice for by"),
    ],
)
def test_what_does_not_fit_is_named(connection, name: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(QueryError) as caught:
        run_on(connection, name, given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "drop view calculations",
        "insert into calculations select * from calculations",
        "copy calculations to 'stolen.csv'",
        "attach 'other.duckdb'",
        "set memory_limit = '1TB'",
        "install httpfs",
        "select 1; drop table calculations",
        "explain analyze delete from calculations",
        "/* c */ explain /* c */ analyze -- c\n delete from calculations",
        "export database 'pivot'",
        "",
        "   ;",
    ],
)
def test_sql_only_reads(connection, sql: str) -> None:
    with pytest.raises(QueryError):
        run_on(connection, sql)
    assert run_on(connection, "select count(*) as n from calculations")["n"].to_pylist() == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "from calculations",
        "with c as (select * from calculations) select source from c",
        "describe calculations",
        "show tables",
        "explain select 1",
        "summarize calculations",
        "pivot calculations on source using count(*)",
        "select 'drop table calculations; --' as text",
        "from selected('pbe', 'keep', 'energy', false, false, true)",
    ],
)
def test_reading_in_any_form(connection, sql: str) -> None:
    assert isinstance(run_on(connection, sql), pa.Table)


def test_parameters_of_typed_sql_are_bound(connection) -> None:
    sql = "select count(*) as n from calculations where source = $source and n_sites > $least and deprecated = $flag"
    found = run_on(connection, sql, {"source": "mp", "least": "4.5", "flag": "true"})
    assert found["n"].to_pylist() == [1]
    hostile = run_on(connection, "select $x as x", {"x": "'; drop table calculations; --"})
    assert hostile["x"].to_pylist() == ["'; drop table calculations; --"]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from calculatons", "Tables and views: calculation_traits, calculations"),
        ("select band_gap from calculations", "band_gap_ev"),
        ("selct 1", "no named query"),
        ("select $a + $b", "--param name=value"),
        ("select cast('x' as integer)", "The query failed"),
    ],
)
def test_messages_help(connection, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        run_on(connection, sql)
    assert said in str(caught.value)
    assert caught.value.__suppress_context__


def test_sums_of_whole_numbers_stay_whole(connection) -> None:
    assert run_on(connection, "select sum(n_sites) as n from calculations").schema.field("n").type == pa.int64()
    huge = run_on(connection, "select 170141183460469231731687303715884105727 as n")
    assert huge["n"].to_pylist() == [170141183460469231731687303715884105727]


def test_a_head_is_read_in_its_fixed_form() -> None:
    query = parse("q", """-- What?
--
-- Prose.
-- param a varchar = 'x' [x|y] : first,
--       going on
-- param b double : second
-- column c : third (eV)
-- uses other
-- step some.module
select $a, $b
""")
    assert (query.question, query.prose) == ("What?", "Prose.")
    assert query.parameters["a"].default == "x"
    assert query.parameters["a"].choices == ("x", "y")
    assert query.parameters["a"].meaning == "first, going on"
    assert query.parameters["b"].default is None
    assert query.columns == {"c": "third (eV)"}
    assert (query.uses, query.step) == (("other",), "some.module")
    with pytest.raises(QueryError, match="param a text"):
        parse("q", "-- What?\n-- param a text = 1 : no such type\nselect 1")
