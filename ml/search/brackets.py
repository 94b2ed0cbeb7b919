"""Hyperband: how many candidates begin, how far they are trained before most are ended, and what that takes.

L. Li et al., J. Mach. Learn. Res. 18, 185 (2018). Candidates of a bracket are compared with one another at the same
step, so that what a search finds does not depend on which worker was faster, as it does with asynchronous halving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

PRUNERS = ("hyperband", "halving", "none")


@dataclass(frozen=True)
class Rung:
    """Candidates that are trained up to a step."""

    n: int
    step: int


@dataclass(frozen=True)
class Bracket:
    """One group of candidates that compete.

    Attributes:
        number: of the bracket in the search, from 0.
        rungs: fewer and fewer candidates, trained further and further; the last ends at the last step.
    """

    number: int
    rungs: tuple[Rung, ...]

    @property
    def n(self) -> int:
        """Candidates that begin."""
        return self.rungs[0].n

    @property
    def steps(self) -> int:
        """Gradient steps of all its candidates: who goes on is not trained anew."""
        before, total = 0, 0
        for rung in self.rungs:
            total += rung.n * (rung.step - before)
            before = rung.step
        return total


@dataclass(frozen=True)
class Ladder:
    """The steps at which candidates are compared.

    Attributes:
        steps: of a training to its end.
        every: steps between two evaluations: candidates are compared at multiples of it.
        least: steps that every candidate is trained.
        factor: of so many candidates, one goes on.
        finishers: of a bracket, at least so many come to the end. The last comparisons are the hardest: who leads after
            a third of the steps is often not the best. With one finisher, as in the paper, the best of 48 networks on
            band gaps was found in a third of the orders of sampling, with three in all (``benchmarks/search.py``).
    """

    steps: int
    every: int
    least: int
    factor: int = 3
    finishers: int = 3

    @property
    def halvings(self) -> int:
        """How often candidates are thinned out at most."""
        return max(0, int(math.log(self.steps / self.least, self.factor) + 1e-9))

    def rung_step(self, times: int) -> int:
        """The step from which a candidate would be thinned out so many times before the end."""
        raw: float = self.steps / self.factor**times
        return min(self.steps, max(self.every, math.ceil(raw / self.every - 1e-9) * self.every))

    def bracket(self, number: int, times: int, n: int) -> Bracket:
        """A bracket of n candidates that is thinned out so many times, and no more often than there are any."""
        rungs = [Rung(n, self.rung_step(times))]
        for left in range(times - 1, -1, -1):
            before, step = rungs[-1], self.rung_step(left)
            survivors = min(before.n, max(self.finishers, before.n // self.factor))
            if step > before.step and survivors < before.n:
                rungs.append(Rung(survivors, step))
            else:
                rungs[-1] = Rung(before.n, step)
        return Bracket(number, tuple(rungs))


def brackets(ladder: Ladder, pruner: str, candidates: int, together: int) -> Iterator[Bracket]:
    """All brackets of a search, the last one with the candidates that are left.

    Args:
        ladder: the steps.
        pruner: ``hyperband``: brackets from the one that ends most candidates early to one that ends none, over and
            over; ``halving``: the most eager thinning out, of ``together`` candidates at a time; ``none``: all are
            trained to their end.
        candidates: in all.
        together: candidates that are sampled before any of them is known, where the pruner does not say.
    """
    most = 0 if pruner == "none" else ladder.halvings
    left, number = candidates, 0
    while left > 0:
        times = most - number % (most + 1) if pruner == "hyperband" else most
        n = min(left, _size(ladder, most, times) if pruner == "hyperband" and most else together)
        # A few candidates left over cannot be thinned out as often as a whole bracket.
        times = min(times, math.floor(math.log(n, ladder.factor) + 1e-9))
        yield ladder.bracket(number, times, n)
        left, number = left - n, number + 1


def _size(ladder: Ladder, most: int, times: int) -> int:
    """Candidates of a bracket, such that all brackets take about as many steps."""
    eager: int = ladder.factor**times
    return math.ceil((most + 1) / (times + 1) * eager)
