"""What a training tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """How far a training is.

    Attributes:
        doing: graphs, features, training or evaluating.
        done: crystals, steps or trees done.
        total: of how many at most; None = not known.
        validation_mae: mean absolute error on the validation rows at the last evaluation, in the unit of the target.
        rate: of them done in a second; None = not known yet.
        resumed_from: step at which this run took up an interrupted one; None = it did not.
        note: a line to be shown once, such as that the batch was halved.
    """

    doing: str
    done: int
    total: int | None = None
    validation_mae: float | None = None
    rate: float | None = None
    resumed_from: int | None = None
    note: str | None = None


Progress = Callable[[State], None]
