"""The paper's first example: forest against network on AFLOW band gaps from composition, at many sizes.

Speckhard et al., Faraday Discuss. 256, 483 (2025): MAE 469 meV of a random forest and 515 meV of a neural network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.complexity.class_study import ClassStudy, Reasons
from ml.complexity.compare import Difference
from ml.complexity.verdict import verdict

if TYPE_CHECKING:
    from ml.data.dataset import Dataset

NAME = "forest-against-network"
TARGET = "band_gap_ev"
SOURCE = "aflow"
PAPER_MAE_EV: Mapping[str, float] = {"forest": 0.469, "mlp": 0.515}
PAPER_ROWS = 61_898


def forest_network_study(**changes: Any) -> ClassStudy:
    """The study; fields of :class:`~ml.complexity.class_study.ClassStudy` may be given other values."""
    return ClassStudy(**({"name": NAME, "kinds": ("forest", "mlp"), "paper": PAPER_MAE_EV} | changes))


def forest_network_reasons(dataset: Dataset) -> Reasons:
    """What differs from the paper, said with what these rows are.

    Args:
        dataset: the rows of the study.
    """
    facts = [_rows(dataset), _values(dataset), _split(dataset)]

    def reasons(left: Mapping[str, Any], right: Mapping[str, Any], errors: Difference) -> list[str]:
        said = verdict(left, right, errors, PAPER_MAE_EV, dataset.target.unit)
        return [*said, *facts]

    return reasons


def _rows(dataset: Dataset) -> str:
    n, train = dataset.rows.num_rows, len(dataset.places("train"))
    ratio = PAPER_ROWS / n
    compared = f"{ratio:.1f} times as many" if ratio > 1 else f"{1 / ratio:.1f} times fewer"
    return (f"Data: {n:,} calculations of {' and '.join(dataset.sources)}, {train:,} of them to learn from; the paper "
            f"had {PAPER_ROWS:,} of AFLOW, {compared}.")


def _values(dataset: Dataset) -> str:
    actual, train, test = dataset.actual, dataset.places("train"), dataset.places("test")
    mean = float(actual[train].mean())
    guess = float(np.abs(actual[test] - mean).mean())
    return (f"Values: {np.mean(actual == 0):.0%} of the gaps are 0 (metals), their mean is {actual.mean():.3f} eV and "
            f"their standard deviation {actual.std():.3f} eV. Always saying the mean gives an MAE of {guess:.3f} eV "
            "on the test rows: errors of other samples compare only beside theirs.")


def _split(dataset: Dataset) -> str:
    rows = dataset.rows
    train, test = (rows.take(pa.array(dataset.places(split))) for split in ("train", "test"))
    seen = pa.array(sorted(set(train["formula_reduced"].to_pylist())), pa.string())
    shared = pc.sum(pc.is_in(test["formula_reduced"], value_set=seen)).as_py() or 0
    materials = len(pc.unique(test["material_key"]))
    return (f"Split: by {dataset.selection.key_kind}, {test.num_rows:,} test rows of {materials:,} materials that no "
            f"model has seen; {shared / max(test.num_rows, 1):.0%} of them have the composition of a training row, "
            "whose structure composition features cannot tell apart.")
