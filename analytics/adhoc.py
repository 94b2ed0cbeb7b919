"""SQL that a person types: one statement that reads, and values for its parameters."""

from __future__ import annotations

import re

import duckdb

from lake.errors import QueryError

EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)
COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def check_read_only(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Let one statement pass that reads: SELECT, FROM, WITH, PIVOT, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN of these.

    Files of the user may be read (`from 'mine.csv'`); nothing can be written, attached, installed or set.

    Raises:
        QueryError: the SQL cannot be parsed, is not one statement, or does something else.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"This is no SQL that DuckDB understands, and no named query. {error}") from None
    if len(statements) != 1:
        raise QueryError(f"One SQL statement is needed, {len(statements)} were given.")
    statement = statements[0]
    if statement.type == duckdb.StatementType.SELECT:
        return
    bare = COMMENTS.sub(" ", statement.query)
    if statement.type == duckdb.StatementType.EXPLAIN and (explained := EXPLAIN.match(bare)):
        # EXPLAIN ANALYZE runs what it explains.
        check_read_only(connection, bare[explained.end():])
        return
    if statement.type == duckdb.StatementType.MULTI and re.search(r"\bpivot\b", bare, re.IGNORECASE):
        return
    kind = statement.type.name.replace("_", " ").upper()
    raise QueryError(f"Queries only read; this is a statement of the kind {kind}. Start with SELECT, FROM or WITH.")


def read_value(text: str) -> str | int | float | bool:
    """The value of a parameter as typed: a whole number, a number, true or false, else the text itself."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return float(text)
    return text
