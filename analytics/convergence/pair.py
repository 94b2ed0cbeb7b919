"""One pair of calculations in detail: both densities of states, both fingerprints, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import InputError

if TYPE_CHECKING:
    import duckdb

    from analytics.fingerprints.grid import DosGrid
    from lake.store.lake import Lake

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Spectrum = tuple[Floats, Floats]


@dataclass(frozen=True)
class PairDetail:
    """Two fingerprints of w counts and what they were made from.

    Attributes:
        grid_id: the grid of both.
        left_id: one calculation.
        right_id: the other one.
        left_settings: its row of the query `material`.
        right_settings: that of the other one.
        left_counts: its fingerprint (w,).
        right_counts: that of the other one (w,).
        start: first interval that both cover.
        stop: the one after the last; only intervals [start, stop) are compared.
        similarity: Tanimoto coefficient, Σ overlap / Σ union.
        aligned: the coefficient at the best shift; None on grids that are not of densities of states.
        shift_ev: that shift, of right against left.
        edges_ev: where the intervals end, relative to the valence-band maximum (w + 1,); None as above.
        left_spectrum: energies in eV and states/eV/atom of its density (m,), (m,); None as above.
        right_spectrum: the same of the other one.
    """

    grid_id: str
    left_id: str
    right_id: str
    left_settings: dict[str, Any]
    right_settings: dict[str, Any]
    left_counts: Counts
    right_counts: Counts
    start: int
    stop: int
    similarity: float
    aligned: float | None
    shift_ev: float | None
    edges_ev: Floats | None
    left_spectrum: Spectrum | None
    right_spectrum: Spectrum | None

    @property
    def overlap(self) -> Counts:
        """The smaller count of every interval (w,); 0 outside [start, stop)."""
        return self._common(np.minimum(self.left_counts, self.right_counts))

    @property
    def union(self) -> Counts:
        """The larger count of every interval (w,); 0 outside [start, stop)."""
        return self._common(np.maximum(self.left_counts, self.right_counts))

    def _common(self, counts: Counts) -> Counts:
        places = np.arange(len(counts))
        return np.where((places >= self.start) & (places < self.stop), counts, 0)

    def document(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "grid_id": self.grid_id, "similarity": self.similarity, "aligned": self.aligned,
            "shift_ev": self.shift_ev, "start": self.start, "stop": self.stop,
            "edges_ev": None if self.edges_ev is None else self.edges_ev.tolist(),
            "overlap": self.overlap.tolist(), "union": self.union.tolist(),
            "left": _side(self.left_settings, self.left_counts, self.left_spectrum),
            "right": _side(self.right_settings, self.right_counts, self.right_spectrum),
        }


def pair_detail(lake: Lake, left_id: str, right_id: str, grid_id: str) -> PairDetail:
    """Compare two calculations, of one material or not.

    Args:
        lake: the lake.
        left_id: a calculation_id.
        right_id: another one, or the same.
        grid_id: the grid of the fingerprints.

    Raises:
        InputError: the lake does not hold one of them, or it has no fingerprint on that grid.
    """
    from analytics.similarity.reading import dos_grid, few_tables, profiles_of
    from analytics.similarity.tanimoto import coefficient

    with few_tables(lake) as connection:
        settings = _settings(connection, (left_id, right_id), grid_id)
        made = [_counts(connection, calculation_id, grid_id) for calculation_id in (left_id, right_id)]
        grid = dos_grid(connection, grid_id)
        profiles = profiles_of(connection, [left_id, right_id]) if grid else None
    (left, left_window), (right, right_window) = made
    similarity = coefficient(left, right, left_window, right_window)
    start, stop = max(left_window[0], right_window[0]), min(left_window[1], right_window[1])
    aligned, shift_ev = (None, None) if grid is None or profiles is None else _aligned(profiles, grid)
    return PairDetail(
        grid_id, left_id, right_id, *settings, left, right, start, max(start, stop), similarity, aligned, shift_ev,
        None if grid is None else grid.edges_ev, *(
            (None, None) if profiles is None else (profiles.of_row(0), profiles.of_row(1))
        ),
    )


def _aligned(profiles: Any, grid: DosGrid) -> tuple[float, float]:
    from analytics.similarity.aligned import aligned_pairs
    from analytics.similarity.block import LARGEST_SHIFT_EV

    values, shifts = aligned_pairs(profiles, np.array([0]), np.array([1]), grid, LARGEST_SHIFT_EV)
    return float(values[0]), float(shifts[0])


def _settings(
    connection: duckdb.DuckDBPyConnection, ids: tuple[str, str], grid_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of both in the query `material`.

    Raises:
        InputError: one is unknown, or has no fingerprint.
    """
    from analytics.query_files import queries

    found = connection.sql(
        f"select * from ({queries()['material'].text}) as material "  # noqa: S608
        "where calculation_id in ($left, $right)",
        params={"key": "any", "grid": grid_id, "left": ids[0], "right": ids[1]},
    ).to_arrow_table().to_pylist()
    rows = {row["calculation_id"]: row for row in found}
    for calculation_id in ids:
        if calculation_id not in rows:
            raise InputError(f"There is no calculation {calculation_id!r:.120}. {_close(connection, calculation_id)}")
        row = rows[calculation_id]
        if row["reason"] == "not_fingerprinted":
            raise InputError(f"{calculation_id} has no fingerprint on {grid_id} so far: run matlake fingerprint.")
        if row["reason"] is not None:
            raise InputError(f"{calculation_id} has no fingerprint on {grid_id}: {row['reason']}, {row['message']}.")
    return rows[ids[0]], rows[ids[1]]


def _close(connection: duckdb.DuckDBPyConnection, calculation_id: str) -> str:
    close = connection.execute(
        "select calculation_id from calculations order by jaro_winkler_similarity(calculation_id, $id) desc, "
        "calculation_id limit 3", {"id": calculation_id},
    ).fetchall()
    return f"Close ones: {', '.join(row[0] for row in close)}." if close else "The lake holds no calculations."


def _counts(
    connection: duckdb.DuckDBPyConnection, calculation_id: str, grid_id: str
) -> tuple[Counts, tuple[int, int]]:
    counts, start, stop = connection.execute(
        "select counts, start_interval, stop_interval from fingerprints "
        "where grid_id = $grid and calculation_id = $id", {"grid": grid_id, "id": calculation_id},
    ).fetchall()[0]
    return np.array(counts, dtype=np.int64), (start, stop)


def _side(settings: dict[str, Any], counts: Counts, spectrum: Spectrum | None) -> dict[str, Any]:
    pairs = settings["hubbard_u_ev"]
    return {
        **settings, "hubbard_u_ev": None if pairs is None else dict(pairs), "counts": counts.tolist(),
        "energies_ev": None if spectrum is None else spectrum[0].tolist(),
        "states_per_ev_per_atom": None if spectrum is None else spectrum[1].tolist(),
    }
