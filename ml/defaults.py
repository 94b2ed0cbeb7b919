"""What a person leaves open, by the number of rows to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml.models.settings import QUOTIENT_KINDS

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.spec import ModelSpec

BATCH_SIZE = 32
EPOCHS = 60
FEWEST_STEPS, MOST_STEPS = 4_000, 150_000
EVALUATIONS = 40
"""Points of the learning curve."""
FEWEST_STEPS_BETWEEN = 50
PATIENCE = 0.35
"""Share of the steps without a better validation error after which training stops."""
NEIGHBOURS = 12
"""In full shells: twice as many doubled the time of a step, and made no difference to the error on 10 thousand MP
crystals."""


def completed(spec: ModelSpec, dataset: Dataset) -> ModelSpec:
    """A spec with length of training, number of neighbours and baseline filled in, where they are left open.

    Sixty epochs, and no fewer than 4,000 nor more than 150,000 steps: a few hundred rows need that many steps to
    converge, and a hundred thousand rows are learned well before.

    Args:
        spec: what was asked.
        dataset: what it will learn from.
    """
    if spec.kind == "forest":
        return spec
    if spec.members:
        return spec.but(model=type(spec).ensemble([completed(one, dataset) for one in spec.members]).model)
    batch_size = spec.training.get("batch_size", BATCH_SIZE)
    usable = isinstance(batch_size, int) and batch_size > 0
    epochs_steps = EPOCHS * len(dataset.places("train")) // (batch_size if usable else BATCH_SIZE)
    steps = min(max(epochs_steps, FEWEST_STEPS), MOST_STEPS)
    steps = spec.training.get("steps", steps)
    usable = isinstance(steps, int) and steps > 0
    training: dict[str, Any] = {"batch_size": batch_size, "steps": steps}
    if usable:
        every = min(max(FEWEST_STEPS_BETWEEN, steps // EVALUATIONS), steps)
        training |= {"evaluate_every": every, "patience": max(every, int(steps * PATIENCE))}
    graph = {"n_neighbours": NEIGHBOURS} if spec.kind in QUOTIENT_KINDS else {}
    return spec.but(
        training=training | dict(spec.training), graph=graph | dict(spec.graph),
        baseline=spec.baseline or _baseline(spec, dataset),
    )


def _baseline(spec: ModelSpec, dataset: Dataset) -> str:
    """Energies and volumes are sums over atoms for the most part; a band gap is none, and such a start did not help."""
    return "elements" if spec.is_graph and dataset.target.unit.endswith("/atom") else "none"
