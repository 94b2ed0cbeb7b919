"""The calculations most similar to a given one: exact, in one pass over the fingerprints of a lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import InputError, SettingsError, TableError

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake

LARGEST_SHIFT_EV = 0.1
ROWS_AT_ONCE = 65_536
SETTINGS = (
    "source", "cell_key", "reduced_key", "xc_functional", "hubbard_u_ev", "code", "basis_set", "cutoff_ev",
    "n_basis_functions", "k_grid", "n_k_points", "settings_tier", "spin_polarized", "band_gap_ev",
)
"""Columns of `calculations` that stand beside a similar calculation."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Rows:
    """Some fingerprints: ids, counts (n, n_counts), first covered interval and the one after the last (n,)."""

    ids: pa.Array
    counts: NDArray[Any]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def top(lake: Lake, calculation_id: str, grid_id: str, k: int = 10, *, aligned: bool = True) -> pa.Table:
    """The k calculations whose fingerprints are most similar to one's own.

    All fingerprints are read once, a few thousand at a time, as there is nothing to win from an index for one query.

    Args:
        lake: the lake.
        calculation_id: the calculation.
        grid_id: id or name of the grid.
        k: how many.
        aligned: also the best coefficient within shifts of ±0.1 eV, where the grid is one of densities of states.

    Returns:
        rank, calculation_id, similarity (Tanimoto coefficient), aligned_similarity and aligned_shift_ev (eV, of the
        other against the given one; null where there are no densities of states to shift, or where it was not asked
        for), and the columns ``SETTINGS`` of `calculations` (null where it holds no such row; the functional is that
        of the density of states where it is known); the most similar first, by id where coefficients are equal.

    Raises:
        SettingsError: k below 1.
        InputError: there is no such grid; the lake has no such calculation (the message names close ones), or no
            fingerprint of it (the message says why).
    """
    from analytics.fingerprints.kinds import find
    from analytics.similarity.reading import few_tables
    from analytics.similarity.why_not import why_not

    if k < 1:
        raise SettingsError(f"-k {k}: at least 1 is needed.")
    grid = find(grid_id, lake)
    _check_definition(lake, grid)
    with few_tables(lake) as connection:
        one = _one(connection, grid, calculation_id)
        if one is None:
            raise InputError(why_not(connection, calculation_id, grid))
        ids, values = _largest(_others(connection, grid, calculation_id), one, k)
        best, shifts_ev = np.full((2, len(ids)), np.nan)
        if aligned and grid.kind == "dos" and len(ids):
            best, shifts_ev = _aligned(connection, grid, calculation_id, ids)
        return _described(connection, grid, ids, values, best, shifts_ev)


def _check_definition(lake: Lake, grid: Grid) -> None:
    from analytics.fingerprints.kinds import declared

    if declared(lake).get(grid.grid_id, grid.parameters()) != grid.parameters():
        raise InputError(
            f"The fingerprints of {grid.grid_id} were made by another definition than this matlake's: make them "
            f"again: matlake fingerprint --grid {grid.grid_id}."
        )


def _one(connection: duckdb.DuckDBPyConnection, grid: Grid, calculation_id: str) -> _Rows | None:
    """The fingerprint of a calculation; None where there is none."""
    # Asked together with the id, whether there are counts would have those of all rows read.
    for rows in _batches(connection, grid, "calculation_id = $id", calculation_id):
        return rows
    return None


def _others(connection: duckdb.DuckDBPyConnection, grid: Grid, calculation_id: str) -> Iterator[_Rows]:
    return _batches(connection, grid, "calculation_id <> $id and counts is not null", calculation_id)


def _batches(
    connection: duckdb.DuckDBPyConnection, grid: Grid, condition: str, calculation_id: str
) -> Iterator[_Rows]:
    reader = connection.sql(
        "select calculation_id, counts, coalesce(start_interval, 0) as start, "  # noqa: S608
        f"coalesce(stop_interval, $n) as stop from fingerprints where grid_id = $grid and {condition}",
        params={"grid": grid.grid_id, "id": calculation_id, "n": grid.n_counts},
    ).to_arrow_reader(ROWS_AT_ONCE)
    for batch in reader:
        comparable = batch.filter(pc.is_valid(batch.column("counts")))
        if comparable.num_rows:
            yield _rows(comparable, grid)


def _rows(batch: pa.RecordBatch, grid: Grid) -> _Rows:
    lists = batch.column("counts")
    if not pc.all(pc.equal(lists.value_lengths(), grid.n_counts)).as_py():
        raise TableError(
            f"Table fingerprints: a row of {grid.grid_id} has not {grid.n_counts} counts; make them again: "
            f"matlake fingerprint --grid {grid.grid_id}."
        )
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    starts, stops = (batch.column(name).to_numpy().astype(np.int64) for name in ("start", "stop"))
    return _Rows(batch.column("calculation_id"), flat.astype(grid.dtype).reshape(-1, grid.n_counts), starts, stops)


def _largest(others: Iterator[_Rows], one: _Rows, k: int) -> tuple[list[str], Floats]:
    """Ids and coefficients of the k most similar rows, the smaller id first where coefficients are equal."""
    from analytics.similarity.tanimoto import against

    window = int(one.starts[0]), int(one.stops[0])
    ids, values = pa.array([], pa.string()), np.zeros(0)
    for rows in others:
        found = against(one.counts[0], rows.counts, window, starts=rows.starts, stops=rows.stops)
        # What the k-th best so far exceeds cannot be among the answer any more.
        least = values[-1] if len(values) == k else -1.0
        if len(found) > k:
            least = max(least, float(np.partition(found, len(found) - k)[len(found) - k]))
        chosen = np.flatnonzero(found >= least)
        joined = pa.table({
            "id": pa.concat_arrays([ids, rows.ids.take(pa.array(chosen))]),
            "value": np.concatenate([values, found[chosen]]),
        }).sort_by([("value", "descending"), ("id", "ascending")]).slice(0, k).combine_chunks()
        ids, values = joined["id"].combine_chunks(), joined["value"].to_numpy()
    listed: list[str] = ids.to_pylist()
    return listed, values


def _aligned(connection: duckdb.DuckDBPyConnection, grid: Grid, calculation_id: str, ids: list[str]) -> Floats:
    """Aligned coefficients and shifts (2, k); NaN where the lake has no density of states any more."""
    from analytics.fingerprints.grid import DosGrid
    from analytics.similarity.aligned import aligned_pairs
    from analytics.similarity.reading import profiles_of

    assert isinstance(grid, DosGrid)
    profiles = profiles_of(connection, [calculation_id, *ids])
    found = np.full((2, len(ids)), np.nan)
    there = np.flatnonzero(profiles.lengths[1:] > 0)
    if profiles.lengths[0] > 0 and len(there):
        found[:, there] = aligned_pairs(profiles, np.zeros(len(there), np.int64), there + 1, grid, LARGEST_SHIFT_EV)
    return found


def _described(
    connection: duckdb.DuckDBPyConnection, grid: Grid, ids: list[str], values: Floats, best: Floats, shifts_ev: Floats
) -> pa.Table:
    from analytics.similarity.reading import rows_of
    from lake.tables import TABLES

    settings = rows_of(connection, "calculations", ("calculation_id", *SETTINGS), ids)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "rank": pa.array(range(1, len(ids) + 1), pa.int32()), "calculation_id": pa.array(ids, pa.string()),
        "similarity": pa.array(values), "aligned_similarity": pa.array(best, mask=np.isnan(best)),
        "aligned_shift_ev": pa.array(shifts_ev, mask=np.isnan(shifts_ev)),
    }
    columns |= {name: settings[name].cast(TABLES["calculations"].schema.field(name).type) for name in SETTINGS}
    columns["source"] = pa.array([name.split("/", 1)[0] for name in ids], pa.string())
    if grid.kind == "dos":
        of_dos = rows_of(connection, "dos", ("calculation_id", "xc_functional"), ids)["xc_functional"]
        columns["xc_functional"] = pc.coalesce(of_dos.cast(pa.string()), columns["xc_functional"])
    return pa.table(columns)
