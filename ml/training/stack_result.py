"""What enters stacked training, and what it gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.training.result import Point
from ml.training.settings import TrainSettings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Candidate:
    """What one member of a stack has of its own; the rest is in the settings that all share.

    Attributes:
        learning_rate: the largest one.
        decay: factor of the exponential schedule; None: that of the settings.
        dropout: share of hidden values dropped in training.
        seed: of initial weights and of dropout; batches do not depend on it.
        schedule: of the learning rate; None: that of the settings.
    """

    learning_rate: float
    decay: float | None = None
    dropout: float = 0.0
    seed: int = 0
    schedule: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.dropout, bool) or not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise InputError(f"dropout of a candidate is {self.dropout!r:.40}; a number from 0 to below 1 is needed.")

    def settings(self, shared: TrainSettings) -> TrainSettings:
        """The settings that would train it alone, but for the order of batches, which is that of ``shared``.

        Raises:
            InputError: a value is out of its bounds.
        """
        return replace(shared, learning_rate=self.learning_rate, seed=self.seed,
                       decay=shared.decay if self.decay is None else self.decay,
                       schedule=self.schedule or shared.schedule)


@dataclass
class Member:
    """How far a candidate is.

    Attributes:
        curve: one point per evaluation; its seconds are the candidate's share of those of the stack.
        best_step: step of the lowest mean absolute validation error; 0: there is none yet.
        best_mae: that error, in the unit of the target.
        best_rmse: root mean square error of the same evaluation.
        steps: done.
        seconds: its share of the time.
        failed: why it was taken out; None: it was not.
        stopped: ``steps``, ``patience``, ``failed`` or ``pruned``; None: it can go on.
        loss: sum of the losses since the last evaluation.
        error: sum of the mean absolute errors since then, in standard deviations.
        weights: of the best evaluation, of a network with one member, on the CPU.
    """

    curve: list[Point] = field(default_factory=list)
    best_step: int = 0
    best_mae: float = math.inf
    best_rmse: float = math.inf
    steps: int = 0
    seconds: float = 0.0
    failed: str | None = None
    stopped: str | None = None
    loss: float = 0.0
    error: float = 0.0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """All but the weights as JSON can hold it."""
        return asdict(replace(self, weights={}))

    @classmethod
    def of(cls, plain: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> Member:
        """What :meth:`plain` gave, with the weights."""
        return cls(**{**plain, "curve": [Point(**point) for point in plain["curve"]], "weights": weights})


@dataclass(frozen=True)
class Stacked:
    """Candidates trained together.

    Attributes:
        members: one per candidate, in their order.
        mean: of the target over the training rows, in its unit.
        scale: its standard deviation.
        steps: done by those that go on.
        device: where it ran, in words.
        resumed_from: step at which this call took up an earlier one; None: it did not.
        notes: what a person should know.
    """

    members: tuple[Member, ...]
    mean: float
    scale: float
    steps: int
    device: str
    resumed_from: int | None = field(default=None, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
