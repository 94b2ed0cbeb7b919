"""What comparing a few calculations reads from a lake: a connection with the tables needed, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from lake.store.catalogue import select_table
from lake.store.delta import open_table
from lake.store.duck import connect

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.grid import DosGrid
    from analytics.fingerprints.profiles import Profiles
    from lake.store.lake import Lake

TABLES_READ = ("calculations", "dos", "fingerprints", "grids")


@contextmanager
def few_tables(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with these tables alone: a view for each of a lake's tables takes longer than reading."""
    with connect(lake.root) as connection:
        for name in TABLES_READ:
            connection.execute(f'create view "{name}" as {select_table(name, open_table(lake.root, name))}')
        yield connection


def dos_grid(connection: duckdb.DuckDBPyConnection, grid_id: str) -> DosGrid | None:
    """The grid of densities of states with that id, as the lake declares it; None where it is of another kind.

    Raises:
        InputError: the grid has another definition than this matlake's.
    """
    from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid

    found = connection.execute("select kind, parameters_json from grids where grid_id = $grid", {"grid": grid_id})
    rows = found.fetchall()
    if rows:
        row = rows[0]
        return DosGrid.from_parameters(json.loads(row[1])) if row[0] == "dos" else None
    return next((grid for grid in (REFERENCE, PAPER) if grid.grid_id == grid_id), None)


def profiles_of(connection: duckdb.DuckDBPyConnection, ids: list[str]) -> Profiles:
    """The densities of states of some calculations, in that order, as fingerprints are made of them.

    One that the lake lacks has no points.
    """
    from analytics.fingerprints.measures import mended
    from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles

    return mended(Profiles.of_table(rows_of(connection, "dos", DOS_COLUMNS, ids)))


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], ids: list[str],
    grid_id: str | None = None,
) -> pa.Table:
    """Rows of a table by calculation_id, in the order of the ids; nulls where it has none.

    Args:
        connection: has the table.
        table: its name.
        columns: which columns, calculation_id among them.
        ids: calculation ids.
        grid_id: the grid, where the table holds several.
    """
    of_grid = "" if grid_id is None else "and grid_id = $grid"
    # A condition on the ids skips what an outer join would read.
    found = connection.sql(
        f"select {', '.join(columns)} from {table} "  # noqa: S608
        f"where calculation_id in (select unnest($ids::varchar[])) {of_grid}",
        params={"ids": ids} | ({} if grid_id is None else {"grid": grid_id}),
    ).to_arrow_table()
    places = {name: place for place, name in enumerate(found["calculation_id"].to_pylist())}
    return found.take(pa.array([places.get(name) for name in ids], pa.int64()))
