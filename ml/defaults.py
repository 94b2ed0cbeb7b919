"""What a person leaves open, by the number of rows to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.spec import ModelSpec

BATCH_SIZE = 32
EPOCHS = 60
FEWEST_STEPS, MOST_STEPS = 4_000, 150_000
EVALUATIONS = 40
PATIENCE = 12
"""Evaluations without a better validation error after which training stops."""


def completed(spec: ModelSpec, dataset: Dataset) -> ModelSpec:
    """A spec with the length of training filled in, where it is left open.

    Sixty epochs, and no fewer than 4,000 nor more than 150,000 steps: a few hundred rows need that many steps to
    converge, and a hundred thousand rows are learned well before.

    Args:
        spec: what was asked.
        dataset: what it will learn from.
    """
    if spec.kind == "forest":
        return spec
    batch_size = spec.training.get("batch_size", BATCH_SIZE)
    usable = isinstance(batch_size, int) and batch_size > 0
    epochs_steps = EPOCHS * len(dataset.places("train")) // (batch_size if usable else BATCH_SIZE)
    steps = min(max(epochs_steps, FEWEST_STEPS), MOST_STEPS)
    open_: dict[str, Any] = {"batch_size": batch_size, "steps": steps}
    return spec.but(training=open_ | dict(spec.training))
