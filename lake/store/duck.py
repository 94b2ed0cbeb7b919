"""DuckDB connections that can read the lake, wherever it lies."""

from __future__ import annotations

import atexit
import os
from functools import lru_cache

import duckdb
import pyarrow as pa

from lake.store.root import Root

NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False, "autoload_known_extensions": False,
}


def connect(root: Root, database: str = ":memory:", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that never reaches out for extensions and reads s3:// through fsspec where needed."""
    connection = duckdb.connect(database, read_only=read_only, config=NO_EXTENSIONS)
    if not root.is_local:
        connection.register_filesystem(root.filesystem)
    return _ready(connection)


def reader(root: Root) -> duckdb.DuckDBPyConnection:
    """A connection for one question: nothing may be created on it, for others of this process share its database.

    Making a database takes 30 ms, a connection to one that is there less than one.
    """
    if not root.is_local:
        return connect(root)
    return _ready(_shared(os.getpid()).cursor())


@lru_cache(maxsize=1)
def _shared(_process: int) -> duckdb.DuckDBPyConnection:
    """An empty database in memory; a process that was forked off makes its own."""
    shared = duckdb.connect(config=NO_EXTENSIONS)
    # It lives as long as the process: what was read must not stay in memory.
    shared.execute("set global enable_external_file_cache = false")
    # What is alive when the interpreter ends is reported as leaked.
    atexit.register(_shared.cache_clear)
    return shared


def _ready(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    return connection


def duckdb_type(kind: pa.DataType) -> str:
    """The DuckDB name of a column's Arrow type.

    DuckDB knows this itself, but asking it through an Arrow table imports pandas, which takes a second.
    """
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return f"map({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    return {
        pa.string(): "varchar", pa.float64(): "double", pa.int16(): "smallint", pa.int32(): "integer",
        pa.int64(): "bigint", pa.bool_(): "boolean", pa.timestamp("us", tz="UTC"): "timestamptz",
    }[kind]
