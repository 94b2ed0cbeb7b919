"""A path of linear models with more and more features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.linear.design import Design, Standard

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Path:
    """k models, of growing size.

    Attributes:
        n_features: in each (k,); of ridge the effective number of them, rounded.
        columns: columns of the design that any of them has, in the order in which they came (m,).
        coefficients: of the columns as they are, not scaled (k, m).
        intercepts: by block (k, n_blocks).
        penalties: of lasso and ridge (k,); None = there are none.
    """

    n_features: Ints
    columns: Ints
    coefficients: Floats
    intercepts: Floats
    penalties: Floats | None = None

    @classmethod
    def of(
        cls, standard: Standard, columns: Ints, scaled: Floats, n_features: Ints, penalties: Floats | None = None
    ) -> Path:
        """The path of coefficients (k, m) of centred columns of length 1."""
        starts = standard.design.starts
        blocks = np.searchsorted(starts, columns, side="right") - 1
        inside = columns - starts[blocks]
        length = np.array([standard.lengths[b][i] for b, i in zip(blocks, inside, strict=True)])
        centre = np.array([standard.centres[b][i] for b, i in zip(blocks, inside, strict=True)])
        plain = np.divide(scaled, length, out=np.zeros_like(scaled), where=length > 0)
        intercepts = np.tile(np.array(standard.means), (len(scaled), 1))
        for block in range(len(starts) - 1):
            of_block = blocks == block
            intercepts[:, block] -= plain[:, of_block] @ centre[of_block]
        return cls(n_features, columns, plain, intercepts, penalties)

    def predict(self, design: Design) -> Floats:
        """What every model says of every row (k, n)."""
        starts = design.starts
        blocks = np.searchsorted(starts, self.columns, side="right") - 1
        found = np.empty((len(self.n_features), design.n))
        for place, block in enumerate(design.blocks):
            of_block = np.flatnonzero(blocks == place)
            values = block.values[:, self.columns[of_block] - starts[place]]
            found[:, block.rows] = self.coefficients[:, of_block] @ values.T + self.intercepts[:, [place]]
        return found
