"""Errors on the validation rows, in a bounded share of the time of training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.training.settings import TrainSettings
from ml.training.sources import Places

FEWEST_ROWS = 1_000
SHARE_OF_TRAINING = 0.75
"""Rows evaluated per row learned from between two evaluations; one costs about a third of the other."""


def evaluated_rows(validation: Places, settings: TrainSettings) -> Places:
    """The rows that are evaluated: all, or as many of them as the settings allow, the same each time."""
    most = settings.most_validation_rows
    if most is None:
        most = max(FEWEST_ROWS, int(settings.evaluate_every * settings.batch_size * SHARE_OF_TRAINING))
    rows = np.sort(np.asarray(validation, dtype=np.int64))
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng((settings.seed, len(rows))).choice(rows, most, replace=False))


def errors(members: npt.NDArray[np.float64], actual: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean absolute and root mean square error of the members' mean; NaN where there are no rows.

    Args:
        members: (n_members, n).
        actual: (n,).
    """
    if not len(actual):
        return float("nan"), float("nan")
    difference = members.mean(axis=0) - actual
    return float(np.abs(difference).mean()), float(np.sqrt((difference**2).mean()))
