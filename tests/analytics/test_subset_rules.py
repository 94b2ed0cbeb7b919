"""Learned rules: the SQL selects exactly what the rule says, the rule is the best there is, and its words are true."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_lakes import calculation

from analytics.queries import create_views
from analytics.subsets.learn import binomial_interval
from analytics.subsets.recipe import Learn
from analytics.subsets.rule import SETTINGS, Condition, Row, Rule, number_literal
from analytics.subsets.search import best_rule, conditions_of
from lake.tables import TABLES
from tests.conftest import examples

BY_NAME = {setting.name: setting for setting in SETTINGS}
NUMBERS = st.one_of(
    st.none(), st.sampled_from([0.1, 0.30000000000000004, 13.32, 250.0, 350.0, 1e-9, 1e15]), st.floats(0, 1e6),
)
CALCULATIONS = st.lists(
    st.fixed_dictionaries({
        "cutoff_ev": NUMBERS, "k_point_density_angstrom": NUMBERS,
        "n_basis_functions": st.none() | st.integers(1, 5_000), "n_sites": st.none() | st.integers(1, 9),
        "xc_functional": st.sampled_from([None, "pbe", "PBE", "lda", "it's"]),
        "basis_set": st.sampled_from([None, "plane waves", "numeric AOs"]),
        "settings_tier": st.sampled_from([None, "light", "tight"]),
        "spin_polarized": st.sampled_from([None, True, False]),
        "hubbard_u_ev": st.sampled_from([None, [], [("Fe", 4.0)]]), "code": st.sampled_from([None, "vasp", "GPAW"]),
    }),
    min_size=1, max_size=40,
)


def with_settings(rows: Sequence[dict[str, Any]]) -> tuple[duckdb.DuckDBPyConnection, list[Row]]:
    """A connection with calculations that have these settings, and the settings as the rules see them."""
    made = [calculation("x", f"{n:04}", {"B": 1, "N": 1}, **row) for n, row in enumerate(rows)]
    connection = duckdb.connect()
    for name, table in TABLES.items():
        filled = pa.Table.from_pylist(made, table.schema) if name == "calculations" else table.schema.empty_table()
        connection.register(name, filled)
    create_views(connection)
    columns = ", ".join(f"{setting.sql} as {setting.name}" for setting in SETTINGS)
    found = connection.sql(f"select {columns} from calculation_traits order by calculation_id").to_arrow_table()
    return connection, found.to_pylist()


def selected(connection: duckdb.DuckDBPyConnection, sql: str) -> list[int]:
    rows = connection.execute(
        f"select calculation_id from calculation_traits where {sql} order by calculation_id"
    ).fetchall()
    return [int(row[0].removeprefix("x/")) for row in rows]


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALCULATIONS, st.data())
def test_the_sql_selects_what_the_rule_says(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    connection, seen = with_settings(rows)
    with connection:
        conditions = conditions_of(seen) + [Condition(s, 7.5 if s.is_number else "it's") for s in SETTINGS]
        group = st.lists(st.sampled_from(conditions), max_size=3).map(tuple)
        rule = Rule(tuple(data.draw(st.lists(group, max_size=3))))
        assert selected(connection, rule.sql) == [n for n, row in enumerate(seen) if rule.fits(row)]
        # A condition that might be null would lose rows as soon as somebody negates it.
        assert len(selected(connection, f"not ({rule.sql})")) + len(selected(connection, rule.sql)) == len(rows)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALCULATIONS, st.data())
def test_the_learned_sql_selects_what_was_learned(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    connection, seen = with_settings(rows)
    similar = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    learn = Learn(smallest_group=2, share=data.draw(st.sampled_from([0.5, 0.9, 1.0])))
    with connection:
        rule = best_rule(seen, similar, learn)
        chosen = selected(connection, rule.sql)
        assert chosen == [n for n, row in enumerate(seen) if rule.fits(row)]
    if chosen:
        assert sum(similar[n] for n in chosen) >= learn.share * len(chosen) - 1e-9


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALCULATIONS, st.data())
def test_no_group_is_better_than_the_one_found(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    connection, seen = with_settings(rows[:15])
    connection.close()
    similar = data.draw(st.lists(st.booleans(), min_size=len(seen), max_size=len(seen)))
    learn = Learn(smallest_group=2, share=0.8, depth=2)
    rule = best_rule(seen, similar, learn)
    conditions = conditions_of(seen)
    best = 0
    for length in (1, 2):
        for group in combinations(conditions, length):
            passing = [flag for row, flag in zip(seen, similar, strict=True) if all(c.fits(row) for c in group)]
            if len(passing) >= 2 and sum(passing) >= 0.8 * len(passing) - 1e-9:
                best = max(best, sum(passing))
    if not rule.is_everything:
        first = rule.groups[0] if rule.groups else None
        found = sum(
            flag for row, flag in zip(seen, similar, strict=True) if first and all(c.fits(row) for c in first)
        )
        assert found == best


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALCULATIONS, st.data())
def test_more_is_never_worse_and_the_order_of_rows_is_nothing(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    connection, seen = with_settings(rows)
    connection.close()
    similar = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    rule = best_rule(seen, similar, Learn(smallest_group=2))
    for name in ("cutoff_ev", "k_point_density_angstrom"):
        for row in seen:
            if rule.fits(row) and row[name] is not None:
                assert rule.fits({**row, name: row[name] * 2 + 1})
    order = data.draw(st.permutations(range(len(rows))))
    assert best_rule([seen[n] for n in order], [similar[n] for n in order], Learn(smallest_group=2)) == rule


def planted() -> tuple[list[Row], list[bool]]:
    rows = [
        {s.name: None for s in SETTINGS} | {"cutoff_ev": cutoff, "k_point_density_angstrom": k, "functional": f}
        for cutoff in (250.0, 350.0, 450.0) for k in (10.02, 20.03, 26.641) for f in ("lda", "pbe") for _ in range(3)
    ]
    return rows, [r["cutoff_ev"] >= 350 and r["k_point_density_angstrom"] > 20 for r in rows]


def test_a_planted_rule_is_found_and_said() -> None:
    rule = best_rule(*planted(), Learn())
    assert str(rule) == "cutoff of at least 350 eV and k-point density of at least 20 Å"
    rows, similar = planted()
    either = [flag or row["functional"] == "lda" for row, flag in zip(rows, similar, strict=True)]
    assert str(best_rule(rows, either, Learn())) == (
        "LDA; or cutoff of at least 350 eV and k-point density of at least 20 Å"
    )


def test_thresholds_are_short_but_tell_values_apart() -> None:
    rows = [{s.name: None for s in SETTINGS} | {"cutoff_ev": value} for value in (26.641, 26.643, 26.65, 0.0, 350.0)]
    found = [c.value for c in conditions_of(rows) if c.setting.name == "cutoff_ev" and c.value is not None]
    # All have 0 or more: that tells nothing.
    assert found == [350.0, 26.65, 26.643, 26.6]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_reach_duckdb_to_the_last_bit(value: float) -> None:
    assert duckdb.sql(f"select ({number_literal(value)})::double").fetchall() == [(value,)]


@pytest.mark.parametrize(("hits", "n", "low", "high"), [
    # Clopper and Pearson's limits, from R: binom.test(hits, n)$conf.int
    (5, 7, 0.2904209, 0.9633074), (0, 10, 0.0, 0.3084971), (10, 10, 0.6915029, 1.0), (11, 111, 0.0505514, 0.1704091),
])
def test_intervals_are_the_exact_ones(hits: int, n: int, low: float, high: float) -> None:
    assert binomial_interval(hits, n) == pytest.approx((low, high), abs=2e-4)
    assert binomial_interval(0, 0) is None


def test_words_of_every_kind() -> None:
    group = (Condition(BY_NAME["functional"], "pbe"), Condition(BY_NAME["settings_tier"], None),
             Condition(BY_NAME["basis_functions_per_atom"], 13.0), Condition(BY_NAME["code"], "gpaw"))
    assert str(Rule((group,))) == (
        "PBE and unknown tier and number of basis functions per atom of at least 13 and the code gpaw"
    )
    assert str(Rule(())) == "nothing"
    assert str(Rule(((),))) == "everything"
