"""Why there is nothing to compare a calculation by, and how far the fingerprints lag behind the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake


def why_not(connection: duckdb.DuckDBPyConnection, calculation_id: str, grid: Grid) -> str:
    """Why there is no fingerprint of a calculation on a grid, and what to do.

    Args:
        connection: has the tables of a lake (:func:`~analytics.similarity.reading.few_tables`).
        calculation_id: the calculation.
        grid: the grid.
    """
    made = connection.execute(
        "select reason, message from fingerprints where grid_id = $grid and calculation_id = $id",
        {"grid": grid.grid_id, "id": calculation_id},
    ).fetchone()
    if made is not None:
        return f"{calculation_id} was set aside on the grid {grid.grid_id}, {made[0]}: {made[1]}"
    in_calculations, in_dos = (_holds(connection, table, calculation_id) for table in ("calculations", "dos"))
    if not in_calculations and not in_dos:
        return _unknown(connection, calculation_id)
    if grid.kind == "dos" and not in_dos:
        return (
            f"{calculation_id} has no density of states in the lake, so none can be compared. Ingest it, or compare by "
            "what there is: --grid composition or --grid structure."
        )
    return (
        f"{calculation_id} has no fingerprint on the grid {grid.grid_id} so far: run matlake fingerprint --grid "
        f"{grid.grid_id}."
    )


def _holds(connection: duckdb.DuckDBPyConnection, table: str, calculation_id: str) -> bool:
    found = connection.execute(
        f"select 1 from {table} where calculation_id = $id limit 1", {"id": calculation_id}  # noqa: S608
    )
    return found.fetchone() is not None


def _unknown(connection: duckdb.DuckDBPyConnection, calculation_id: str) -> str:
    close = connection.execute(
        "select calculation_id from (select calculation_id from calculations union select calculation_id from dos) "
        "order by jaro_winkler_similarity(lower(calculation_id), lower($id)) desc, calculation_id limit 5",
        {"id": calculation_id},
    ).fetchall()
    if not close:
        return f"There is no calculation {calculation_id!r:.80}: the lake holds none. Fill it: matlake ingest."
    return (
        f"There is no calculation {calculation_id!r:.80}. Close ones: {', '.join(row[0] for row in close)}. An id is "
        "the database, a slash and the id there, such as mp/mp-149."
    )


def not_fingerprinted(lake: Lake, grid: Grid) -> int:
    """How many rows came into the lake after the fingerprints of a grid were made; 0 where none were made so far."""
    from analytics.similarity.reading import few_tables

    table = "dos" if grid.kind == "dos" else "calculations"
    with few_tables(lake) as connection:
        found = connection.execute(
            "with made as (select calculation_id from fingerprints where grid_id = $grid) "  # noqa: S608
            f"select count(*) from {table} anti join made using (calculation_id) where exists (from made)",
            {"grid": grid.grid_id},
        ).fetchone()
    assert found is not None
    return int(found[0])
