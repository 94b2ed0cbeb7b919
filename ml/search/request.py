"""What a person asks of a search, as one value that reads and writes JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.search.brackets import PRUNERS, Bracket, Ladder, brackets
from ml.search.space import Space, check_settings
from ml.spec import GRAPH_KINDS, ModelSpec

if TYPE_CHECKING:
    from ml.data.dataset import Dataset

SAMPLERS = ("tpe", "random", "evolutionary")
EVALUATIONS = 54
"""Points of the learning curve of a training to the end: two up to the first comparison of three thinnings out."""
LEAST_SHARE = 27
"""Candidates are trained for one of so many steps before any is ended."""
CANDIDATES = 48
"""A whole round of Hyperband with three thinnings out."""
ENSEMBLE = 3
FINISHERS = 3
ROUNDS: Mapping[str, int] = {"random": 1, "tpe": 3, "evolutionary": 3}
"""Brackets of ``halving``: chance learns nothing from those before, so all compete at once."""
TOGETHER = 8
"""Without pruning: candidates that are sampled before any of them is known."""
MOST_STACKED = 8


@dataclass(frozen=True)
class SearchRequest:
    """How a search is made.

    Attributes:
        base: what all candidates have in common; its kind is that of the network.
        space: what they differ in.
        sampler: ``tpe`` (J. Bergstra et al., NeurIPS 24 (2011)), ``random`` or ``evolutionary`` (NSGA-II, K. Deb et
            al., IEEE Trans. Evol. Comput. 6, 182 (2002)).
        pruner: ``hyperband``, ``halving`` (its most eager bracket alone) or ``none``.
        candidates: how many at most; fewer where the space holds fewer.
        least_steps: steps that every candidate is trained; None = 1/27 of all.
        finishers: of every bracket at least so many are trained to their end.
        per_shape: candidates of every sampled shape: they differ in rates and dropout alone, and share batches.
        most_stacked: candidates that are trained together at most.
        ensemble: so many of the best are trained anew and answer together; 0 = none; None = three, or as many as come
            to the end. It does not change what is found.
        seed: of weights, batches and sampling.
        sampler_seed: of sampling alone; None = the other one.
        price_per_hour: of the device, in any currency; None = unknown.
    """

    base: ModelSpec
    space: Space
    sampler: str = "tpe"
    pruner: str = "hyperband"
    candidates: int = CANDIDATES
    least_steps: int | None = None
    finishers: int = FINISHERS
    per_shape: int = 1
    most_stacked: int = MOST_STACKED
    ensemble: int | None = None
    seed: int = 0
    sampler_seed: int | None = None
    price_per_hour: float | None = field(default=None)

    def __post_init__(self) -> None:
        if self.base.kind not in GRAPH_KINDS:
            raise InputError(f"Networks are searched, and {self.base.kind} is none: one of {', '.join(GRAPH_KINDS)} is "
                             "needed.")
        for what, value, choices in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if value not in choices:
                raise InputError(f"There is no {what} {value!r:.60}; one of {', '.join(choices)} is needed.")
        for name, least, most in (("candidates", 1, 100_000), ("finishers", 1, 1_000),
                                  ("per_shape", 1, 64), ("most_stacked", 1, 64),
                                  ("ensemble", 0, 32), ("least_steps", 1, 10**12), ("seed", 0, 2**31 - 1),
                                  ("sampler_seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if name in ("least_steps", "ensemble", "sampler_seed") and value is None:
                continue
            if type(value) is not int or not least <= value <= most:
                raise InputError(f"{name} of a search is {value!r:.40}; a whole number from {least} to {most:,} is "
                                 "needed.")
        if self.ensemble == 1:
            raise InputError("An ensemble of one network is none: 0 (no ensemble) or 2 and more are needed.")
        price = self.price_per_hour
        if price is not None and not (isinstance(price, int | float) and math.isfinite(price) and price >= 0):
            raise InputError(f"A price of {price!r:.40} per hour is none; a number from 0 is needed.")
        self.space.check(self.base)

    def completed(self, dataset: Dataset) -> SearchRequest:
        """With length of training, neighbours and baseline filled in by the number of rows, where they are left open.

        Args:
            dataset: what the candidates learn from.

        Raises:
            InputError: steps do not fit each other.
        """
        from ml.defaults import completed

        given = dict(self.base.training)
        base = completed(self.base, dataset)
        # Who falls behind is ended by the pruner: patience would end those that learn slowly at first.
        training = dict(base.training) | {"patience": given.get("patience")}
        steps = training["steps"]
        if "evaluate_every" not in given and isinstance(steps, int):
            training["evaluate_every"] = max(1, steps // EVALUATIONS)
        training["seed"] = self.seed
        base = base.but(training=training, seed=self.seed)
        check_settings(base)
        request = replace(self, base=base, least_steps=self.least_steps or max(1, steps // LEAST_SHARE))
        if not request.ladder.every <= request.ladder.steps:
            raise InputError(f"An evaluation every {request.ladder.every:,} steps never comes in {steps:,} steps.")
        if (request.least_steps or 1) > steps:
            raise InputError(f"Every candidate is to be trained for {request.least_steps:,} steps, and {steps:,} are "
                             "all that there are.")
        finishing = sum(one.rungs[-1].n for one in request.brackets())
        if self.ensemble is not None and self.ensemble > finishing:
            raise InputError(f"An ensemble of {self.ensemble} needs as many candidates that are trained to the end, "
                             f"and of {request.n_candidates} so pruned there are {finishing}: ask for more "
                             "candidates, a smaller ensemble, or another pruner.")
        most = min(ENSEMBLE, finishing) if self.ensemble is None else self.ensemble
        return replace(request, ensemble=most if most > 1 else 0)

    @property
    def ladder(self) -> Ladder:
        """The steps at which candidates are compared; of a completed request."""
        training = self.base.training
        return Ladder(training["steps"], training["evaluate_every"], self.least_steps or 1,
                      finishers=self.finishers)

    @property
    def n_candidates(self) -> int:
        """How many there will be: no more than the space holds."""
        return int(min(self.candidates, self.space.size))

    def brackets(self) -> list[Bracket]:
        """All brackets; of a completed request."""
        together = TOGETHER if self.pruner == "none" else -(-self.n_candidates // ROUNDS[self.sampler])
        return list(brackets(self.ladder, self.pruner, self.n_candidates, together))

    @property
    def planned_steps(self) -> int:
        """Gradient steps of all candidates where none fails."""
        return sum(one.steps for one in self.brackets())

    @property
    def full_steps(self) -> int:
        """Gradient steps that training all of them to their end would take."""
        return self.n_candidates * self.ladder.steps

    def plain(self) -> dict[str, Any]:
        """All that decides what comes out, as JSON can hold it."""
        return {
            "base": json.loads(self.base.recipe), "space": self.space.plain, "sampler": self.sampler,
            "pruner": self.pruner, "candidates": self.candidates, "least_steps": self.least_steps,
            "finishers": self.finishers, "per_shape": self.per_shape, "seed": self.seed,
            "sampler_seed": self.seed if self.sampler_seed is None else self.sampler_seed,
        }

    def json(self) -> str:
        """:meth:`plain`, always spelled the same way."""
        return json.dumps(self.plain(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
