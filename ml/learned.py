"""What training gives back, whatever kind of model it is: weights, curve, and the model itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.registry.document import Document
from ml.registry.model import Floats, Predictor

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learned:
    """A model that was just trained.

    Attributes:
        document: what it is beside its weights.
        weights: its arrays by name.
        predictor: what computes with them.
        places: rows of the dataset that it can say something of: those whose elements are among the training rows'.
        members: what every member says of them (n_members, len(places)), in the unit of the target.
        curve: points of the learning curve, columns of `learning_curves`.
        n_parameters: of one member.
        steps: gradient steps done, or trees.
        best_step: step whose weights were kept.
        stopped: why training ended.
        seconds: wall time of training, that before a resume included.
        device: where.
        resumed_from: step at which this run took up an earlier one; None = it did not.
        notes: what a person should know, such as that batches were halved for want of memory.
    """

    document: Document
    weights: Mapping[str, npt.NDArray[Any]]
    predictor: Predictor
    places: Places
    members: Floats
    curve: list[dict[str, Any]]
    n_parameters: int
    steps: int
    best_step: int
    stopped: str
    seconds: float
    device: str
    resumed_from: int | None = None
    notes: tuple[str, ...] = ()


def places_of_splits(rows: pa.Table) -> tuple[Places, Places]:
    """Places of the training rows and of the validation rows."""
    train, validation = (np.flatnonzero(pc.equal(rows["split"], split).to_numpy()).astype(np.int64)
                         for split in ("train", "validation"))
    return train, validation


def plain_curve(points: Iterable[Any]) -> list[dict[str, Any]]:
    """Points of a learning curve as rows: what is no number is null."""
    return [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value
         for name, value in asdict(point).items()}
        for point in points
    ]
