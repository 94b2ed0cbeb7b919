"""The calculations of one material with their settings and counts, read in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics.query_files import queries
from analytics.similarity.reading import rows_of
from lake.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray


EVERY = "any"
LARGEST_BLOCK = 20_000
"""Calculations of one material above which no dense matrix is made: three of them would take 10 GB."""


@dataclass(frozen=True)
class Members:
    """The calculations of one material that have a fingerprint on one grid, and those that have none.

    Attributes:
        settings: one row per comparable calculation, ordered by id; columns of the query `material`.
        set_aside: calculation_id, reason and message of the others, ordered by id.
        counts: the fingerprints (n, n_counts), uint8 or uint16, in the order of ``settings``.
        starts: first interval that the data cover (n,).
        stops: the one after the last (n,).
    """

    settings: pa.Table
    set_aside: pa.Table
    counts: NDArray[Any]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def members_of(connection: duckdb.DuckDBPyConnection, key: str, grid_id: str) -> Members:
    """Read the calculations of a material.

    Args:
        connection: has the tables of a lake (:func:`~analytics.similarity.reading.few_tables`).
        key: a cell_key or a reduced_key.
        grid_id: the grid of the fingerprints.

    Raises:
        InputError: no calculation has that key (the message names close ones), or more than
            ``LARGEST_BLOCK`` have it.
    """
    rows = connection.sql(queries()["material"].text, params={"key": key, "grid": grid_id}).to_arrow_table()
    if rows.num_rows == 0 or key == EVERY:
        raise InputError(_unknown(connection, key))
    comparable = pc.is_null(rows["reason"])
    settings = rows.filter(comparable).drop_columns(["reason", "message"])
    _bounded(key, settings.num_rows)
    counts, starts, stops = _counts(connection, grid_id, settings["calculation_id"])
    return Members(settings, _set_aside(rows.filter(pc.invert(comparable)), grid_id), counts, starts, stops)


def _bounded(key: str, n_members: int) -> None:
    if n_members > LARGEST_BLOCK:
        raise InputError(
            f"{key} has {n_members:,} calculations with a fingerprint; a dense matrix is made of up to "
            f"{LARGEST_BLOCK:,}. List the similar pairs instead: matlake similar --threshold 0.9."
        )


def _counts(
    connection: duckdb.DuckDBPyConnection, grid_id: str, ids: pa.ChunkedArray
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    import numpy as np

    found = rows_of(
        connection, "fingerprints", ("calculation_id", "counts", "start_interval", "stop_interval"), ids.to_pylist(),
        grid_id,
    ).combine_chunks()
    flat = pc.list_flatten(found["counts"]).to_numpy()
    narrow = np.uint8 if flat.size == 0 or flat.max() <= np.iinfo(np.uint8).max else np.uint16
    return (
        flat.astype(narrow).reshape(found.num_rows, flat.size // max(found.num_rows, 1)),
        found["start_interval"].to_numpy().astype(np.int64), found["stop_interval"].to_numpy().astype(np.int64),
    )


def _set_aside(rows: pa.Table, grid_id: str) -> pa.Table:
    """Those without a fingerprint, the ones never tried told apart by whether they have a density of states."""
    columns: dict[str, list[str | None]] = {"calculation_id": [], "reason": [], "message": []}
    for row in rows.select(["calculation_id", "reason", "message", "has_dos"]).to_pylist():
        reason, message = row["reason"], row["message"]
        if reason == "not_fingerprinted":
            message = f"no fingerprint on {grid_id} so far: run matlake fingerprint"
            if grid_id.startswith("dos") and not row["has_dos"]:
                reason, message = "no_dos", "the lake holds no density of states of it"
        for name, value in (("calculation_id", row["calculation_id"]), ("reason", reason), ("message", message)):
            columns[name].append(value)
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns]))


def _unknown(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    close = connection.execute(
        "with keys as (select reduced_key as key from calculations union select cell_key from calculations) "
        "select key from keys where key is not null "
        "order by jaro_winkler_similarity(lower(key), lower($key)) desc, key limit 5", {"key": key},
    ).fetchall()
    if not close:
        return f"No calculation has the key {key!r:.80}: the lake holds no calculations. Fill it: matlake ingest."
    return (
        f"No calculation has the key {key!r:.80}. Close ones: {', '.join(row[0] for row in close)}. A key is a "
        "formula, elements in alphabetical order, an underscore and the number of the space group."
    )
