"""The calculations most similar to a given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import InputError, SettingsError

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake

LARGEST_SHIFT_EV = 0.1
SCHEMA = pa.schema([
    ("rank", pa.int32()), ("calculation_id", pa.string()), ("similarity", pa.float64()),
    ("aligned_similarity", pa.float64()), ("aligned_shift_ev", pa.float64()), ("material", pa.string()),
    ("xc_functional", pa.string()), ("source", pa.string()),
])
Floats = NDArray[np.float64]


def most_similar(
    lake: Lake, calculation_id: str, grid_id: str, k: int = 10, *, aligned: bool | None = None
) -> pa.Table:
    """The k calculations whose fingerprints are most similar to one's own.

    Args:
        lake: the lake.
        calculation_id: the calculation.
        grid_id: id or name of the grid.
        k: how many.
        aligned: also the best coefficient within shifts of ±0.1 eV; default: where the grid is one of densities of
            states.

    Returns:
        rank, calculation_id, similarity (Tanimoto coefficient), aligned_similarity and aligned_shift_ev (eV, of the
        other against the given one; null without densities), material (reduced_key), xc_functional, source; the most
        similar first, by id where coefficients are equal.

    Raises:
        SettingsError: k below 1, or ``aligned`` for a grid of another kind.
        InputError: the lake has no such calculation (the message names close ones), or no fingerprint of it.
    """
    from analytics.fingerprints.kinds import find
    from analytics.fingerprints.read import load
    from analytics.similarity.tanimoto import against

    if k < 1:
        raise SettingsError(f"-k {k}: at least 1 is needed.")
    grid = find(grid_id, lake)
    if aligned and grid.kind != "dos":
        raise SettingsError(f"--aligned: the grid {grid.grid_id} describes a {grid.kind}, which cannot be shifted.")
    everything = load(lake, grid.grid_id)
    place = pc.index(everything.id_array, calculation_id).as_py()
    if place < 0:
        raise InputError(_why_not(lake, calculation_id, grid))
    window = int(everything.starts[place]), int(everything.stops[place])
    values = against(everything.counts[place], everything.counts, window, starts=everything.starts,
                     stops=everything.stops)
    values[place] = -1.0
    # Rows are ordered by id: a stable sort keeps that order among equal ones.
    best = _largest(values, min(k, len(values) - 1))
    ids: list[str] = everything.id_array.take(pa.array(best)).to_pylist()
    plain = values[best]
    if grid.kind == "dos" and aligned is not False:
        shifted = _aligned(lake, grid, calculation_id, ids)
    else:
        shifted = np.full((2, len(ids)), np.nan)
    return _described(lake, ids, plain, *shifted)


def _largest(values: Floats, k: int) -> NDArray[np.int64]:
    """Places of the k largest values, the first ones where they are equal."""
    if k < 1:
        return np.zeros(0, np.int64)
    least = np.partition(values, len(values) - k)[len(values) - k]
    chosen = np.flatnonzero(values >= least)
    return chosen[np.argsort(-values[chosen], kind="stable")][:k]


def _aligned(lake: Lake, grid: Grid, calculation_id: str, ids: list[str]) -> Floats:
    """Aligned coefficients and shifts (2, k); NaN where the lake has no density of states any more."""
    from analytics.fingerprints.grid import DosGrid
    from analytics.similarity.aligned import aligned_pairs
    from analytics.similarity.reading import few_tables, profiles_of

    assert isinstance(grid, DosGrid)
    with few_tables(lake) as connection:
        profiles = profiles_of(connection, [calculation_id, *ids])
    found = np.full((2, len(ids)), np.nan)
    there = np.flatnonzero(profiles.lengths[1:] > 0)
    if profiles.lengths[0] > 0 and len(there):
        found[:, there] = aligned_pairs(profiles, np.zeros(len(there), np.int64), there + 1, grid, LARGEST_SHIFT_EV)
    return found


def _described(lake: Lake, ids: list[str], plain: Floats, best: Floats, shifts_ev: Floats) -> pa.Table:
    from analytics.similarity.reading import few_tables

    n = len(ids)
    wanted = pa.table({
        "rank": pa.array(range(1, n + 1), pa.int32()), "calculation_id": pa.array(ids, pa.string()),
        "similarity": plain, "aligned_similarity": pa.array(best, mask=np.isnan(best)),
        "aligned_shift_ev": pa.array(shifts_ev, mask=np.isnan(shifts_ev)),
    })
    with few_tables(lake) as connection:
        connection.register("wanted", wanted)
        found = connection.sql(
            "select wanted.*, reduced_key as material, xc_functional, split_part(calculation_id, '/', 1) as source "
            "from wanted left join calculations using (calculation_id) order by rank"
        ).to_arrow_table()
    return found.select(SCHEMA.names).cast(SCHEMA)


def _why_not(lake: Lake, calculation_id: str, grid: Grid) -> str:
    """Why there is no fingerprint of a calculation, and what to do."""
    from analytics.similarity.reading import few_tables

    asked: dict[str, Any] = {"id": calculation_id}
    with few_tables(lake) as connection:
        made = connection.execute(
            "select reason, message from fingerprints where grid_id = $grid and calculation_id = $id",
            asked | {"grid": grid.grid_id},
        ).fetchone()
        if made is not None:
            return f"{calculation_id} has no fingerprint on {grid.grid_id}: {made[0]}: {made[1]}"
        tables = ("calculations", "dos")
        known = {t: _holds(connection, t, asked) for t in tables}
        if not any(known.values()):
            return _unknown(connection, calculation_id)
    if grid.kind == "dos" and not known["dos"]:
        return (
            f"{calculation_id} has no density of states in the lake, so none can be compared. Ingest it, or compare by "
            "what there is: --grid composition or --grid structure."
        )
    return (
        f"{calculation_id} has no fingerprint on {grid.grid_id} so far: run matlake fingerprint --grid {grid.grid_id}."
    )


def _holds(connection: duckdb.DuckDBPyConnection, table: str, asked: dict[str, Any]) -> bool:
    found = connection.execute(f"select 1 from {table} where calculation_id = $id limit 1", asked)  # noqa: S608
    return found.fetchone() is not None


def _unknown(connection: duckdb.DuckDBPyConnection, calculation_id: str) -> str:
    close = connection.execute(
        "select calculation_id from calculations order by jaro_winkler_similarity(lower(calculation_id), lower($id)) "
        "desc, calculation_id limit 5", {"id": calculation_id},
    ).fetchall()
    if not close:
        return f"There is no calculation {calculation_id!r:.80}: the lake holds none. Fill it: matlake ingest."
    return (
        f"There is no calculation {calculation_id!r:.80}. Close ones: {', '.join(row[0] for row in close)}. An id is "
        "the database, a slash and the id there, such as mp/mp-149."
    )


def without_fingerprint(lake: Lake, grid: Grid) -> int:
    """How many calculations came into the lake after the fingerprints of a grid were made."""
    from analytics.similarity.reading import few_tables

    table = "dos" if grid.kind == "dos" else "calculations"
    with few_tables(lake) as connection:
        found = connection.execute(
            f"select count(*) from {table} anti join (select calculation_id from fingerprints where "  # noqa: S608
            "grid_id = $grid) using (calculation_id)", {"grid": grid.grid_id},
        ).fetchone()
    assert found is not None
    return int(found[0])
