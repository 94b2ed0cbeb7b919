"""Rules that a person types: they read one row, mean the same every time, and can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from subset_lakes import two_databases

from analytics.subsets.curate import curate
from analytics.subsets.recipe import Recipe
from lake.errors import QueryError
from lake.store.condition import canonical
from lake.store.lake import Lake

GOOD = [
    "xc_functional = 'pbe' and code is not null",
    "hubbard_u_ev['Fe'] > 3",
    "len(map_entries(hubbard_u_ev)) = 0",
    "list_has_any(elements, ['Br', 'I'])",
    "len(list_filter(elements, lambda e: e > 'B')) > 0",
    "[x * 2 for x in [1, 2] if x > 1][1] = 4",
    "list_sum(map_values(hubbard_u_ev)) > 3",
    "cutoff_ev between 300 and 400",
    "n_sites in (1, 2)",
    "code like 'v%' -- the rest of the line",
    "code = /* which */ 'vasp'",
    "if(code is null, true, code = 'vasp')",
    "case when code = 'vasp' then cutoff_ev > 3 else false end",
    "calculation_traits.anion_class = 'oxide'",
    "regexp_matches(formula_cell, 'O[0-9]')",
    "try_cast(source_id as integer) is null",
    "code = '''; drop table t; --'",
    "abs(energy_above_hull_ev_per_atom) < 1e-3",
    "age(fetched_at::timestamp, timestamp '2020-01-01') > interval 1 day",
    "deprecated is distinct from true",
    "k_grid[1] >= 4",
    "true) or (false",
    "material_split(reduced_key, 0.8, 0.1) = 'train'",
]
BAD = [
    # the clock, chance, the session
    "random() < 0.5", "fetched_at < now()", "fetched_at < current_timestamp", "current_date > '2020-01-01'",
    "today() > date '2020-01-01'", "localtimestamp > timestamp '2020-01-01'", "age(fetched_at) > interval 1 day",
    "current_localtimestamp > timestamp '2020-01-01'", "get_current_time() is null", "uuid() is not null",
    "list_transform([1], lambda x: random())[1] > 0.5", "cardinality(map{random(): 1}) = 1",
    "list_aggregate([1, 2], 'reservoir_quantile', 0.5) > 1", "list_aggregate([1, 2], code) > 1",
    "list_approx_count_distinct(elements) > 1", "setseed(0.5) is null", "getvariable('x') is null",
    "current_setting('threads') = '1'", "current_user = 'x'", "user = 'x'", "current_schema = 'main'",
    "system.main.current_database() = 'x'", "version() = 'x'", "hash(code) > 3", "current_query() = 'x'",
    "nextval('s') = 1", "sleep_ms(10) is null", "pg_sleep(1) is null", "write_log('x') is null", "error('x')",
    # other rows, other tables, files
    "exists (select 1)", "code in (select code from dos)", "(select content from read_text('/etc/passwd')) = 'x'",
    "(from 'x.csv') = 1", "read_text('/etc/passwd') = 'x'", "read_csv('x.csv') = 'x'", "pg_get_viewdef(1) = 'x'",
    "row_number() over () > 1", "paired_materials('x') is null",
    "sum(cutoff_ev) > 1", "count(*) > 1", "unnest([1, 2]) = 1", "rowid = 1",
    "columns('c.*') is null", "* is null", "getenv('HOME') = 'x'",
    # more than one expression
    "true) union all select 1 from calculation_traits where (true", "true) group by (1", "true) order by (1",
    "true) limit 1 --", "true\n) limit (1", "true) --", "code = 'x'; drop table calculations",
    "true) select 1; (select 1",
    "load_extension('x')", "install httpfs", "set threads = 1", "",
    # no condition, or not to be bound
    "1", "code", "--", "cutoff_ev > cutof", "#1 = 1", "$a = 1", "? = 1", "code collate nocase = 'VASP'", "code + ",
    "no_such_function(code)", "cutoff_ev > 'many'::integer[]",
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with Lake.open(str(tmp_path_factory.mktemp("empty"))).connect() as opened:
        yield opened


@pytest.mark.parametrize("text", GOOD)
def test_conditions_on_a_row_pass(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    spelled = canonical(connection, text)
    assert canonical(connection, spelled) == spelled
    assert connection.execute(f"select count(*) from calculation_traits where ({spelled})").fetchall() == [(0,)]


@pytest.mark.parametrize("text", BAD)
def test_everything_else_is_refused_with_the_text(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    with pytest.raises(QueryError) as caught:
        canonical(connection, text)
    assert repr(text) in str(caught.value)


def test_refusing_changes_and_reads_nothing(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    there = tmp_path / "secret.txt"
    there.write_text("secret")
    reading = f"(select content from read_text('{there}')) = 'x'"
    for attack in (reading, f"true); copy (select 1) to '{tmp_path}/x.csv'"):
        with pytest.raises(QueryError) as caught:
            canonical(connection, attack)
        assert "secret\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


def test_a_text_that_closes_the_bracket_is_still_one_condition(connection: duckdb.DuckDBPyConnection) -> None:
    # What is run is what DuckDB understood, in brackets of its own: `or` cannot undo the rules before it.
    assert canonical(connection, "false) or (true") == "(false OR true)"


def test_what_fails_on_a_value_names_the_rule(lake: Lake) -> None:
    two_databases(lake)
    with pytest.raises(QueryError, match=r"where_2.*cast\(source_id as integer\)(?s:.*)Could not convert string"):
        curate(lake, Recipe("x", where=("n_sites >= 1", "cast(source_id as integer) > 1")))


def test_a_rule_before_guards_the_ones_after_it(lake: Lake) -> None:
    two_databases(lake)
    guarded = ("regexp_full_match(source_id, '[0-9]+')", "cast(source_id as integer) > 10")
    assert curate(lake, Recipe("x", where=guarded)).n_members == 20
