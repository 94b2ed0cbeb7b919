"""The lake as it was: tables at versions that a result has written down, and no row of any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.errors import TableError
from lake.store.catalogue import create_views
from lake.store.delta import open_table
from lake.store.duck import connect
from lake.tables import TABLES

if TYPE_CHECKING:
    import duckdb

    from lake.store.lake import Lake

NOT_THERE = -1
"""Version of a table that nothing had been written to: later rows must not appear in it."""


def versions_of(lake: Lake, names: Iterable[str]) -> dict[str, int]:
    """The version that each of these tables is at now."""
    tables = {name: open_table(lake.root, name) for name in names}
    return {name: NOT_THERE if delta is None else delta.version() for name, delta in tables.items()}


@contextmanager
def connection_at(lake: Lake, versions: Mapping[str, int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that shows these tables at these versions and no row of any other, with the views of `sql/`.

    Raises:
        TableError: a version is not there any more.
    """
    try:
        tables = {
            name: open_table(lake.root, name, versions[name]) if versions.get(name, NOT_THERE) >= 0 else None
            for name in TABLES
        }
    except TableError as error:
        raise TableError(f"The tables that this version is pinned to are not all there. {error}") from error
    with connect(lake.root) as connection:
        # Otherwise an unknown table's name is looked for among the variables of this program.
        connection.execute("set python_enable_replacements = false")
        create_views(connection, lake.root, tables)
        yield connection
