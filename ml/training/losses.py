"""Losses of single errors, in standard deviations of the target."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from ml.training.settings import TrainSettings

Loss = Callable[[Tensor], Tensor]


def loss_of(settings: TrainSettings) -> Loss:
    """The loss of every error, of the shape of the errors.

    ``huber`` is d·(|e| − d/2) beyond d = ``huber_delta`` and e²/2 within.
    """
    if settings.loss == "mse":
        return Tensor.square
    if settings.loss == "mae":
        return Tensor.abs

    def huber(errors: Tensor) -> Tensor:
        return functional.huber_loss(errors, errors.new_zeros(()).expand_as(errors), reduction="none",
                                     delta=settings.huber_delta)

    return huber
