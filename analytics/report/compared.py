"""The calculations of one material compared with each other at known table versions, and pairs of them in detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.report.material import Material
from analytics.report.matrix import MOST_CALCULATIONS, thinned
from analytics.report.pair import Pair, Spectrum
from analytics.report.pair_choice import chosen_pairs

if TYPE_CHECKING:
    import duckdb

    from analytics.convergence.convergence import Convergence
    from analytics.fingerprints.grid import DosGrid
    from analytics.fingerprints.profiles import Profiles

LARGEST_SHIFT_EV = 0.1
Floats = npt.NDArray[np.float64]


def convergence_at(connection: duckdb.DuckDBPyConnection, key: str, grid: DosGrid) -> tuple[Convergence, int]:
    """How the settings of a material's calculations bear on its density of states.

    Args:
        connection: shows the lake's tables at the wanted versions.
        key: a reduced_key with at least one comparable calculation.
        grid: the grid of the fingerprints.

    Returns:
        The comparison of at most ``MOST_CALCULATIONS`` of them, at equal distances in the sorted order, and how many
        can be compared.
    """
    from analytics.convergence.convergence import from_block
    from analytics.convergence.order import order_of
    from analytics.convergence.settings import settings_of
    from analytics.queries import run_on
    from analytics.similarity.block import Block
    from analytics.similarity.reading import profiles_of
    from analytics.similarity.tanimoto import matrix

    rows = run_on(connection, "material", {"key": key, "grid": grid.grid_id})
    comparable = pc.is_null(rows["reason"])
    known, aside = rows.filter(comparable), rows.filter(pc.invert(comparable))
    order = order_of(settings_of(known), known["calculation_id"].to_pylist())
    chosen = known.take(order[thinned(known.num_rows, MOST_CALCULATIONS)]).drop_columns(["reason", "message"])
    ids = chosen["calculation_id"].to_pylist()
    counts, starts, stops = _counts(connection, grid, ids)
    aligned, shifts_ev = _aligned(profiles_of(connection, ids), grid)
    block = Block(
        key, ids, np.asarray(matrix(counts, starts, stops), dtype=np.float64), aligned, shifts_ev, chosen,
        aside.select(["calculation_id", "reason", "message"]), grid.grid_id,
    )
    return from_block(block), known.num_rows


def pairs_of(
    connection: duckdb.DuckDBPyConnection, material: Material, convergence: Convergence, grid: DosGrid
) -> list[Pair]:
    """The pairs of a material that are worth a closer look, with their spectra and fingerprints.

    Args:
        connection: shows the lake's tables at the wanted versions.
        material: the convergence's calculations, as :func:`analytics.report.material.material_of` makes it.
        convergence: the comparison.
        grid: the grid of its fingerprints.
    """
    from analytics.similarity.reading import profiles_of

    choices = chosen_pairs(material)
    if not choices:
        return []
    places = sorted({place for choice in choices for place in (choice.left, choice.right)})
    ids = [convergence.ids[place] for place in places]
    counts, starts, stops = _counts(connection, grid, ids)
    profiles = profiles_of(connection, ids)
    row = {place: i for i, place in enumerate(places)}
    found = []
    for choice in choices:
        i, j = row[choice.left], row[choice.right]
        shift = None if convergence.shifts_ev is None else float(convergence.shifts_ev[choice.left, choice.right])
        found.append(Pair(
            choice.label, material.calculations[choice.left], material.calculations[choice.right],
            float(material.similarity[choice.left, choice.right]),
            None if material.aligned is None else float(material.aligned[choice.left, choice.right]), shift,
            grid.edges_ev, counts[i].astype(np.int64), counts[j].astype(np.int64), Spectrum(*profiles.of_row(i)),
            Spectrum(*profiles.of_row(j)), int(max(starts[i], starts[j])), int(min(stops[i], stops[j])),
        ))
    return found


def _aligned(profiles: Profiles, grid: DosGrid) -> tuple[Floats, Floats]:
    """Aligned coefficients and shifts (n, n): computed for row < column and mirrored."""
    from analytics.similarity.aligned import aligned_pairs

    n = len(profiles.ids)
    left, right = np.triu_indices(n, 1)
    values, found_ev = aligned_pairs(profiles, left, right, grid, LARGEST_SHIFT_EV)
    best, shifts_ev = np.eye(n), np.zeros((n, n))
    best[left, right] = best[right, left] = values
    shifts_ev[left, right], shifts_ev[right, left] = found_ev, -np.asarray(found_ev)
    return best, shifts_ev


def _counts(
    connection: duckdb.DuckDBPyConnection, grid: DosGrid, ids: Sequence[str]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Counts (n, w), first intervals and the ones after the last (n,), in the order of the ids."""
    wanted = pa.table({"calculation_id": list(ids), "place": range(len(ids))})
    connection.register("wanted_fingerprints", wanted)
    try:
        found = connection.sql(
            "select counts, start_interval, stop_interval from fingerprints join wanted_fingerprints "
            "using (calculation_id) where grid_id = $grid order by place", params={"grid": grid.grid_id},
        ).to_arrow_table()
    finally:
        connection.unregister("wanted_fingerprints")
    flat = pc.list_flatten(found["counts"]).to_numpy().reshape(len(ids), -1)
    starts, stops = (found[f"{end}_interval"].to_numpy().astype(np.int64) for end in ("start", "stop"))
    return np.ascontiguousarray(flat, dtype=grid.dtype), starts, stops
