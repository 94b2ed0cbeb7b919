"""Asking the lake: named queries from `sql/queries`, and SQL that a person types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from analytics.adhoc import check_read_only, read_value
from analytics.query_files import Parameter, Query, Value, queries, texts
from lake.errors import QueryError

if TYPE_CHECKING:
    from lake.store.lake import Lake

NO_PARAMETERS: Mapping[str, str] = {}


def names() -> tuple[str, ...]:
    """The names of all named queries, alphabetical."""
    return tuple(queries())


def describe(name: str) -> Query:
    """A named query with its question, parameters, columns and units; ``str()`` of it is meant for a person.

    Raises:
        QueryError: there is no such query.
    """
    if name not in queries():
        raise QueryError(f"There is no query {name!r:.80}. Queries: {', '.join(names())}.")
    return queries()[name]


def run_query(lake: Lake, name_or_sql: str, parameters: Mapping[str, str] = NO_PARAMETERS) -> pa.Table:
    """Answer a named query, or one SELECT statement, over the lake as it is now.

    Args:
        lake: the lake.
        name_or_sql: a name of :func:`names`, or SQL. A single word is always taken for a name.
        parameters: values of the `$name` in it, as text; those of a named query are read by their declared
            type, those of other SQL as a number or truth value where they look like one.

    Returns:
        The answer; the columns of a named query and their units are those that :func:`describe` tells.

    Raises:
        QueryError: unknown query or parameter, a value that does not fit, SQL that fails or that would write.
    """
    with lake.connect() as connection:
        # Otherwise an unknown table's name is looked for among the variables of this program.
        connection.execute("set python_enable_replacements = false")
        return run_on(connection, name_or_sql, parameters)


def run_on(
    connection: duckdb.DuckDBPyConnection, name_or_sql: str, parameters: Mapping[str, str] = NO_PARAMETERS
) -> pa.Table:
    """As :func:`run_query`, on a connection that has the tables and the views of `sql/views`.

    Args:
        connection: gets the macros of `sql/macros` where it lacks them; nothing else is changed.
        name_or_sql: a name, or SQL.
        parameters: values by name, as text.

    Raises:
        QueryError: see :func:`run_query`.
    """
    create_macros(connection)
    if name_or_sql in queries() or name_or_sql.strip().isidentifier():
        return _run_named(connection, describe(name_or_sql.strip()), parameters)
    check_read_only(connection, name_or_sql)
    return _fetch(connection, name_or_sql, {name: read_value(text) for name, text in parameters.items()})


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros of `sql/macros` that a connection lacks, for this connection alone."""
    found = connection.execute("select distinct function_name from duckdb_functions() where not internal")
    there = {row[0] for row in found.fetchall()}
    pending = {name: text for name, text in texts("macros").items() if name not in there}
    while pending:
        failed: dict[str, str] = {}
        for name, text in pending.items():
            try:
                connection.execute(text.replace("create or replace macro", "create or replace temp macro", 1))
            except duckdb.CatalogException as error:
                # A macro that it uses may be further down in the alphabet.
                failed[name], reason = text, error
        if len(failed) == len(pending):
            raise QueryError(f"The macros {', '.join(failed)} of sql/macros cannot be created: {reason}")
        pending = failed


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views of `sql/views` over tables that a connection has (a lake's connection has them)."""
    for name, text in texts("views").items():
        connection.execute(f'create or replace temp view "{name}" as {text}')


def _run_named(
    connection: duckdb.DuckDBPyConnection, query: Query, given: Mapping[str, str]
) -> pa.Table:
    values = bind(connection, query, given)
    with _answers(connection, query, given):
        # A step may have parameters of its own, which the text does not mention.
        mentioned = connection.extract_statements(query.text)[0].named_parameters
        rows = _fetch(connection, query.text, {n: v for n, v in values.items() if n in mentioned})
    if query.step:
        complete = import_module(query.step).complete
        completed: pa.Table = complete(rows, values)
        return completed
    return rows


@contextmanager
def _answers(
    connection: duckdb.DuckDBPyConnection, query: Query, given: Mapping[str, str]
) -> Iterator[None]:
    """The answers of the queries that a query uses, as tables while it runs."""
    for name in query.uses:
        used = describe(name)
        passed_on = {n: text for n, text in given.items() if n in used.parameters}
        connection.register(name, _run_named(connection, used, passed_on))
    try:
        yield
    finally:
        for name in query.uses:
            connection.unregister(name)


def bind(
    connection: duckdb.DuckDBPyConnection, query: Query, given: Mapping[str, str]
) -> dict[str, Value]:
    """Every parameter's value: the given one, checked, or the default.

    Raises:
        QueryError: a parameter is unknown, missing, of the wrong type or none of the choices.
    """
    known = ", ".join(query.parameters) or "none"
    unknown = [name for name in given if name not in query.parameters]
    if unknown:
        raise QueryError(f"{query.name} has no parameter {unknown[0]!r:.80}. Parameters: {known}.")
    values: dict[str, Value] = {}
    for name, parameter in query.parameters.items():
        value = parameter.read(given[name]) if name in given else parameter.default
        if value is None:
            raise QueryError(f"{query.name} needs the parameter {name}: {parameter.meaning}.")
        _check_choice(connection, query, parameter, value)
        values[name] = value
    return values


def _check_choice(
    connection: duckdb.DuckDBPyConnection, query: Query, parameter: Parameter, value: Value
) -> None:
    if not parameter.choices or value in parameter.choices:
        return
    choices: list[str] = []
    for choice in parameter.choices:
        kind, _, relation = choice.partition(":")
        choices += connection.table(relation).columns if kind == "column" and relation else [choice]
    if value not in choices:
        raise QueryError(
            f"{query.name}: {value!r:.80} is no choice for {parameter.name}. Choices: {', '.join(choices)}."
        )


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Value]) -> pa.Table:
    try:
        table: pa.Table = connection.sql(sql, params=dict(values) or None).to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(f"The query failed. {_advice(connection, error)}") from None
    return _narrow(table)


def _narrow(table: pa.Table) -> pa.Table:
    """DuckDB's sums of whole numbers have 128 bits, which Arrow calls decimals: int64 where they fit."""
    for place, field in enumerate(table.schema):
        if field.type == pa.decimal128(38, 0):
            with suppress(pa.ArrowInvalid):
                table = table.set_column(place, field.name, table[field.name].cast(pa.int64()))
    return table


def _advice(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    message = str(error).strip()
    if isinstance(error, duckdb.CatalogException):
        tables = connection.execute(
            "select distinct table_name from information_schema.tables order by table_name"
        ).fetchall()
        return f"{message}\nTables and views: {', '.join(row[0] for row in tables)}."
    if "parameter" in message.lower():
        return f"{message}\nGive every $name in the query a value, and nothing else: --param name=value."
    return message
