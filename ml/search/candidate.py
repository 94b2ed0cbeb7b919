"""One candidate of a search: its settings, how far it came, and what became of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ml.search.space import with_parameters
from ml.spec import ModelSpec

OWN_IN_STACK = ("training.learning_rate", "training.decay", "training.schedule", "model.dropout")
"""Settings in which candidates that are trained together may differ."""
COMPLETED, PRUNED, FAILED = "completed", "pruned", "failed"


@dataclass(frozen=True)
class Evaluation:
    """One point of a learning curve: errors on the validation rows, in the unit of the target."""

    step: int
    train_loss: float | None
    validation_rmse: float
    validation_mae: float


@dataclass
class Candidate:
    """A candidate.

    Attributes:
        number: in the search, from 0.
        bracket: in which it competes.
        parameters: values of the space by path.
        attributes: what the sampler keeps with it.
        curve: its evaluations so far.
        steps: gradient steps done.
        seconds: its share of the time that took.
        n_parameters: of its network; None = it was not built.
        n_stacked: candidates that it was trained together with at first, itself included.
        device: where it was trained.
        state: completed, pruned or failed; None = it is under way.
        reason: why it was pruned or failed.
        from_search: search that it was trained in, where it was trained before.
        ended_at: when it ended, ISO 8601.
        prediction_ms: time of a prediction, per crystal; None = not measured.
    """

    number: int
    bracket: int
    parameters: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    curve: list[Evaluation] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    n_parameters: int | None = None
    n_stacked: int | None = None
    device: str | None = None
    state: str | None = None
    reason: str | None = None
    from_search: str | None = None
    ended_at: str | None = None
    prediction_ms: float | None = None

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the least root mean square error; None = there is none."""
        return min(self.curve, key=lambda point: point.validation_rmse, default=None)

    @property
    def rmse(self) -> float:
        """The least validation error so far, in the unit of the target; infinite without any."""
        return self.best.validation_rmse if self.best else math.inf

    def spec(self, base: ModelSpec) -> ModelSpec:
        """How it is trained, if alone."""
        return with_parameters(base, self.parameters)

    def shape(self, base: ModelSpec) -> str:
        """What candidates that can be trained together have in common."""
        return with_parameters(base, {path: value for path, value in self.parameters.items()
                                      if path not in OWN_IN_STACK}).recipe

    def key(self, base: ModelSpec) -> str:
        """The same for candidates whose trainings are the same."""
        return self.spec(base).recipe

    def plain(self) -> dict[str, Any]:
        """All fields as JSON can hold them."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Candidate:
        """What :meth:`plain` gave."""
        return cls(**{**plain, "curve": [Evaluation(**point) for point in plain["curve"]]})


def spelled(parameters: Mapping[str, Any]) -> str:
    """Parameters as JSON, always spelled the same way."""
    return json.dumps(parameters, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
