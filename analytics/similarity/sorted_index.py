"""Fingerprints of one grid sorted by total into tiles, as files that workers share.

A pair can only be similar where its totals are: Tc ≤ smaller total / larger total. In tiles sorted by total, most
pairs of tiles need no look. The files belong to one run (see :mod:`analytics.similarity.run_folder`).
"""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.similarity.index import Index
from lake.errors import InputError
from lake.store.root import Root

Whole = NDArray[np.int64]
SEVERAL = -1
OWN_TILE_ROWS = 4_096
"""Rows that cover the same intervals get tiles of their own from so many on: only then do totals bound."""
CACHE_BYTES = 1_000_000_000
SMALLEST_TILE, LARGEST_TILE, TILES = 32_768, 262_144, 16


@dataclass(frozen=True)
class Tile:
    """One file of fingerprints.

    Attributes:
        number: counts from 0.
        rows: fingerprints in it.
        lowest: smallest total.
        highest: largest total.
        start: first interval that all of them cover; −1 where they cover different ones.
        stop: the one after the last; −1 likewise.
    """

    number: int
    rows: int
    lowest: int
    highest: int
    start: int
    stop: int

    def may_be_similar(self, other: Tile, threshold: float) -> bool:
        """Whether a pair of the two tiles can reach the threshold, judged by their totals."""
        if SEVERAL in (self.start, other.start) or (self.start, self.stop) != (other.start, other.stop):
            return self.stop == SEVERAL or other.stop == SEVERAL or (
                max(self.start, other.start) < min(self.stop, other.stop)
            )
        small, large = (self, other) if self.lowest <= other.lowest else (other, self)
        return small.highest >= large.lowest or small.highest / large.lowest >= threshold


@dataclass(frozen=True)
class TileRows:
    """The rows of a tile in memory: their index, their ids and their places in the order of all ids."""

    index: Index
    ids: pa.Array
    ranks: Whole

    @property
    def size(self) -> int:
        """Bytes, about."""
        own = int(self.ids.nbytes) + self.ranks.nbytes
        return own + sum(part.counts.nbytes + part.sums.nbytes + 40 * len(part) for part in self.index.parts)


def rows_of_a_tile(n: int) -> int:
    """How many rows a tile has, for n fingerprints: enough tiles to share out, few enough files."""
    return min(LARGEST_TILE, max(SMALLEST_TILE, -(-n // TILES)))


def order_and_cuts(totals: Whole, starts: Whole, stops: Whole, tile_rows: int) -> tuple[Whole, list[int]]:
    """The order of rows, by window (the most frequent first), total and number, and where tiles begin and end."""
    code = starts * (int(stops.max(initial=0)) + 1) + stops
    _, which, sizes = np.unique(code, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    places = rank[which.ravel()]
    order = np.lexsort((np.arange(len(totals)), totals, places))
    large = sorted(sizes[sizes >= OWN_TILE_ROWS].tolist(), reverse=True)
    cuts, begin = [0], 0
    for size in (*large, len(totals) - sum(large)):
        n_tiles = -(-size // tile_rows)
        cuts += [begin + (size * k) // n_tiles for k in range(1, n_tiles + 1)]
        begin += size
    return order.astype(np.int64), cuts


def write_tile(root: Root, folder: tuple[str, ...], number: int, counts: NDArray[Any], totals: Whole, starts: Whole,
               stops: Whole, ids: pa.Array, ranks: Whole) -> Tile:
    """Write one tile, its rows as they are given."""
    values = pa.array(np.ascontiguousarray(counts).ravel())
    rows = pa.table({
        "id": ids, "counts": pa.FixedSizeListArray.from_arrays(values, counts.shape[1]),
        "start": starts.astype(np.int32), "stop": stops.astype(np.int32), "rank": ranks,
    })
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    root.write(sink.getvalue(), *folder, _name(number))
    one = bool((starts == starts[0]).all() and (stops == stops[0]).all())
    window = (int(starts[0]), int(stops[0])) if one else (SEVERAL, SEVERAL)
    return Tile(number, len(totals), int(totals.min()), int(totals.max()), *window)


def _name(number: int) -> str:
    return f"tile-{number:05}.arrow"


_cache: OrderedDict[tuple[str, ...], TileRows] = OrderedDict()
_lock = Lock()


def read_tile(root: Root, folder: tuple[str, ...], number: int) -> TileRows:
    """A tile ready for comparing; the last ones used are kept in the process.

    Raises:
        InputError: the file is not there.
    """
    key = (root.uri, *folder, str(number))
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    found = _read(root, folder, number)
    with _lock:
        _cache[key] = found
        while len(_cache) > 2 and sum(tile.size for tile in _cache.values()) > CACHE_BYTES:
            _cache.popitem(last=False)
    return found


def forget_tiles() -> None:
    """Free what the process keeps."""
    with _lock:
        _cache.clear()


def _read(root: Root, folder: tuple[str, ...], number: int) -> TileRows:
    content = root.read(*folder, _name(number))
    if content is None:
        raise InputError(
            f"The sorted fingerprints {'/'.join(folder)}/{_name(number)} are not in the lake {root.uri} as this worker "
            "sees it. Workers on other machines need the same folder or an s3:// lake; if the run's folder was "
            "removed meanwhile, run the same command again."
        )
    rows = pa.ipc.open_file(content).read_all().combine_chunks()
    lists = rows.column("counts").chunk(0)
    counts = lists.flatten().to_numpy(zero_copy_only=True).reshape(rows.num_rows, lists.type.list_size)
    index = Index.of(counts, rows.column("start").to_numpy(), rows.column("stop").to_numpy())
    return TileRows(index, rows.column("id").chunk(0), rows.column("rank").to_numpy())
