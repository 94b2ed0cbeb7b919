"""What comparing a few calculations reads from a lake: a connection with the tables needed, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
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

    wanted = pa.table({"calculation_id": pa.array(ids, pa.string()), "place": pa.array(range(len(ids)), pa.int64())})
    connection.register("wanted_densities", wanted)
    try:
        rows = connection.sql(
            f"select {', '.join(DOS_COLUMNS)} from wanted_densities left join dos using (calculation_id) "  # noqa: S608
            "order by place"
        ).to_arrow_table()
    finally:
        connection.unregister("wanted_densities")
    return mended(Profiles.of_table(rows))
