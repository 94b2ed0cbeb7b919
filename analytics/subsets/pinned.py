"""The tables that a subset is made from, at versions that are written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.errors import TableError
from lake.store.catalogue import select_table

if TYPE_CHECKING:
    import duckdb

    from analytics.subsets.recipe import Recipe
    from lake.store.lake import Lake

NOT_THERE = -1
"""Version of a table that nothing had been written to: later rows must not appear in it."""


def tables_read(recipe: Recipe) -> tuple[str, ...]:
    """The tables that decide who is a member."""
    return ("calculations", "fingerprints") if recipe.learn or recipe.grid else ("calculations",)


def present_versions(lake: Lake, recipe: Recipe) -> dict[str, int]:
    """The version that each of these tables is at now."""
    found = lake.versions()
    return {name: found.get(name, NOT_THERE) for name in tables_read(recipe)}


@contextmanager
def connection_at(lake: Lake, versions: Mapping[str, int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that shows these tables at these versions, with the views and macros of `sql/`.

    Raises:
        TableError: a version is not there any more.
    """
    try:
        connection = lake.connect({name: v for name, v in versions.items() if v != NOT_THERE})
    except TableError as error:
        raise TableError(f"The tables that this version is pinned to are not all there. {error}") from error
    with connection:
        # Otherwise an unknown table's name is looked for among the variables of this program.
        connection.execute("set python_enable_replacements = false")
        for name in (name for name, version in versions.items() if version == NOT_THERE):
            connection.execute(f'create or replace view "{name}" as {select_table(name, None)}')
        yield connection
