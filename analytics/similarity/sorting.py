"""The first task of a run: read all fingerprints of a grid, group what is alike, and write the rest in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.similarity.groups import identical, near
from analytics.similarity.sorted_index import Tile, Whole, order_and_cuts, write_tile
from analytics.similarity.tanimoto import totals_of
from lake.store.whole import Part

if TYPE_CHECKING:
    from lake.store.lake import Lake


@dataclass(frozen=True)
class Sorted:
    """What the sorting came to.

    Attributes:
        tiles: in the order of their numbers.
        n_fingerprints: comparable fingerprints of the grid.
        n_identical: those that equal their representative.
        n_near: those that are nearly equal to a representative of the same material.
        groups: files for the table `similarity_groups`.
    """

    tiles: tuple[Tile, ...]
    n_fingerprints: int
    n_identical: int
    n_near: int
    groups: tuple[Part, ...]

    @property
    def n_representatives(self) -> int:
        """Fingerprints that are compared pair by pair, and those without any count, which equal nothing."""
        return self.n_fingerprints - self.n_identical - self.n_near

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of_json(cls, written: dict[str, Any]) -> Sorted:
        """What such a file holds."""
        tiles, groups = (tuple(made(**row) for row in written[name]) for made, name in (
            (Tile, "tiles"), (Part, "groups")))
        return cls(**(written | {"tiles": tiles, "groups": groups}))


def sort_fingerprints(
    lake: Lake, grid_id: str, folder: tuple[str, ...], prefix: str, tile_rows: int, versions: dict[str, int],
    fold_above: int | None, fold_similarity: float,
) -> Sorted:
    """Write the tiles of a run.

    Args:
        lake: the lake.
        grid_id: the grid.
        folder: the run's folder.
        prefix: begins the name of a file for `similarity_groups`.
        tile_rows: rows of a tile.
        versions: of `fingerprints` and `calculations`.
        fold_above: materials with more fingerprints than this are folded; None = none is.
        fold_similarity: similarity to the representative from which one is folded.
    """
    from analytics.fingerprints.read import load

    found = load(lake, grid_id, version=versions["fingerprints"])
    starts, stops = found.starts.astype(np.int64), found.stops.astype(np.int64)
    _clear_outside(found.counts, starts, stops)
    totals = totals_of(found.counts)
    # A fingerprint without counts has the coefficient 0 with every other, also with one that equals it.
    kept = np.flatnonzero(totals > 0)
    first = np.arange(len(found), dtype=np.int64)
    if len(kept):
        first[kept] = kept[identical(found.counts[kept], starts[kept], stops[kept])]
    leader, similarity = first.copy(), np.ones(len(found))
    own = kept[first[kept] == kept]
    if fold_above is not None and len(own) > fold_above:
        material = _materials(lake, versions["calculations"], found.id_array, own, fold_above)
        if (material >= 0).any():
            chosen, values = near(found.counts[own], totals[own], starts[own], stops[own], material, fold_above,
                                  fold_similarity)
            leader[own], similarity[own] = own[chosen], values
            leader, similarity = leader[first], similarity[first]
    groups = _write_groups(lake, grid_id, prefix, found.id_array, first, leader, similarity)
    own = own[leader[own] == own]
    order, cuts = order_and_cuts(totals[own], starts[own], stops[own], tile_rows)
    tiles = []
    for number, (begin, end) in enumerate(pairwise(cuts)):
        rows = own[order[begin:end]]
        tiles.append(write_tile(lake.root, folder, number, found.counts[rows], totals[rows], starts[rows], stops[rows],
                                found.id_array.take(pa.array(rows)), rows))
    n_near = int((leader != first).sum())
    n_identical = int((leader != np.arange(len(leader))).sum()) - n_near
    return Sorted(tuple(tiles), len(found), n_identical, n_near, groups)


def _clear_outside(counts: NDArray[Any], starts: Whole, stops: Whole) -> None:
    """Set counts outside the covered intervals to zero: no comparison may see them."""
    width = counts.shape[1]
    partial = np.flatnonzero((starts > 0) | (stops < width))
    columns = np.arange(width)
    for begin in range(0, len(partial), 65_536):
        rows = partial[begin:begin + 65_536]
        outside = (columns < starts[rows, None]) | (columns >= stops[rows, None])
        chosen = counts[rows]
        chosen[outside] = 0
        counts[rows] = chosen


def _materials(lake: Lake, version: int, ids: pa.Array, rows: Whole, fold_above: int) -> Whole:
    """A number for the material (reduced_key) of each row, −1 where the material has few calculations."""
    from lake.store.catalogue import select_table
    from lake.store.delta import open_table
    from lake.store.duck import connect

    material = np.full(len(rows), -1, np.int64)
    wanted = pa.table({"calculation_id": ids.take(pa.array(rows)), "place": pa.array(np.arange(len(rows)))})
    with connect(lake.root) as connection:
        table = open_table(lake.root, "calculations", None if version < 0 else version)
        connection.execute(f'create view "calculations" as {select_table("calculations", table)}')
        connection.register("wanted", wanted)
        found = connection.execute(
            "with members as (select place, reduced_key from wanted join calculations using (calculation_id) "
            "where reduced_key is not null) select place, dense_rank() over (order by reduced_key) as number "
            "from members qualify count(*) over (partition by reduced_key) > $most", {"most": fold_above},
        ).fetchnumpy()
    material[np.asarray(found["place"], np.int64)] = np.asarray(found["number"], np.int64)
    return material


def _write_groups(
    lake: Lake, grid_id: str, prefix: str, ids: pa.Array, first: Whole, leader: Whole, similarity: NDArray[np.float64]
) -> tuple[Part, ...]:
    folded = np.flatnonzero(leader != np.arange(len(leader)))
    if not len(folded):
        return ()
    kinds: Sequence[str] = np.where(leader[folded] == first[folded], "identical", "near").tolist()
    rows = pa.table({
        "calculation_id": ids.take(pa.array(folded)), "representative_id": ids.take(pa.array(leader[folded])),
        "similarity": similarity[folded], "group_kind": pa.array(kinds, pa.string()),
    })
    return (lake.write_part("similarity_groups", {"grid_id": grid_id}, f"{prefix}-groups.parquet", rows),)
