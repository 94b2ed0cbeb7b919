"""What a search found, gained and cost, from its candidates."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ml.profile.costs import Plan, cost_of
from ml.search.candidate import COMPLETED, FAILED, PRUNED, Candidate

SECONDS_PER_HOUR = 3_600.0


@dataclass(frozen=True)
class Outcome:
    """Candidates in numbers; errors are root mean square errors on the validation rows, in the unit of the target.

    Attributes:
        n_completed, n_pruned, n_failed: candidates by what became of them.
        training_steps: gradient steps that this search did.
        full_training_steps: those that training all candidates to their end would have taken.
        best: the candidate of the least error among those trained to the end; None = there is none.
        mean_rmse, median_rmse: over those trained to the end.
        gain: 1 − best / mean; the paper's mean of 556 meV and best of 474 are 14.7 %.
        device_hours: that devices computed for this search.
        full_device_hours: that training all to their end would have taken; None = no step was timed.
        cost, full_cost: of these hours; None = the price is unknown.
    """

    n_completed: int
    n_pruned: int
    n_failed: int
    training_steps: int
    full_training_steps: int
    best: Candidate | None
    mean_rmse: float | None
    median_rmse: float | None
    gain: float | None
    device_hours: float
    full_device_hours: float | None
    cost: float | None
    full_cost: float | None

    @property
    def best_rmse(self) -> float | None:
        """The least error."""
        return self.best.rmse if self.best else None


def outcome(candidates: Sequence[Candidate], steps: int, price_per_hour: float | None) -> Outcome:
    """Sum up candidates that have come to their end.

    Args:
        candidates: all of a search.
        steps: gradient steps of a training to its end.
        price_per_hour: of the device; None = unknown.
    """
    done = [one for one in candidates if one.state == COMPLETED]
    errors = [one.rmse for one in done]
    best = min(done, key=lambda one: (one.rmse, one.number), default=None)
    mean = statistics.fmean(errors) if errors else None
    own = [one for one in candidates if one.from_search is None]
    hours = sum(one.seconds for one in own) / SECONDS_PER_HOUR
    full = full_hours(candidates, steps)
    return Outcome(
        len(done), _count(candidates, PRUNED), _count(candidates, FAILED), sum(one.steps for one in own),
        len(candidates) * steps, best, mean, statistics.median(errors) if errors else None,
        1 - best.rmse / mean if best and mean else None, hours, full,
        None if price_per_hour is None else hours * price_per_hour,
        None if price_per_hour is None or full is None else full * price_per_hour,
    )


def full_hours(candidates: Sequence[Candidate], steps: int) -> float | None:
    """Hours of training all to their end, each at the time that its own steps took.

    A candidate without a step counts as the mean of the others.
    """
    timed = [cost_of(one.seconds / one.steps * 1e3, Plan(steps)).hours
             for one in candidates if one.steps and one.seconds > 0]
    return statistics.fmean(timed) * len(candidates) if timed else None


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those trained to the end that none beats in both error and time of a prediction, fastest first."""
    timed = sorted((one for one in candidates if one.state == COMPLETED and one.prediction_ms is not None),
                   key=lambda one: (one.prediction_ms or 0.0, one.rmse))
    found: list[Candidate] = []
    for one in timed:
        if not found or one.rmse < found[-1].rmse:
            found.append(one)
    return found


def _count(candidates: Sequence[Candidate], state: str) -> int:
    return sum(one.state == state for one in candidates)
