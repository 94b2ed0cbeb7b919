"""DuckDB connections that can read the lake, wherever it lies."""

from __future__ import annotations

import duckdb

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
