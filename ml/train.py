"""Training a model on a dataset, from the rows to the tables: one way for all kinds of models."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError
from ml import scratch
from ml.defaults import completed
from ml.evaluate import evaluate
from ml.predict.calibration import Calibration, as_json, calibrate
from ml.predict.learn_domain import outside_of, with_domain
from ml.progress import Progress, State
from ml.registry.model import Model, Predicted
from ml.registry.registry import load
from ml.registry.registry import save as save_model
from ml.registry.rows import check_name, saved
from ml.spec import ModelSpec
from ml.tracking import NullTracker, Tracker, tracker_for
from ml.train_rows import errors, model_row, prediction_rows
from ml.train_tracking import finished, telling

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.learned import Learned

ROADS = ("own", "combined", "settings", "corrected")


@dataclass(frozen=True)
class Trained:
    """A trained model and what it was found to be worth.

    Attributes:
        model: the model; its row is that of `models`, where it was saved.
        predictions: rows of `predictions`, by calculation_id.
        evaluations: rows of `evaluations`.
        was_there: whether this model, from the same data and settings, had been trained before.
        resumed_from: step at which this run took up one that was interrupted; None = it did not.
        warnings: what a person should know.
    """

    model: Model
    predictions: pa.Table
    evaluations: pa.Table
    was_there: bool = False
    resumed_from: int | None = None
    warnings: tuple[str, ...] = ()


def train(
    lake: Lake, dataset: Dataset, spec: ModelSpec, *, name: str, road: str = "own", folder: Path | None = None,
    progress: Progress | None = None, save: bool = True, again: bool = False, tracker: Tracker | None = None,
) -> Trained:
    """Train a model, evaluate it on all splits, and save it with everything that repeats it.

    The same call after an interruption goes on where it was interrupted, and gives the same model. Where the same data
    and settings were trained under this name before, that model is given back.

    Args:
        lake: where graphs are kept and the model is saved.
        dataset: what to learn; see :func:`ml.data.dataset`.
        spec: how; what it leaves open is filled in by the number of rows (:func:`ml.defaults.completed`).
        name: what the model is called; a model of that name gets the next version.
        road: how several databases were brought together: own, combined, settings or corrected.
        folder: where the training keeps what it needs to go on; default: one of its own, removed at the end.
        progress: called now and then.
        save: whether the model goes into the lake; if not, its row has no name and version.
        again: train anew what was trained before.
        tracker: is told of the training; default: what the settings ask for where the model is saved, else nobody.

    Raises:
        InputError: data or settings cannot be trained with; see also :meth:`ml.data.Dataset.check`.
        TableError: the lake could not be written to.
    """
    check_name(name)
    if road not in ROADS:
        raise InputError(f"There is no road {road!r:.80}; one of {', '.join(ROADS)} is needed.")
    spec.check_trainable()
    dataset.check()
    spec = completed(spec, dataset)
    if save and not again and (row := same_model(lake, name, dataset, spec, road)) is not None:
        return _found(lake, row, dataset)
    place = folder or scratch.scratch_folder(lake, dataset.sha256, spec.recipe)
    tracker = tracker or (tracker_for(lake) if save else NullTracker())
    with scratch.alone_in(place), telling(tracker, name, dataset, spec, road, progress) as told:
        learned = _learn(lake, dataset, spec, place, told.show)
        told.curve(learned)
        told.show(State("evaluating", learned.steps))
        learned = with_domain(learned, dataset, spec)
        trained = judged(dataset, spec, learned, road)
        if save:
            trained = kept(lake, trained, learned, name, tracker.run_id())
        finished(tracker, trained.model)
        if folder is None:
            scratch.remove(place)
    return trained


def kept(lake: Lake, trained: Trained, learned: Learned, name: str, tracking_run_id: str | None = None) -> Trained:
    """Save a model that was judged as the next version of a name.

    Args:
        lake: where to.
        trained: what :func:`judged` gave.
        learned: what it judged.
        name: what the model is called.
        tracking_run_id: run in MLflow; None = it was not tracked.

    Raises:
        TableError: the lake could not be written to.
    """
    trained.model.row["tracking_run_id"] = tracking_run_id
    model = save_model(lake, trained.model, name, curve=learned.curve, predictions=trained.predictions,
                       evaluations=trained.evaluations)
    return replace(trained, model=model)


def same_model(lake: Lake, name: str, dataset: Dataset, spec: ModelSpec, road: str = "own") -> dict[str, Any] | None:
    """The newest version of a name that was trained on the same data with the same settings; None = there is none.

    Args:
        lake: where to look.
        name: of the model.
        dataset: the data.
        spec: the settings, completed for these data (:func:`ml.defaults.completed`).
        road: how databases were brought together.
    """
    for row in reversed(saved(lake, name)):
        if (row["data_sha256"], row["road"]) == (dataset.sha256, road) and recipe_of(row) == spec.recipe:
            return dict(row)
    return None


def spec_of(row: dict[str, Any]) -> ModelSpec:
    """How the model of a row of `models` was made: enough to make it again, or anew from other rows."""
    return ModelSpec.of(json.loads(row["settings_json"])["spec"])


def recipe_of(row: dict[str, Any]) -> str:
    """:attr:`ml.spec.ModelSpec.recipe` of the model of a row of `models`."""
    return spec_of(row).recipe


def _learn(lake: Lake, dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    if spec.is_graph:
        from ml import learn_graphs

        return learn_graphs.learn(lake, dataset, spec, folder, progress)
    if spec.members:
        from ml import learn_ensemble

        return learn_ensemble.learn(lake, dataset, spec, folder, progress)
    from ml import learn_features

    return learn_features.learn(dataset, spec, folder, progress)


def judged(dataset: Dataset, spec: ModelSpec, learned: Learned, road: str = "own") -> Trained:
    """Predictions, errors and the row of a model that was just trained; nothing is saved.

    Args:
        dataset: what it learned from.
        spec: how.
        learned: what came of it.
        road: how several databases were brought together.
    """
    rows, predicted = dataset.rows.take(pa.array(learned.places)), Predicted.of(learned.members)
    spread = predicted.standard_deviation
    calibration = as_json(calibrate(rows["actual"].to_numpy(), predicted.mean, spread, rows["split"].to_pylist()))
    stated = Calibration.of(calibration)
    judged = prediction_rows(rows, predicted, stated(spread) if stated and spread is not None else None,
                             outside_of(learned, rows))
    evaluations = evaluate(judged, model_id="", unit=dataset.target.unit, target=dataset.target.column)
    row = model_row(dataset, spec, learned, road) | {
        "metrics_json": json.dumps(errors(judged), sort_keys=True), "calibration_json": calibration,
    }
    model = Model(row, learned.document, learned.predictor, learned.weights)
    return Trained(model, judged, evaluations, False, learned.resumed_from, (*dataset.warnings, *learned.notes))


def _found(lake: Lake, row: dict[str, Any], dataset: Dataset) -> Trained:
    """A model that was trained before, with what was said of it then."""
    where = f"model_id = '{row['model_id']}'"
    return Trained(
        load(lake, row["model_id"]), lake.read("predictions", where=where).sort_by("calculation_id"),
        lake.read("evaluations", where=where), True, None, dataset.warnings,
    )
