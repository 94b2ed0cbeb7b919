"""What a model is worth: its errors on rows that it has not seen, from what the lake holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.evaluate import metrics
from ml.registry.rows import find
from ml.slices import ALL, EVERY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lake.store.lake import Lake

Floats = npt.NDArray[np.float64]
TEST = "test"


@dataclass(frozen=True)
class Answers:
    """What a model says of rows that it has not seen.

    Attributes:
        rows: which row each is of (n,).
        materials: rows of one material, or another group that was kept together, have the same (n,).
        actual: values (n,).
        predicted: the model's, in the same unit (n,).
    """

    rows: npt.NDArray[np.str_]
    materials: npt.NDArray[np.str_]
    actual: Floats
    predicted: Floats

    @classmethod
    def of(cls, predictions: pa.Table) -> Answers:
        """Of rows of `predictions`; those without an actual value are left out."""
        found = predictions.filter(pc.and_(pc.is_finite(pc.fill_null(predictions["actual"], np.nan)),
                                           pc.is_finite(predictions["predicted"]))).sort_by("calculation_id")
        texts = (np.asarray(found[name].to_pylist(), dtype=str) for name in ("calculation_id", "material_key"))
        return cls(*texts, *(found[name].to_numpy().astype(np.float64) for name in ("actual", "predicted")))

    def on(self, rows: npt.NDArray[np.str_]) -> Answers:
        """Those of some rows."""
        there = np.isin(self.rows, rows)
        return Answers(self.rows[there], self.materials[there], self.actual[there], self.predicted[there])


@dataclass(frozen=True)
class Worth:
    """Errors of a model; None where they are not known.

    Attributes:
        evaluated_on: the rows that they are of: test, cross-validation, …
        n: rows.
        n_materials: materials of them.
        mae: mean absolute error.
        rmse: root mean square error.
        rmsle: of log(1 + value), see :func:`rmsle`.
        train_mae: mean absolute error on the rows it was fitted to.
        train_rmse: root mean square error on them.
        reason: why errors are missing.
    """

    evaluated_on: str | None = None
    n: int | None = None
    n_materials: int | None = None
    mae: float | None = None
    rmse: float | None = None
    rmsle: float | None = None
    train_mae: float | None = None
    train_rmse: float | None = None
    reason: str | None = None

    def columns(self) -> dict[str, Any]:
        """As columns of `complexities`."""
        return asdict(self)

    @classmethod
    def of(cls, answers: Answers, evaluated_on: str = TEST, train: Mapping[str, Any] | None = None) -> Worth:
        """Errors of answers.

        Args:
            answers: of rows that the model has not seen.
            evaluated_on: which those are.
            train: ``mae`` and ``rmse`` on the rows it was fitted to.
        """
        if not len(answers.rows):
            return cls(reason=f"it has no predictions of {evaluated_on} rows")
        found = metrics(answers.actual, answers.predicted)
        known = train or {}
        return cls(evaluated_on, len(answers.rows), len(np.unique(answers.materials)), found["mae"], found["rmse"],
                   rmsle(answers.actual, answers.predicted), known.get("mae"), known.get("rmse"))


def rmsle(actual: Floats, predicted: Floats) -> float | None:
    """Root mean square logarithmic error: of log(1 + predicted) − log(1 + actual), in the unit of the values.

    Where small and large values count alike it is fairer than the RMSE. A prediction below 0 counts as 0, the least
    that such a quantity can be; None where an actual value is below 0, so that it is no such quantity.
    """
    if not len(actual) or (actual < 0).any():
        return None
    return float(np.sqrt(np.mean(squared_log_errors(actual, predicted))))


def squared_log_errors(actual: Floats, predicted: Floats) -> Floats:
    """The squares that :func:`rmsle` is the root of the mean of (n,)."""
    return np.asarray((np.log1p(np.maximum(predicted, 0.0)) - np.log1p(actual)) ** 2, dtype=np.float64)


def answers_of(lake: Lake, model_id: str) -> Answers:
    """What a model says of its test rows, as `predictions` holds it."""
    return Answers.of(lake.read("predictions", where=f"model_id = '{model_id}' and split = '{TEST}'"))


def validation_mae(lake: Lake, model_id: str) -> float | None:
    """The error of a model of the lake on its validation rows, which may choose among models; None = not known."""
    errors = json.loads(find(lake, model_id)["metrics_json"])
    found = errors.get("validation", {}).get("mae")
    return None if found is None else float(found)


def worth_of(lake: Lake, model_id: str) -> Worth:
    """The errors of a model of the lake: those that `evaluations` holds, and RMSLE from `predictions`.

    Args:
        lake: where they are.
        model_id: a model of the lake, or of a study.
    """
    lines = lake.read("evaluations", where=f"model_id = '{model_id}' and slice_kind = '{ALL}'").to_pylist()
    by_split: dict[str, dict[str, Any]] = {}
    for line in lines:
        # All databases together where there are several, else the one there is.
        if line["split"] not in by_split or line["evaluated_on"] == EVERY:
            by_split[line["split"]] = line
    found = Worth.of(answers_of(lake, model_id), train=by_split.get("train"))
    test = by_split.get(TEST)
    if test is None or found.n is None:
        return Worth(reason=found.reason or "it was not evaluated on test rows")
    return Worth(TEST, test["n"], test["n_materials"], test["mae"], test["rmse"], found.rmsle, found.train_mae,
                 found.train_rmse)
