"""Training a forest or a perceptron on features of a dataset's rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError
from ml.element_terms import element_terms, summed
from ml.elements import elements_of, left_out_note, rows_of_elements
from ml.learned import Learned, Places, places_of_splits, plain_curve
from ml.progress import Progress, State
from ml.registry.document import Document
from ml.tabular.features import FeatureSpace
from ml.tabular.forest import ForestPoint, ForestSettings, fit_forest
from ml.tabular.trees import Trees
from ml.tabular_model import Features, Forest, Perceptrons, TabularModel

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.registry.model import Floats
    from ml.spec import ModelSpec


@dataclass(frozen=True)
class Prepared:
    """What a model on features learns from.

    Attributes:
        places: rows of the dataset that it can learn from or say something of.
        rows: these rows.
        values: their features.
        targets: without the baseline, in the unit of the target.
        train: places of the training rows in them.
        validation: places of the validation rows in them.
        elements: atomic numbers of the training rows.
        space: what the features are.
        baseline: atomic number → what was taken off.
    """

    places: Places
    rows: pa.Table
    values: Features
    targets: Floats
    train: Places
    validation: Places
    elements: tuple[int, ...]
    space: FeatureSpace
    baseline: Mapping[int, float]

    @classmethod
    def of(cls, dataset: Dataset, spec: ModelSpec) -> Prepared:
        """Find the rows whose elements the training rows hold, and make their features.

        Raises:
            InputError: there are no such features, or a row lacks what they need.
        """
        train_rows = dataset.rows.take(pa.array(dataset.places("train")))
        space = _space(train_rows, spec)
        elements = elements_of(train_rows)
        places = rows_of_elements(dataset.rows, elements)
        rows, actual = dataset.rows.take(pa.array(places)), dataset.actual[places]
        train, validation = places_of_splits(rows)
        baseline = element_terms(train_rows, actual[train]) if spec.baseline == "elements" else {}
        targets = actual - summed(rows, baseline) if baseline else actual
        return cls(places, rows, space.values(rows), targets, train, validation, elements, space, baseline)


def learn(dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    """Train a forest or a perceptron.

    Args:
        dataset: what to learn.
        spec: how.
        folder: of what is kept in between: found there, the training goes on.
        progress: called now and then.

    Raises:
        InputError: a setting is unknown or impossible.
        TrainingError: training failed.
    """
    if progress:
        progress(State("features", 0))
    return (_learn_forest if spec.kind == "forest" else _learn_mlp)(dataset, spec, folder, progress)


def _learn_forest(dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    settings = ForestSettings.of(dict(spec.model))
    threads = _threads(spec)
    if spec.n_members != 1:
        raise InputError("A forest has no members beside its trees, whose spread says how sure it is: leave --members "
                         "out, or set model.n_estimators.")
    ready = Prepared.of(dataset, spec)
    fitted = fit_forest(
        ready.values, ready.targets, ready.train, ready.validation, settings, seed=spec.seed, threads=threads,
        folder=folder, progress=_of_forest(progress, settings.n_estimators),
    )
    model = TabularModel(Forest(Trees.of_weights(fitted.weights, ready.values.shape[1])), ready.space, ready.elements,
                         fitted.mean, fitted.scale, ready.baseline)
    return _learned(dataset, spec, ready, model, fitted, fitted.weights, asdict(settings), {},
                    fitted.resumed_step or None)


def _learn_mlp(dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    from ml.tabular.mlp import Mlp, MlpSettings
    from ml.tabular.rows import FeatureRows
    from ml.training.device import device_of
    from ml.training.loop import fit
    from ml.training.settings import TrainSettings

    training = TrainSettings.of({"seed": spec.seed} | dict(spec.training))
    device = device_of(training.device)
    given = {"n_features": 1, "n_members": spec.n_members} | dict(spec.model)
    MlpSettings.of(given)
    ready = Prepared.of(dataset, spec)
    form = MlpSettings.of(given | {"n_features": ready.values.shape[1]})
    network = Mlp(form, spec.seed)
    network.standardise_as(ready.values[ready.train])
    fitted = fit(
        network, FeatureRows.of(ready.values, device), ready.targets, ready.train, ready.validation, training,
        folder=folder, progress=progress, names=ready.rows["calculation_id"].to_pylist(),
    )
    network.to("cpu").load_state_dict(fitted.weights)
    model = TabularModel(Perceptrons(network.eval()), ready.space, ready.elements, fitted.mean, fitted.scale,
                         ready.baseline)
    arrays = {name: tensor.numpy() for name, tensor in fitted.weights.items()}
    return _learned(dataset, spec, ready, model, fitted, arrays, form.plain(), training.recipe, fitted.resumed_from,
                    network.n_parameters)


def _learned(
    dataset: Dataset, spec: ModelSpec, ready: Prepared, model: TabularModel, fitted: Any, arrays: Mapping[str, Any],
    form: dict[str, Any], training: dict[str, Any], resumed_from: int | None, n_parameters: int | None = None,
) -> Learned:
    document = Document(
        dataset.target, spec.for_any_machine(),
        {"model": form, "features": ready.space.to_json(), "training": training}, ready.elements, None, model.mean,
        model.scale, dict(ready.baseline),
    )
    notes = (*left_out_note(dataset.rows.num_rows, ready.rows.num_rows), *getattr(fitted, "notes", ()))
    return Learned(
        document, arrays, model, ready.places, model.members(ready.rows), plain_curve(fitted.curve),
        n_parameters or fitted.n_parameters, fitted.steps, fitted.best_step, fitted.stopped, fitted.seconds,
        fitted.device, resumed_from, notes,
    )


def _space(rows: pa.Table, spec: ModelSpec) -> FeatureSpace:
    given = {"kind": "composition"} | dict(spec.features)
    if unknown := sorted(set(given) - {"kind"}):
        raise InputError(f"Features have no setting {unknown[0]!r:.80}; they have a kind: composition or "
                         "composition+cell.")
    return FeatureSpace.of(rows, str(given["kind"]), spec.inputs)


def _threads(spec: ModelSpec) -> int:
    """Threads of a forest, the only setting of training that it has."""
    training = dict(spec.training)
    threads = training.pop("threads", 0) or 0
    training.pop("device", None)
    if training:
        raise InputError(f"A forest is not trained by steps and has no setting {sorted(training)[0]!r:.80}; it has "
                         "those of model, such as model.n_estimators.")
    if type(threads) is not int or threads < 0:
        raise InputError(f"threads is {threads!r:.40}; a whole number from 1 is needed.")
    return threads


def _of_forest(progress: Progress | None, total: int) -> Callable[[ForestPoint], None] | None:
    if progress is None:
        return None
    began = time.monotonic()

    def show(point: ForestPoint) -> None:
        rate = point.step / max(time.monotonic() - began, 1e-9)
        progress(State("growing trees", point.step, total, point.validation_mae, rate))

    return show
