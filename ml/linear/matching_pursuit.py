"""Orthogonal matching pursuit along its whole path.

Y. C. Pati et al., Asilomar 1993; as scikit-learn's ``orthogonal_mp`` on columns of length 1, with a QR decomposition
that grows by a column a step, so that all models of the path come from one factorisation.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.linear.design import Design, Standard
from ml.linear.path import Path

Floats = npt.NDArray[np.float64]
DEPENDENT = 1e-7
"""A column of length 1 of which this is left beside the chosen ones is a combination of them."""
NOTHING_LEFT = 1e-13
"""Share of the target's length below which the residual is noise of rounding."""


def omp_path(
    design: Design, target: Floats, most: int, learned: npt.NDArray[np.bool_] | None = None
) -> Path:
    """Models of 0, 1, … up to ``most`` features, each with one more than the one before.

    The next feature is the one whose correlation with the residual is largest; then all coefficients are fitted anew.
    A column that is constant, or a combination of those chosen, is passed over. The path ends early where nothing is
    left to be said.

    Args:
        design: columns to choose from.
        target: values (n,).
        most: features of the largest model.
        learned: rows to learn from (n,); None = all.
    """
    standard = Standard.of(design, target, learned)
    pursuit = _Pursuit(standard)
    while len(pursuit.chosen) < most and pursuit.step():
        pass
    return pursuit.path()


class _Pursuit:
    """Orthonormal directions q of the chosen columns, block by block: a column has rows in one block only."""

    def __init__(self, standard: Standard) -> None:
        self.standard = standard
        self.residual = [part.copy() for part in standard.target]
        self.products = [values.T @ rest for values, rest in zip(standard.values, self.residual, strict=True)]
        self.passed_over = [length == 0 for length in standard.lengths]
        n_blocks = len(standard.values)
        self.directions = [np.zeros((0, len(part))) for part in standard.target]
        self.triangles = [np.zeros((0, 0)) for _ in range(n_blocks)]
        self.shares = [np.zeros(0) for _ in range(n_blocks)]
        self.chosen: list[tuple[int, int]] = []
        self.least = NOTHING_LEFT * max((float(np.sqrt(part @ part)) for part in standard.target), default=0.0)

    def step(self) -> bool:
        """Choose one more column; whether there was one."""
        while True:
            tops = [float(np.max(np.abs(np.where(over, 0.0, p)), initial=0.0))
                    for p, over in zip(self.products, self.passed_over, strict=True)]
            block = int(np.argmax(tops))
            if tops[block] <= self.least:
                return False
            column = int(np.argmax(np.abs(np.where(self.passed_over[block], 0.0, self.products[block]))))
            self.passed_over[block][column] = True
            if self._take(block, column):
                return True

    def _take(self, block: int, column: int) -> bool:
        values, known = self.standard.values[block], self.directions[block]
        direction = values[:, column].copy()
        weights = known @ direction
        direction -= weights @ known
        # Once more: what rounding left of the known directions.
        again = known @ direction
        direction -= again @ known
        length = float(np.sqrt(direction @ direction))
        if length < DEPENDENT:
            return False
        direction /= length
        share = float(direction @ self.residual[block])
        self.residual[block] -= share * direction
        self.products[block] = self.products[block] - share * (values.T @ direction)
        size = len(known)
        triangle = np.zeros((size + 1, size + 1))
        triangle[:size, :size] = self.triangles[block]
        triangle[:size, size], triangle[size, size] = weights + again, length
        self.triangles[block] = triangle
        self.directions[block] = np.concatenate([known, direction[None]])
        self.shares[block] = np.append(self.shares[block], share)
        self.chosen.append((block, column))
        return True

    def path(self) -> Path:
        """All models, from the one of no feature on."""
        from scipy.linalg import solve_triangular

        k = len(self.chosen)
        starts = self.standard.design.starts
        columns = np.array([starts[block] + column for block, column in self.chosen], dtype=np.int64)
        scaled = np.zeros((k + 1, k))
        of_block = np.array([block for block, _ in self.chosen], dtype=np.int64)
        for size in range(1, k + 1):
            scaled[size] = scaled[size - 1]
            block = of_block[size - 1]
            places = np.flatnonzero(of_block[:size] == block)
            m = len(places)
            scaled[size, places] = solve_triangular(self.triangles[block][:m, :m], self.shares[block][:m])
        return Path.of(self.standard, columns, scaled, np.arange(k + 1, dtype=np.int64))
