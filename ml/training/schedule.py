"""Learning rates by step."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ml.training.settings import TrainSettings

MOST_WARM_UP_STEPS = 500
WARM_UP_SHARE = 0.02


def warm_up_steps(settings: TrainSettings) -> int:
    """Steps in which the rate rises."""
    if settings.warm_up_steps is not None:
        return settings.warm_up_steps
    return min(MOST_WARM_UP_STEPS, int(settings.steps * WARM_UP_SHARE)) if settings.schedule == "cosine" else 0


def learning_rate(settings: TrainSettings, step: int) -> float:
    """The learning rate of a step, counted from 0.

    ``exponential`` falls at every step, so that it has fallen by ``decay`` after ``decay_steps`` (the paper's: 0.96
    per 100,000 steps); ``cosine`` is that of Loshchilov and Hutter (arXiv 1608.03983) without restarts.
    """
    rising = warm_up_steps(settings)
    if step < rising:
        return settings.learning_rate * (step + 1) / (rising + 1)
    if settings.schedule == "exponential":
        return settings.learning_rate * float(settings.decay ** ((step - rising) / settings.decay_steps))
    if settings.schedule == "cosine":
        done = min(1.0, (step - rising) / max(1, settings.steps - 1 - rising))
        share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * done)) / 2
        return settings.learning_rate * share
    return settings.learning_rate


def learning_rates(settings: TrainSettings, first: int, last: int) -> npt.NDArray[np.float32]:
    """Those of the steps from ``first`` to before ``last``."""
    return np.array([learning_rate(settings, step) for step in range(first, last)], dtype=np.float32)
