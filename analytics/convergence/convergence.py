"""All that can be said of how one material's calculations agree: order, blocks, differences, convergence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.convergence.converged import Series, converged_of
from analytics.convergence.differences import DifferenceBin, differences_of
from analytics.convergence.importance import Effect, importance_of
from analytics.convergence.order import Blocks, blocks_of, order_of
from analytics.convergence.settings import Setting, settings_of
from lake.errors import InputError, SettingsError

if TYPE_CHECKING:
    from analytics.similarity.block import Block
    from lake.store.lake import Lake

LEVEL = 0.9
DIGITS = 6
MOST_CALCULATIONS = 5_000
"""Calculations above which pairs are too many to be resampled in a minute."""


@dataclass(frozen=True)
class Convergence:
    """The calculations of one material, sorted by functional, k-points, basis and tier.

    Attributes:
        key: the cell_key or reduced_key.
        grid_id: the grid of the fingerprints.
        level: similarity that counts as converged.
        ids: calculation ids in sorted order (n,).
        rows: their settings in that order; columns of the query `material`.
        settings: the same as levels, by name.
        similarity: coefficients (n, n) in that order.
        aligned: the coefficients at the best shift (n, n), or None.
        shifts_ev: that shift, of column against row (n, n), or None.
        blocks: runs of equal settings, by functional; with k-points; with the kind of basis.
        differences: mean similarity by differences in k-points, basis and functional.
        series: where the density of states is converged.
        effects: the settings by how much they matter.
        set_aside: calculation_id, reason and message of calculations without a comparable fingerprint.
    """

    key: str
    grid_id: str
    level: float
    ids: tuple[str, ...]
    rows: pa.Table
    settings: Mapping[str, Setting]
    similarity: NDArray[np.float64]
    aligned: NDArray[np.float64] | None
    shifts_ev: NDArray[np.float64] | None
    blocks: tuple[Blocks, ...]
    differences: tuple[DifferenceBin, ...]
    series: tuple[Series, ...]
    effects: tuple[Effect, ...]
    set_aside: pa.Table

    def document(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; coefficients to six decimals."""
        return {
            "key": self.key, "grid_id": self.grid_id, "level": self.level, "n_calculations": len(self.ids),
            "calculations": [
                {**_plain(row), "words": {name: s.word(place) for name, s in self.settings.items()}}
                for place, row in enumerate(self.rows.to_pylist())
            ],
            "similarity": _rounded(self.similarity), "aligned": _rounded(self.aligned),
            "shifts_ev": _rounded(self.shifts_ev),
            "blocks": [
                {"settings": blocks.settings, "runs": [asdict(run) for run in blocks.runs],
                 "between": _rounded(blocks.between)}
                for blocks in self.blocks
            ],
            "differences": [asdict(one) for one in self.differences],
            "convergence": [asdict(one) for one in self.series],
            "effects": [asdict(one) for one in self.effects],
            "set_aside": self.set_aside.to_pylist(),
        }


def convergence_of(lake: Lake, key: str, grid_id: str, level: float = LEVEL) -> Convergence:
    """Compare all calculations of a material and say how their settings bear on it.

    Args:
        lake: the lake.
        key: a cell_key or a reduced_key.
        grid_id: the grid of the fingerprints.
        level: similarity that counts as converged.

    Raises:
        InputError: no calculation has that key, none of them has a fingerprint, or too many have.
        SettingsError: the level is no similarity.
    """
    from analytics.similarity.block import block_of

    if not 0 < level <= 1:
        raise SettingsError(f"--level {level:g}: a similarity above 0 and up to 1 is needed.")
    return from_block(block_of(lake, key, grid_id), level)


def from_block(block: Block, level: float = LEVEL) -> Convergence:
    """The same from a block that was read already.

    Raises:
        InputError: the block is empty, or holds more than 5,000 calculations.
    """
    if not block.ids:
        raise InputError(_nothing(block))
    if len(block.ids) > MOST_CALCULATIONS:
        raise InputError(
            f"{block.key} has {len(block.ids):,} calculations with a fingerprint, up to {MOST_CALCULATIONS:,} are "
            "studied. A cell_key is narrower than a reduced_key: matlake sql material --param key=… lists them."
        )
    order = order_of(settings_of(block.settings), block.ids)
    square = np.ix_(order, order)
    similarity = block.similarity[square]
    aligned = None if block.aligned is None else block.aligned[square]
    rows = block.settings.take(pa.array(order))
    settings = settings_of(rows)
    return Convergence(
        block.key, block.grid_id, level, tuple(block.ids[i] for i in order), rows, settings, similarity, aligned,
        None if block.shifts_ev is None else block.shifts_ev[square],
        blocks_of(settings, np.arange(len(order)), similarity, aligned),
        differences_of(settings, similarity, aligned), converged_of(settings, similarity, level),
        importance_of(settings, similarity, aligned), block.set_aside,
    )


def _nothing(block: Block) -> str:
    reasons = block.set_aside["reason"].value_counts().to_pylist()
    counted = ", ".join(f"{row['counts']:,} {row['values']}" for row in reasons)
    return (
        f"None of the {block.set_aside.num_rows:,} calculations of {block.key} has a fingerprint on {block.grid_id} "
        f"({counted}). If none was made so far: matlake fingerprint --grid {block.grid_id}."
    )


def _rounded(matrix: NDArray[np.float64] | None) -> list[list[float | None]] | None:
    if matrix is None:
        return None
    # Minus zero would read as a shift in one direction.
    rounded = (np.round(matrix, DIGITS) + 0.0).tolist()
    return [[None if value != value else value for value in row] for row in rounded]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its map as an object."""
    pairs = row["hubbard_u_ev"]
    return row | {"hubbard_u_ev": None if pairs is None else dict(pairs)}
