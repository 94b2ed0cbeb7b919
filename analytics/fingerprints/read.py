"""Fingerprints and densities of states out of the lake, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.fingerprints import kinds
from lake.errors import InputError, TableError
from lake.store.catalogue import select_table
from lake.store.delta import open_table
from lake.store.duck import connect

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.profiles import Profiles
    from lake.store.lake import Lake

ROWS_AT_ONCE = 65_536
Counts = NDArray[Any]


@dataclass(frozen=True)
class Fingerprints:
    """n fingerprints of one grid, ordered by id.

    Attributes:
        id_array: Arrow strings (n,), the calculation ids.
        counts: (n, n_counts), C-contiguous, uint8 or uint16.
        totals: (n,) sums of the counts.
        starts: (n,) first interval that the data cover.
        stops: (n,) the one after the last.
        grid_id: the grid of all of them.
        levels: largest value that a count can have.
    """

    id_array: pa.Array
    counts: Counts
    totals: NDArray[np.int64]
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    grid_id: str
    levels: int

    @cached_property
    def ids(self) -> list[str]:
        """The calculation ids as Python strings, made when first asked for."""
        found: list[str] = self.id_array.to_pylist()
        return found

    def __len__(self) -> int:
        return len(self.id_array)

    def check_same_grid(self, other: Fingerprints) -> None:
        """Make sure that two sets may be compared.

        Raises:
            TableError: they are of different grids.
        """
        kinds.check_same(self.grid_id, other.grid_id)


def load(
    lake: Lake, grid_id: str, *, ids: Sequence[str] | None = None, key: str | None = None, version: int | None = None
) -> Fingerprints:
    """The fingerprints of a grid; those that were set aside are left out.

    Args:
        lake: the lake.
        grid_id: id or name of the grid.
        ids: only these calculations; ids without a fingerprint are left out.
        key: only calculations of this cell_key or reduced_key.
        version: a version of the table `fingerprints`; default the current one.

    Raises:
        InputError: there is no such grid, or its fingerprints were made by another definition.
        TableError: a fingerprint has another number of counts than the grid.
    """
    grid = kinds.find(grid_id, lake)
    _check_definition(lake, grid)
    with connect(lake.root) as connection:
        table = open_table(lake.root, "fingerprints", version)
        connection.execute(f'create view "fingerprints" as {select_table("fingerprints", table)}')
        chosen = _chosen(lake, connection, ids, key)
        condition = f"grid_id = $grid and counts is not null {chosen}"
        asked = {"grid": grid.grid_id} | ({} if key is None else {"key": key})
        [(n_rows,)] = connection.execute(
            f"select count(*) from fingerprints where {condition}", asked  # noqa: S608
        ).fetchall()
        reader = connection.sql(
            "select calculation_id, counts, total, start_interval, stop_interval "  # noqa: S608
            f"from fingerprints where {condition}", params=asked
        ).to_arrow_reader(ROWS_AT_ONCE)
        return _filled(reader, grid, n_rows)


def load_profiles(lake: Lake, ids: Sequence[str], version: int | None = None) -> Profiles:
    """Densities of states in the order of the given ids, points in order of energy.

    Args:
        lake: the lake.
        ids: calculation ids, each once.
        version: a version of the table `dos`; default the current one.

    Raises:
        InputError: an id has no density of states, or is given twice.
    """
    from analytics.fingerprints.measures import mended
    from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles

    with connect(lake.root) as connection:
        connection.execute(f'create view "dos" as {select_table("dos", open_table(lake.root, "dos", version))}')
        rows = connection.sql(
            f"select {', '.join(DOS_COLUMNS)} from dos "  # noqa: S608
            "semi join (select unnest($ids::varchar[]) as wanted) on calculation_id = wanted",
            params={"ids": list(ids)},
        ).to_arrow_table()
    there = {name: place for place, name in enumerate(rows.column("calculation_id").to_pylist())}
    missing = [name for name in ids if name not in there]
    if missing:
        raise InputError(f"The lake holds no density of states of {', '.join(missing[:3])!r:.200}: matlake ingest.")
    if len(there) != len(ids):
        raise InputError("Densities of states: an id was given twice.")
    return mended(Profiles.of_table(rows.take(pa.array([there[name] for name in ids], pa.int64()))))


def _check_definition(lake: Lake, grid: kinds.Grid) -> None:
    stored = kinds.declared(lake).get(grid.grid_id)
    if stored is not None and stored != grid.parameters():
        raise InputError(
            f"The fingerprints of {grid.grid_id} were made by another definition than this matlake's: make them "
            f"again: matlake fingerprint --grid {grid.grid_id}."
        )


def _chosen(
    lake: Lake, connection: duckdb.DuckDBPyConnection, ids: Sequence[str] | None, key: str | None
) -> str:
    """The part of a condition that restricts the calculations."""
    condition = ""
    if ids is not None:
        connection.execute("create temp table asked_for as select unnest($ids::varchar[]) as id", {"ids": list(ids)})
        condition += " and calculation_id in (select id from asked_for)"
    if key is not None:
        table = open_table(lake.root, "calculations")
        connection.execute(f'create view "calculations" as {select_table("calculations", table)}')
        condition += (
            " and calculation_id in "
            "(select calculation_id from calculations where reduced_key = $key or cell_key = $key)"
        )
    return condition


def _filled(reader: pa.RecordBatchReader, grid: kinds.Grid, n: int) -> Fingerprints:
    """Batches of rows as arrays, one batch of Arrow's in memory at a time."""
    counts = np.zeros((n, grid.n_counts), dtype=grid.dtype)
    totals, starts = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int32)
    stops = np.zeros(n, dtype=np.int32)
    names: list[pa.Array] = []
    first = 0
    for batch in reader:
        last = first + batch.num_rows
        lists = batch.column("counts")
        if not pc.all(pc.equal(lists.value_lengths(), grid.n_counts)).as_py():
            raise TableError(
                f"Table fingerprints: a row of {grid.grid_id} has not {grid.n_counts} counts; make them again: "
                f"matlake fingerprint --grid {grid.grid_id}."
            )
        counts[first:last] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, grid.n_counts)
        totals[first:last] = batch.column("total").fill_null(0).to_numpy(zero_copy_only=False)
        starts[first:last] = batch.column("start_interval").fill_null(0).to_numpy(zero_copy_only=False)
        stops[first:last] = batch.column("stop_interval").fill_null(grid.n_counts).to_numpy(zero_copy_only=False)
        names.append(batch.column("calculation_id"))
        first = last
    ids = pa.concat_arrays(names) if names else pa.array([], pa.string())
    order = pc.sort_indices(ids)
    places = order.to_numpy()
    if not (places[1:] > places[:-1]).all():
        ids, counts, totals = ids.take(order), counts[places], totals[places]
        starts, stops = starts[places], stops[places]
    return Fingerprints(ids, counts, totals, starts, stops, grid.grid_id, grid.levels)
