"""How many features a space has, without building them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.sisso.operators import operators_of
from ml.sisso.space import Space


def n_candidates(space: Space) -> int:
    """How many features there are in all: those held, and what the highest rung adds, duplicates included."""
    return space.n + sum(added(space).values())


def added(space: Space) -> dict[str, int]:
    """How many features the highest rung adds, by operator."""
    found: dict[str, int] = {}
    if not space.streams:
        return found
    limit = space.settings.operator_limit
    newest = space.rung == space.held
    sizes = np.zeros((len(space.units), 2, int(space.n_operators.max()) + 1), dtype=object)
    np.add.at(sizes, (space.unit, newest.astype(np.int64), space.n_operators), 1)
    everything = sizes.sum(axis=0)
    for operator in operators_of(space.settings.operators):
        if operator.arity == 1:
            found[operator.name] = sum(int(sizes[a, 1, :max(limit, 0)].sum()) for a, unit in enumerate(space.units)
                                       if operator.unit(unit) is not None)
        elif operator.any_units:
            found[operator.name] = _pairs(everything, limit - 1, operator.commutes)
        else:
            found[operator.name] = sum(_pairs(of_unit, limit - 1, operator.commutes) for of_unit in sizes)
    return found


def _pairs(sizes: npt.NDArray[np.object_], limit: int, commutes: bool) -> int:
    """Pairs of different features with a new one and no more than ``limit`` operators.

    Args:
        sizes: how many features there are, by whether they are new and by how many operators they have.
        limit: operators in both together.
        commutes: whether the order is nothing.
    """
    both = 0
    for x, y in ((1, 0), (0, 1), (1, 1)):
        below = np.concatenate([[0], np.cumsum(sizes[y])])
        for count, n in enumerate(sizes[x]):
            if n and limit - count >= 0:
                both += n * below[min(limit - count, len(sizes[y]) - 1) + 1]
    both -= sum(int(n) for count, n in enumerate(sizes[1]) if 2 * count <= limit)
    return int(both) // 2 if commutes else int(both)
