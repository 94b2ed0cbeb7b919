"""Which candidates are tried next: Optuna's samplers, told what the candidates before were worth.

What is sampled follows from the seed and the candidates before alone, however often a search was interrupted: the
sampler is made anew for every bracket, and the study is put together from what is known.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml.search.candidate import COMPLETED, FAILED, OWN_IN_STACK, PRUNED, Candidate, spelled

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from ml.search.request import SearchRequest

DRAWS = 50
"""Draws of a candidate that was there before, until one that was not is looked for."""
LARGEST_LISTED = 200_000
STARTUP = 10
SMALLEST_POPULATION, LARGEST_POPULATION = 4, 50
Found = tuple[dict[str, Any], dict[str, Any]]


def proposed(request: SearchRequest, bracket: int, n: int, before: Sequence[Candidate]) -> list[Found]:
    """Parameters of the candidates of a bracket, each with what the sampler keeps; none was there before.

    Args:
        request: of the search.
        bracket: its number.
        n: how many.
        before: all candidates of the search so far.

    Returns:
        Fewer than n only where the space holds no more.
    """
    chosen = request.seed if request.sampler_seed is None else request.sampler_seed
    seed = random.Random(f"{chosen} {bracket}").randrange(2**31)  # noqa: S311 - nothing secret
    study, distributions = _study(request, seed, before), request.space.distributions()
    seen = {spelled(one.parameters) for one in before}
    own = [path for path in distributions if path in OWN_IN_STACK]
    found: list[Found] = []
    while len(found) < n:
        fixed = {path: value for path, value in found[-1][0].items() if path not in own} \
            if own and len(found) % request.per_shape else None
        one = _new(study, request, fixed, seen, seed + len(found))
        if one is None and fixed is None:
            break
        if one is None:
            one = _new(study, request, None, seen, seed + len(found))
            if one is None:
                break
        seen.add(spelled(one[0]))
        found.append(one)
    return found


def _new(study: Study, request: SearchRequest, fixed: dict[str, Any] | None, seen: set[str], seed: int) -> Found | None:
    """A candidate that was not there before; None = there is none (with these values fixed)."""
    distributions = request.space.distributions()
    for _ in range(DRAWS):
        if fixed:
            study.enqueue_trial(fixed)
        trial = study.ask(distributions)
        if spelled(trial.params) not in seen:
            return dict(trial.params), _attributes(study.get_trials(deepcopy=False)[trial.number].system_attrs)
        from optuna.trial import TrialState

        study.tell(trial, state=TrialState.FAIL)
    return _unseen(request, fixed, seen, seed)


def _unseen(request: SearchRequest, fixed: dict[str, Any] | None, seen: set[str], seed: int) -> Found | None:
    """One of the candidates that are left of a space that can be listed, by chance."""
    if request.space.size > LARGEST_LISTED:
        return None
    values = [[(fixed or {})[one.path]] if fixed and one.path in fixed else _listed(one.distribution())
              for one in request.space.parameters]
    paths = [one.path for one in request.space.parameters]
    left = [dict(zip(paths, choice, strict=True)) for choice in itertools.product(*values)]
    left = [one for one in left if spelled(one) not in seen]
    return (random.Random(seed).choice(left), {}) if left else None  # noqa: S311


def _listed(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    n = round((distribution.high - distribution.low) / distribution.step) + 1
    return [distribution.low + place * distribution.step for place in range(n)]


def _study(request: SearchRequest, seed: int, before: Sequence[Candidate]) -> Study:
    """A study that knows what the candidates before were worth."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize", sampler=_sampler(request, seed))
    study.add_trials([_trial(request, one) for one in before])
    return study


def _sampler(request: SearchRequest, seed: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

    if request.sampler == "random":
        return RandomSampler(seed=seed)
    if request.sampler == "evolutionary":
        population = min(LARGEST_POPULATION, max(SMALLEST_POPULATION, request.n_candidates // 5))
        return NSGAIISampler(seed=seed, population_size=population)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)


def _trial(request: SearchRequest, one: Candidate) -> FrozenTrial:
    """A candidate as Optuna keeps it.

    TPE ranks those that were ended early by how far they came. An evolution knows only what has a value, and would
    take nearly all its candidates for not there: it is told the error that they had reached.
    """
    from optuna.trial import TrialState, create_trial

    evolves = request.sampler == "evolutionary"
    state = {COMPLETED: TrialState.COMPLETE, PRUNED: TrialState.COMPLETE if evolves else TrialState.PRUNED,
             FAILED: TrialState.FAIL}[one.state or FAILED]
    points = {point.step: point.validation_rmse for point in one.curve}
    value = None if state == TrialState.FAIL or one.best is None else one.rmse
    if value is None and state == TrialState.COMPLETE:
        state = TrialState.FAIL
    return create_trial(state=state, value=value, params=one.parameters, distributions=request.space.distributions(),
                        intermediate_values=points, system_attrs=one.attributes)


def _attributes(system: dict[str, Any]) -> dict[str, Any]:
    """What an evolution keeps with a candidate; what was fixed for one draw is no part of it."""
    return {name: value for name, value in system.items() if name != "fixed_params"}
