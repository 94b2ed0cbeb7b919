"""The best candidates so far: no two that say the same, and never more than a bound."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ml.sisso.scores import Scorer
from ml.sisso.space import Space, usable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SAME_SCORE = 1e-9
"""Only features whose scores are this near can be the same."""
SAME = 1e-10
"""Features of a correlation of 1 less this are the same to a linear model."""
BYTES_WAITING = 16e6
MOST_WAITING = 500
"""Few at a time raise the threshold soon, and what is below it is never built."""
LOOKED_AT = 256
"""Features that are compared together."""
SLACK = 1e-6
"""Scores of tiles are right to this: nothing that may belong into the pool is turned away."""


@dataclass
class Pool:
    """Candidates as operator and operands.

    Attributes:
        space: what they are made of.
        scorer: what they are judged by.
        size: how many are wanted.
        already: features that are not wanted again, centred and of length 1 (m, n).
        threshold: score below which nothing is of use any more.
        chosen: operator, left, right (3, size).
        scores: exact, descending.
        values: of the features (size, n).
        n_same: candidates that said the same as a better one.
        n_unusable: that are not defined everywhere, out of bounds or constant.
    """

    space: Space
    scorer: Scorer
    size: int
    already: Floats
    threshold: float = 0.0
    chosen: Ints = field(init=False)
    scores: Floats = field(init=False)
    values: Floats = field(init=False)
    n_same: int = 0
    n_unusable: int = 0
    _waiting: list[Ints] = field(default_factory=list)
    _n_waiting: int = 0

    def __post_init__(self) -> None:
        self.chosen = np.zeros((3, 0), dtype=np.int64)
        self.scores = np.zeros(0)
        self.values = np.zeros((0, self.space.values.shape[1]))

    @property
    def most_waiting(self) -> int:
        """Candidates that wait to be looked at."""
        return max(4 * self.size, min(MOST_WAITING, int(BYTES_WAITING / (8 * self.values.shape[1]))))

    def add(self, operator: int, left: Ints, right: Ints) -> None:
        """Candidates (m,) that seem to be above the threshold."""
        self._waiting.append(np.stack([np.full(len(left), operator, dtype=np.int64), left, right]))
        self._n_waiting += len(left)
        if self._n_waiting > self.most_waiting:
            self.settle()

    def settle(self) -> None:
        """Judge all that wait exactly, and keep the best."""
        if not self._waiting:
            return
        found = np.concatenate(self._waiting, axis=1)
        self._waiting, self._n_waiting = [], 0
        values = self.space.candidate_values(*found)
        good = usable(values, self.space.settings)
        self.n_unusable += int((~good).sum())
        found, values = found[:, good], values[good]
        scores = self.scorer.exact(values)
        found, values = np.concatenate([self.chosen, found], axis=1), np.concatenate([self.values, values])
        scores = np.concatenate([self.scores, scores])
        order = self._order(found, scores)
        found, values, scores = found[:, order], values[order], scores[order]
        fresh = _unlike(values, scores, self.already, self.size)
        kept = np.flatnonzero(fresh)[:self.size]
        last = int(kept[-1]) if len(kept) == self.size else len(fresh)
        self.n_same += int((~fresh[:last]).sum())
        self.chosen, self.values, self.scores = found[:, kept], values[kept], scores[kept]
        if len(kept) == self.size:
            self.threshold = float(self.scores[-1]) * (1 - SLACK)

    def _order(self, found: Ints, scores: Floats) -> Ints:
        """Best first; of equal ones the one with fewest operators, then of the smallest places."""
        operator, left, right = found
        count = np.where(operator >= 0, 1, 0) + self.space.n_operators[left] + np.where(
            right >= 0, self.space.n_operators[right], 0)
        steps = np.rint(scores / SAME_SCORE)
        return np.asarray(np.lexsort((right, left, operator, count, -steps)), dtype=np.int64)


def _unlike(values: Floats, scores: Floats, already: Floats, wanted: int) -> npt.NDArray[np.bool_]:
    """Which features (m, n), in their order, say something that none before them and none of ``already`` says.

    No more than ``wanted`` are looked for: those after the last of them are taken for nothing new.
    """
    fresh = np.zeros(len(values), dtype=bool)
    start_of_step = np.concatenate(([0], np.flatnonzero(np.abs(np.diff(scores)) > 4 * SAME_SCORE) + 1))
    first = start_of_step[np.searchsorted(start_of_step, np.arange(len(scores)), side="right") - 1]
    kept, places = np.empty((min(wanted + LOOKED_AT, len(values)), values.shape[1])), np.empty(0, dtype=np.int64)
    for start in range(0, len(values), LOOKED_AT):
        unit = directions(values[start:start + LOOKED_AT])
        new = np.ones(len(unit), dtype=bool)
        if len(already):
            new &= (np.abs(unit @ already.T) < 1 - SAME).all(axis=1)
        # Only features of about the same score can be the same: those of this part, and those kept of its first step.
        before = kept[np.searchsorted(places, first[start]):len(places)]
        if len(before):
            new &= (np.abs(unit @ before.T) < 1 - SAME).all(axis=1)
        twins = np.abs(unit @ unit.T) >= 1 - SAME
        for place in np.flatnonzero(np.tril(twins, -1).any(axis=1)):
            new[place] &= not (twins[place, :place] & new[:place]).any()
        fresh[start:start + LOOKED_AT] = new
        kept[len(places):len(places) + int(new.sum())] = unit[new]
        places = np.concatenate([places, np.flatnonzero(new) + start])
        if len(places) >= wanted:
            break
    return fresh


def directions(values: Floats) -> Floats:
    """Features (m, n) centred and of length 1."""
    part = values - values.mean(axis=1, keepdims=True)
    part /= np.abs(part).max(axis=1, keepdims=True)
    found: Floats = part / np.sqrt((part**2).sum(axis=1, keepdims=True))
    return found
