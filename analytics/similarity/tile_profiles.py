"""Densities of states of a run's tiles, put where the tasks that align pairs find them without reading all others.

One task per tile reads the lake's table `dos` once and writes the tile's densities in blocks of bounded size. A task
that aligns pairs of two tiles reads the blocks that it needs, so many densities at a time as memory allows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles
from analytics.similarity.pair_rows import Aligned
from analytics.similarity.sorted_index import read_tile
from lake.errors import InputError, SettingsError

if TYPE_CHECKING:
    from analytics.fingerprints.grid import DosGrid
    from analytics.similarity.pairs import Pairs
    from analytics.similarity.run_folder import RunFolder
    from lake.store.lake import Lake

Whole = NDArray[np.int64]
LARGEST_SHIFT_EV = 0.1
BATCH_ROWS = 256
BLOCK_BYTES = 64_000_000
SIDE_BYTES = 300_000_000
"""Densities of one side that are held at once."""
BYTES_PER_POINT = 16


def dos_grid(lake: Lake, grid_id: str) -> DosGrid:
    """The grid, if it is one of densities of states.

    Raises:
        SettingsError: it is of another kind.
    """
    from analytics.fingerprints.grid import DosGrid
    from analytics.fingerprints.kinds import find

    grid = find(grid_id, lake)
    if not isinstance(grid, DosGrid):
        raise SettingsError(
            f"The grid {grid.grid_id} describes a {grid.kind}: only densities of states can be shifted against each "
            "other. Leave --aligned out."
        )
    return grid


def write_profiles(lake: Lake, folder: RunFolder, number: int, version: int) -> int:
    """Write the densities of one tile; returns how many there are.

    Args:
        lake: the lake.
        folder: the run's folder.
        number: of the tile.
        version: of the table `dos`.
    """
    ids = read_tile(lake.root, folder.parts, number).ids
    place = np.full((3, len(ids)), -1, np.int64)
    for block, rows in enumerate(_blocks(lake, ids, version)):
        there = rows.column("row").to_numpy()
        place[0, there], place[1, there] = block, np.arange(len(there))
        place[2, there] = pa.compute.list_value_length(rows.column("energies_ev")).fill_null(0).to_numpy()
        lake.root.write(_file(rows.drop_columns(["row"])), *folder.parts, _block_name(number, block))
    table = pa.table(list(place), names=["block", "place", "points"])
    lake.root.write(_file(table), *folder.parts, profiles_name(number))
    return int((place[0] >= 0).sum())


def _blocks(lake: Lake, ids: pa.Array, version: int) -> Iterator[pa.Table]:
    """The densities of some calculations, some 64 MB at a time, with the row that each belongs to."""
    from lake.store.catalogue import select_table
    from lake.store.delta import open_table
    from lake.store.duck import connect

    with connect(lake.root) as connection:
        table = open_table(lake.root, "dos", None if version < 0 else version)
        connection.execute(f'create view "dos" as {select_table("dos", table)}')
        connection.register("wanted", pa.table({"calculation_id": ids, "row": np.arange(len(ids))}))
        reader: Any = connection.sql(
            f"select row, {', '.join(DOS_COLUMNS)} from dos join wanted using (calculation_id)"  # noqa: S608
        ).to_arrow_reader(BATCH_ROWS)
        held: list[pa.RecordBatch] = []
        for batch in reader:
            held.append(batch)
            if sum(b.nbytes for b in held) > BLOCK_BYTES:
                yield pa.Table.from_batches(held).combine_chunks()
                held = []
        if held:
            yield pa.Table.from_batches(held).combine_chunks()


def _file(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def profiles_name(number: int) -> str:
    """The file that tells where the densities of a tile are; it is written last."""
    return f"profiles-{number:05}.arrow"


def _block_name(number: int, block: int) -> str:
    return f"profiles-{number:05}-{block:05}.arrow"


class AlignedTiles:
    """The aligned coefficients of pairs of two tiles."""

    def __init__(self, lake: Lake, grid_id: str, folder: RunFolder, left: int, right: int, threads: int = 1) -> None:
        self._root, self._folder, self._threads = lake.root, folder.parts, threads
        self._grid = dos_grid(lake, grid_id)
        self._numbers = (left, right)
        self._places = [self._read(profiles_name(number)) for number in self._numbers]

    def of(self, pairs: Pairs) -> Aligned:
        """Coefficients and shifts of pairs of rows; NaN where the lake has no density of one of them any more."""
        from analytics.fingerprints.measures import mended
        from analytics.similarity.aligned import aligned_pairs

        n = len(pairs.left)
        found = Aligned(np.full(n, np.nan), np.full(n, np.nan))
        groups = [self._groups(side, rows) for side, rows in enumerate((pairs.left, pairs.right))]
        for one in range(int(groups[0].max(initial=-1)) + 1):
            mine = np.flatnonzero(groups[0][pairs.left] == one)
            first, left = np.unique(pairs.left[mine], return_inverse=True)
            densities = self._densities(0, first)
            others = groups[1][pairs.right[mine]]
            for other in np.unique(others[others >= 0]):
                chosen = np.flatnonzero(others == other)
                second, right = np.unique(pairs.right[mine[chosen]], return_inverse=True)
                both = pa.concat_tables([densities, self._densities(1, second)]).combine_chunks()
                values, shifts = aligned_pairs(
                    mended(Profiles.of_table(both)), left[chosen], right + len(first), self._grid, LARGEST_SHIFT_EV,
                    threads=self._threads, memory_bytes=256 * 2**20,
                )
                found.similarity[mine[chosen]], found.shift_ev[mine[chosen]] = values, shifts
        return found

    def _groups(self, side: int, rows: Whole) -> Whole:
        """For each row of a tile the group in which its density is read; −1 where there is none or no need."""
        table = self._places[side]
        wanted = np.zeros(table.num_rows, np.bool_)
        wanted[rows] = True
        wanted &= table.column("block").to_numpy() >= 0
        points = np.where(wanted, table.column("points").to_numpy(), 0)
        return np.where(wanted, np.cumsum(points) * BYTES_PER_POINT // SIDE_BYTES, -1)

    def _densities(self, side: int, rows: Whole) -> pa.Table:
        """The densities of some rows, in that order."""
        table = self._places[side]
        blocks, places = table.column("block").to_numpy()[rows], table.column("place").to_numpy()[rows]
        order = np.argsort(blocks, kind="stable")
        pieces = []
        for block in np.unique(blocks):
            of_block = places[order][blocks[order] == block]
            name = _block_name(self._numbers[side], int(block))
            pieces.append(self._read(name).take(pa.array(of_block)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(pieces).combine_chunks().take(pa.array(back))

    def _read(self, name: str) -> Any:
        content = self._root.read(*self._folder, name)
        if content is None:
            raise InputError(f"{'/'.join(self._folder)}/{name} is gone from the lake {self._root.uri}: run this again.")
        return pa.ipc.open_file(content).read_all()
