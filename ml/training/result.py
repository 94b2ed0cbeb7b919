"""What training gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Point:
    """A point of the learning curve; fields as the columns of `learning_curves`.

    Attributes:
        step: gradient steps done.
        train_loss: of the standardised target, mean over the steps since the point before and over members.
        train_mae: mean absolute error of the members over the same steps, in the unit of the target.
        validation_mae: mean absolute error of the members' mean, in the unit of the target; NaN: no validation rows.
        validation_rmse: root mean square error of the same.
        learning_rate: of the last step.
        seconds: wall time of training, that before a resume included.
    """

    step: int
    train_loss: float
    train_mae: float
    validation_mae: float
    validation_rmse: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        weights: state dict of the best evaluation, on the CPU.
        mean: of the target over the training rows, in its unit.
        scale: its standard deviation; 1 where all are the same.
        curve: one point per evaluation.
        steps: gradient steps done.
        best_step: step whose weights these are.
        stopped: why training ended: ``steps`` or ``patience``.
        seconds: wall time, that before a resume included.
        device: where it ran, in words.
        resumed_from: step at which this call took up an earlier one; None: it did not.
        notes: what a person should know, such as that batches were halved for want of memory.
    """

    weights: dict[str, torch.Tensor]
    mean: float
    scale: float
    curve: list[Point]
    steps: int
    best_step: int
    stopped: str
    seconds: float
    device: str
    resumed_from: int | None = field(default=None, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
