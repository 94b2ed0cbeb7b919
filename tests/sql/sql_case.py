"""A DuckDB connection with the lake's tables, filled from the `input.<table>.csv` of a folder.

Lists are written ``[Mg, F]``, maps ``{Fe=4.0}``; an empty field and a column that is left out are null.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from analytics.queries import create_views
from lake.tables import TABLES


@cache
def _empty() -> tuple[TemporaryDirectory[str], str]:
    """A database file with all tables, empty: copying it is faster than creating them."""
    folder = TemporaryDirectory(prefix="matlake-sql-")
    path = str(Path(folder.name) / "empty.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("begin")
        for name, table in TABLES.items():
            empty = table.schema.empty_table()
            connection.register("empty", empty)
            connection.execute(f'create table "{name}" as select * from empty')
            connection.unregister("empty")
        connection.execute("commit")
    return folder, path


def connection_with(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"attach '{_empty()[1]}' as empty (read_only)")
    connection.execute("copy from database empty to memory")
    connection.execute("detach empty")
    for path in folder.glob("input.*.csv"):
        connection.execute(
            f'insert into "{path.name.split(".")[1]}" by name '
            "select * from read_csv($path, all_varchar = true, header = true)",
            {"path": str(path)},
        )
    create_views(connection)
    return connection


def spelled(table: pa.Table) -> list[list[str]]:
    """Header and rows as CSV fields."""
    return [table.column_names, *([spell(v) for v in row.values()] for row in table.to_pylist())]


def spell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return f"[{', '.join(spell(v) for v in value)}]"
    return str(value)
