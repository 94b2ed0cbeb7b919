"""Which of the features that are built differ from all others: known by a mark of their values, which are not kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.space import DIGITS, Floats, Ints, Space

Marks = npt.NDArray[np.uint64]
WAITING = 500_000
"""Features that are looked through together."""
BYTES_OF_A_FEATURE = 200
"""What is held of a feature besides its values, while a rung is built."""
GIGABYTE = 1e9


def marks_of(values: Floats, unit: Ints) -> Marks:
    """What tells features apart (m, 2): a digest of their values to :data:`DIGITS` digits, and of their unit.

    Two sums of products with fixed random numbers, modulo 2⁶⁴: that two features which differ get the same mark is less
    likely than one in 10¹⁸.

    Args:
        values: (m, n), finite and not all 0.
        unit: place of each feature's unit (m,).
    """
    scale = 10.0 ** np.ceil(np.log10(np.abs(values).max(axis=1, keepdims=True)))
    digits = np.rint(values / scale * 10.0**DIGITS).astype(np.int64).view(np.uint64)
    factors = np.random.default_rng(1).integers(0, 2**64, (values.shape[1] + 1, 2), dtype=np.uint64) | np.uint64(1)
    found: Marks = np.stack([(digits * factors[:-1, one]).sum(axis=1, dtype=np.uint64)
                             + (unit.astype(np.uint64) + np.uint64(1)) * factors[-1, one] for one in range(2)], axis=1)
    return found


class Distinct:
    """The features of a new rung, of equal ones the one with fewest operators, then of the smallest places."""

    def __init__(self, space: Space, rung: int) -> None:
        """Begin with what a space holds.

        Args:
            space: features of the rungs below.
            rung: that is built, for what is said where it does not fit.
        """
        self.space, self.rung = space, rung
        self.n_same = 0
        self._known = marks_of(space.values, space.unit)
        self._columns = np.zeros((5, 0), dtype=np.int64)
        self._marks = np.zeros((0, 2), dtype=np.uint64)
        self._waiting: list[tuple[Ints, Marks]] = []

    def add(self, operator: int, left: Ints, right: Ints, count: Ints, unit: int, values: Floats) -> None:
        """Features (m, n) of one operator and one unit.

        Raises:
            InputError: they are too many for the memory of the settings.
        """
        same = np.full_like(left, 1)
        self._waiting.append((np.stack([operator * same, left, right, count, unit * same]),
                              marks_of(values, unit * same)))
        if sum(len(marks) for _, marks in self._waiting) > WAITING:
            self._look()

    def all(self) -> Ints:
        """Operator, left, right, number of operators and unit (5, m) of the features, in canonical order.

        Raises:
            InputError: they are too many for the memory of the settings.
        """
        self._look()
        operator, left, right, count, _ = self._columns
        return self._columns[:, np.lexsort((right, left, operator, count))]

    def _look(self) -> None:
        columns = np.concatenate([self._columns, *(part for part, _ in self._waiting)], axis=1)
        marks = np.concatenate([self._known, self._marks, *(part for _, part in self._waiting)])
        self._waiting = []
        n_known = len(self._known)
        # What was there before comes first of all that is equal to it.
        operator, left, right, count = (np.concatenate([np.full(n_known, -1), one]) for one in columns[:4])
        order = np.lexsort((right, left, operator, count, marks[:, 1], marks[:, 0]))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (marks[order[1:]] != marks[order[:-1]]).any(axis=1)
        kept = np.sort(order[first])
        kept = kept[kept >= n_known]
        self.n_same += columns.shape[1] - len(kept)
        self._columns, self._marks = columns[:, kept - n_known], marks[kept]
        settings, n = self.space.settings, self.space.values.shape[1]
        room = int(settings.memory_gb * GIGABYTE / 2 / (8 * n + BYTES_OF_A_FEATURE))
        if self.space.n + len(kept) > room:
            raise InputError(
                f"More than {room:,} features of rung {self.rung} do not fit into {settings.memory_gb:g} GB of memory: "
                "give more (--memory-gb), fewer columns or operators, or a lower rung."
            )
