"""The matrix of a linear model: blocks of rows with columns of their own, centred and scaled by the rows learned from.

Several blocks are several lattices, or other kinds of rows whose features have nothing to do with each other: the whole
matrix is block-diagonal and never made, and every block has an intercept of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CONSTANT = 1e-9
"""A column whose spread is this share of its largest value is constant: it is never chosen."""


@dataclass(frozen=True)
class Block:
    """Rows that share columns.

    Attributes:
        rows: their places in the target (n_block,).
        values: (n_block, p).
    """

    rows: Ints
    values: Floats


@dataclass(frozen=True)
class Design:
    """Blocks; columns are numbered through all of them.

    Attributes:
        blocks: one or more.
        n: rows in all.
    """

    blocks: tuple[Block, ...]
    n: int

    @classmethod
    def of(cls, parts: Sequence[tuple[Ints, Floats]]) -> Design:
        """The design of (rows, values) of every block; rows of all blocks together are 0 … n − 1.

        Raises:
            InputError: a value is no finite number, or rows are missing or twice.
        """
        blocks = tuple(Block(np.asarray(rows, dtype=np.int64), np.asarray(values, dtype=np.float64))
                       for rows, values in parts)
        places = np.concatenate([block.rows for block in blocks])
        if not np.array_equal(np.sort(places), np.arange(len(places))):
            raise InputError("Rows of a design are missing, or in two blocks.")
        if not all(np.isfinite(block.values).all() for block in blocks):
            raise InputError("A feature holds values that are no finite numbers.")
        return cls(blocks, len(places))

    @classmethod
    def plain(cls, values: Floats) -> Design:
        """The design of one block."""
        return cls.of([(np.arange(len(values), dtype=np.int64), values)])

    @property
    def starts(self) -> Ints:
        """The number of every block's first column, and of all columns (n_blocks + 1,)."""
        return np.concatenate([[0], np.cumsum([block.values.shape[1] for block in self.blocks])]).astype(np.int64)

    def place(self, column: int) -> tuple[int, int]:
        """Block of a column, and its place there."""
        block = int(np.searchsorted(self.starts, column, side="right")) - 1
        return block, int(column - self.starts[block])


@dataclass(frozen=True)
class Standard:
    """A design's rows learned from: centred by block, columns of length 1.

    Attributes:
        design: the whole.
        kept: by block, which of its rows (n_block,).
        values: by block (n_kept, p), constant columns 0.
        centres: by block, means of the columns (p,).
        lengths: by block, of the centred columns; 0 = constant.
        target: by block (n_kept,), centred.
        means: by block, of the target.
    """

    design: Design
    kept: tuple[npt.NDArray[np.bool_], ...]
    values: tuple[Floats, ...]
    centres: tuple[Floats, ...]
    lengths: tuple[Floats, ...]
    target: tuple[Floats, ...]
    means: tuple[float, ...]

    @classmethod
    def of(cls, design: Design, target: Floats, learned: npt.NDArray[np.bool_] | None = None) -> Standard:
        """Centre and scale.

        Args:
            design: all rows.
            target: values (n,).
            learned: rows to learn from (n,); None = all.
        """
        kept, values, centres, lengths, targets, means = [], [], [], [], [], []
        whole = np.ones(design.n, dtype=bool) if learned is None else learned
        for block in design.blocks:
            of_block = whole[block.rows]
            part = block.values[of_block]
            centre = part.mean(axis=0) if len(part) else np.zeros(block.values.shape[1])
            # Column by column in memory: a product with the transpose reads whole columns.
            part = np.asfortranarray(part - centre)
            length = np.sqrt(np.einsum("ij,ij->j", part, part))
            scale = np.abs(block.values).max(axis=0, initial=0.0) * max(len(part), 1) ** 0.5
            length = np.where(length > CONSTANT * scale, length, 0.0)
            part *= np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
            y = target[block.rows[of_block]]
            mean = float(y.mean()) if len(y) else float(target[whole].mean())
            kept.append(of_block)
            values.append(part)
            centres.append(centre)
            lengths.append(length)
            targets.append(y - mean)
            means.append(mean)
        return cls(design, tuple(kept), tuple(values), tuple(centres), tuple(lengths), tuple(targets), tuple(means))
