"""The fingerprints of the rows that are still in, at the pinned version, and how alike those of a material are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from lake.errors import TableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analytics.subsets.selection import Selection

BLOCK_ROWS = 2_000
"""Rows of one material compared with all others at once; bounds memory for materials of many calculations."""


@dataclass(frozen=True)
class Prints:
    """The comparable fingerprints of one grid, by material and then by id.

    Attributes:
        ids: calculation ids.
        keys: the material of each.
        counts: (n, n_counts).
        starts: (n,) first covered interval.
        stops: (n,) the one after the last.
    """

    ids: list[str]
    keys: list[str]
    counts: NDArray[Any]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def materials(self) -> Iterator[tuple[str, slice]]:
        """Every material with the places of its rows."""
        begin = 0
        for place in range(1, len(self.keys) + 1):
            if place == len(self.keys) or self.keys[place] != self.keys[begin]:
                yield self.keys[begin], slice(begin, place)
                begin = place


def prints_of(selection: Selection, grid_id: str) -> Prints:
    """The fingerprints of the rows that are still in, of materials that have two or more.

    Raises:
        TableError: fingerprints of one grid have different numbers of counts.
    """
    import numpy as np

    found = selection.connection.sql(
        "select calculation_id, material_key, counts, coalesce(start_interval, 0) as start_interval, "
        "coalesce(stop_interval, len(counts)) as stop_interval "
        "from fingerprints join kept using (calculation_id) "
        "where grid_id = $grid and counts is not null and reason is null "
        "qualify count(*) over (partition by material_key) > 1 order by material_key, calculation_id",
        params={"grid": grid_id},
    ).to_arrow_table()
    if len(pc.unique(pc.list_value_length(found["counts"]))) > 1:
        raise TableError(
            f"Fingerprints of the grid {grid_id} have different numbers of counts: make them again with matlake "
            "fingerprint."
        )
    flat = pc.list_flatten(found["counts"].combine_chunks()).to_numpy(zero_copy_only=False)
    narrow = np.uint8 if flat.size == 0 or flat.max() <= np.iinfo(np.uint8).max else np.uint16
    width = flat.size // max(found.num_rows, 1)
    return Prints(
        found["calculation_id"].to_pylist(), found["material_key"].to_pylist(),
        flat.astype(narrow).reshape(found.num_rows, width),
        *(found[name].to_numpy().astype(np.int64) for name in ("start_interval", "stop_interval")),
    )


def typicality(prints: Prints) -> dict[str, float]:
    """The mean similarity of every calculation to its material's others (Tanimoto coefficient)."""
    found: dict[str, float] = {}
    for _, rows in prints.materials():
        n = rows.stop - rows.start
        for begin in range(rows.start, rows.stop, BLOCK_ROWS):
            some = slice(begin, min(begin + BLOCK_ROWS, rows.stop))
            block = between(prints, some, rows)
            sums = block.sum(axis=1) - block[range(len(block)), range(some.start - rows.start, some.stop - rows.start)]
            found |= dict(zip(prints.ids[some], (float(s) for s in sums / (n - 1)), strict=True))
    return found


def similarity_to(prints: Prints, references: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Of every calculation whose material has a reference: that reference, and the similarity to it."""
    wanted = set(references)
    found: dict[str, tuple[str, float]] = {}
    for _, rows in prints.materials():
        place = next((at for at in range(rows.start, rows.stop) if prints.ids[at] in wanted), None)
        if place is not None:
            values = between(prints, slice(place, place + 1), rows)[0]
            pairs = zip(prints.ids[rows], values, strict=True)
            found |= {one: (prints.ids[place], float(value)) for one, value in pairs}
    return found


def between(prints: Prints, left: slice, right: slice) -> NDArray[np.float64]:
    """The Tanimoto coefficients of some rows with others: (len(left), len(right))."""
    from analytics.similarity.tanimoto import block

    return block(
        prints.counts[left], prints.counts[right], prints.starts[left], prints.stops[left],
        prints.starts[right], prints.stops[right],
    )
