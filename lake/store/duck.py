"""DuckDB connections that can read the lake, wherever it lies."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from lake.store.root import Root


def connect(root: Root, database: str = ":memory:", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that never reaches out for extensions and reads s3:// through fsspec where needed."""
    connection = duckdb.connect(
        database,
        read_only=read_only,
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
    )
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    if not root.is_local:
        connection.register_filesystem(root.filesystem)
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
