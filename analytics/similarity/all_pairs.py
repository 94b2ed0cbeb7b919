"""The tasks of an all-pairs run: tile against tile, pairs written where they are found.

A task reads two tiles, writes the pairs at or above the threshold into the folder of the table, where nobody sees
them before the run publishes them, and leaves a receipt in the run's folder. Only counts travel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analytics.similarity.pair_rows import rows_of
from analytics.similarity.pairs import CHUNK, Pairs, pairs_above, pairs_between
from analytics.similarity.run_folder import RunFolder
from analytics.similarity.sorted_index import Tile, TileRows, read_tile
from analytics.similarity.tile_profiles import AlignedTiles
from lake.store.whole import Part

if TYPE_CHECKING:
    from lake.store.lake import Lake


@dataclass(frozen=True)
class Found:
    """What a task found: how many pairs, in which files."""

    rows: int
    parts: tuple[Part, ...]


def tile_pairs(tiles: Sequence[Tile], threshold: float) -> list[tuple[int, int]]:
    """Pairs of tiles (left ≤ right) that may hold a similar pair, those with the most work first."""
    chosen = [
        (one.number, other.number) for one in tiles for other in tiles[one.number:]
        if one is other or one.may_be_similar(other, threshold)
    ]
    return sorted(chosen, key=lambda pair: -tiles[pair[0]].rows * tiles[pair[1]].rows)


def task_name(left: int, right: int) -> str:
    """The name of a task, for messages and receipts."""
    return f"pairs-{left:05}-{right:05}"


def compare(
    lake: Lake, grid_id: str, folder: RunFolder, prefix: str, left: int, right: int, threshold: float, most: int,
    aligned: bool, threads: int,
) -> Found:
    """Compare a tile with another one or with itself.

    Args:
        lake: the lake.
        grid_id: the grid.
        folder: the run's folder.
        prefix: begins the names of the files written.
        left: number of a tile.
        right: number of a tile.
        threshold: smallest similarity of a pair.
        most: how many pairs may be found before the task gives up.
        aligned: also the coefficient at the best small shift of the energies.
        threads: threads that may be used for that; 0 = one per core.

    Raises:
        TooManyPairsError: there are more than ``most``.
        InputError: the tile is not there.
    """
    one = read_tile(lake.root, folder.parts, left)
    other = one if left == right else read_tile(lake.root, folder.parts, right)
    shifted = AlignedTiles(lake, grid_id, folder, left, right, threads) if aligned else None
    parts = []
    for number, pairs in enumerate(_collected(_search(one, other, threshold, most))):
        rows = rows_of(one, other, pairs, shifted.of(pairs) if shifted else None)
        name = f"{prefix}-{left:05}-{right:05}-{number:05}.parquet"
        parts.append(lake.write_part("similarities", {"grid_id": grid_id}, name, rows))
    found = Found(sum(part.rows for part in parts), tuple(parts))
    folder.write_receipt(lake.root, task_name(left, right), found.parts)
    return found


def _search(one: TileRows, other: TileRows, threshold: float, most: int) -> Iterator[Pairs]:
    if one is other:
        return pairs_above(one.index, threshold, most=most)
    return pairs_between(one.index, other.index, threshold, most=most)


def _collected(chunks: Iterator[Pairs]) -> Iterator[Pairs]:
    """Small chunks, such as those of rare windows, put together."""
    held: list[Pairs] = []
    n = 0
    for pairs in chunks:
        if n and n + len(pairs.left) > CHUNK:
            yield _joined(held)
            held, n = [], 0
        held.append(pairs)
        n += len(pairs.left)
    if held:
        yield _joined(held)


def _joined(held: list[Pairs]) -> Pairs:
    return held[0] if len(held) == 1 else Pairs(*(np.concatenate(column) for column in zip(*held, strict=True)))
