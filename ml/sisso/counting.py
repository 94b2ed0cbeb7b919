"""How many features a space has, without building them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.sisso.operators import operators_of
from ml.sisso.space import Space


def n_candidates(space: Space) -> int:
    """How many features there are in all: those held, and what the highest rung adds, duplicates included."""
    if not space.streams:
        return space.n
    limit, total = space.settings.operator_limit, space.n
    newest = space.rung == space.held
    sizes = np.zeros((len(space.units), 2, int(space.n_operators.max()) + 1), dtype=object)
    np.add.at(sizes, (space.unit, newest.astype(np.int64), space.n_operators), 1)
    for operator in operators_of(space.settings.operators):
        for a, left in enumerate(space.units):
            if operator.arity == 1:
                if operator.unit(left) is not None:
                    total += int(sizes[a, 1, :max(limit, 0)].sum())
                continue
            for b, right in enumerate(space.units):
                if operator.unit(left, right) is not None and not (operator.commutes and b < a):
                    total += _pairs(sizes[a], sizes[b], limit - 1, a == b, operator.commutes)
    return total


def _pairs(
    left: npt.NDArray[np.object_], right: npt.NDArray[np.object_], limit: int, same: bool, commutes: bool
) -> int:
    """Ordered pairs with a new feature and no more than ``limit`` operators; half of them where order is nothing."""
    both = 0
    for x, y in ((1, 0), (0, 1), (1, 1)):
        below = np.concatenate([[0], np.cumsum(right[y])])
        for count, n in enumerate(left[x]):
            if n and limit - count >= 0:
                both += n * below[min(limit - count, len(right[y]) - 1) + 1]
    if same:
        both -= sum(int(n) for count, n in enumerate(left[1]) if 2 * count <= limit)
    return int(both) // 2 if same and commutes else int(both)
