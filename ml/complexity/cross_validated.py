"""A perceptron under cross-validation by groups: every row is said by a network that has not seen its group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.complexity.counts import Counts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
STEPS = 2_000


@dataclass(frozen=True)
class CrossValidated:
    """What came of it.

    Attributes:
        predicted: of every row, by a model that has not seen its group (n,).
        fitted: of every row, by models that have: the mean over them (n,).
        counts: of one model.
    """

    predicted: Floats
    fitted: Floats
    counts: Counts


def perceptrons(
    values: Floats, targets: Floats, fold: Ints, model: Mapping[str, Any], *, steps: int = STEPS, seed: int = 0
) -> CrossValidated:
    """Train one network a fold.

    The fold after the one that is left out decides which weights are kept: neither is learned from.

    Args:
        values: features (n, p).
        targets: (n,).
        fold: of every row, from 0; three folds at least.
        model: settings of the perceptron but its features.
        steps: gradient steps of each.
        seed: of weights and batches.

    Raises:
        InputError: a setting is impossible.
        TrainingError: a training failed.
    """
    from ml.complexity.networks import network_counts
    from ml.tabular.mlp import Mlp, MlpSettings
    from ml.tabular.rows import FeatureRows
    from ml.training.loop import fit
    from ml.training.settings import TrainSettings

    n_folds = int(fold.max()) + 1
    inputs = np.asarray(values, dtype=np.float32)
    predicted, fitted, times = np.zeros(len(targets)), np.zeros(len(targets)), np.zeros(len(targets))
    every = max(1, steps // 20)
    settings = TrainSettings(steps=steps, evaluate_every=every, seed=seed, device="cpu", threads=1,
                             most_validation_rows=len(targets))
    counts = Counts()
    for left_out in range(n_folds):
        test, validation = fold == left_out, fold == (left_out + 1) % n_folds
        train = np.flatnonzero(~test & ~validation)
        network = Mlp(MlpSettings.of(dict(model) | {"n_features": inputs.shape[1]}), seed)
        network.standardise_as(inputs[train])
        made = fit(network, FeatureRows.of(inputs), np.where(test, np.nan, targets), train,
                   np.flatnonzero(validation), settings)
        said = _said(network, inputs) * made.scale + made.mean
        predicted[test] = said[test]
        fitted[train] += said[train]
        times[train] += 1
        counts = network_counts({name: one.numpy() for name, one in made.weights.items()})
    return CrossValidated(predicted, fitted / np.maximum(times, 1), counts)


def _said(network: Any, inputs: npt.NDArray[np.float32]) -> Floats:
    import torch

    from ml.tabular.rows import FeatureRows

    rows = FeatureRows.of(inputs)
    with torch.no_grad():
        return np.asarray(network.eval()(rows.batch(torch.arange(rows.n))).double().numpy()[0], dtype=np.float64)
