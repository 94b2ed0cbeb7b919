"""Training a graph network on a dataset: graphs, targets without the baseline, the loop, and the best weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lake.errors import InputError
from ml.element_terms import element_terms, summed
from ml.elements import elements_of, left_out_note, rows_of_elements
from ml.graph_model import GraphModel
from ml.graphs.batch import DeviceGraphs
from ml.graphs.build import problems_of
from ml.graphs.settings import GraphSettings
from ml.graphs.store import graph_store
from ml.learned import Learned, Places, places_of_splits, plain_curve
from ml.models import ModelSettings, build
from ml.models.inputs import InputEncoding
from ml.models.settings import QUOTIENT_KINDS
from ml.progress import Progress, State
from ml.registry.document import Document
from ml.spec import ModelSpec
from ml.training.device import device_of
from ml.training.loop import fit
from ml.training.predict import predict
from ml.training.settings import TrainSettings

if TYPE_CHECKING:
    import torch

    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.graphs.graphs import Graphs
    from ml.registry.model import Floats
    from ml.training.result import Fitted


@dataclass(frozen=True)
class Prepared:
    """What a network learns from.

    Attributes:
        places: rows of the dataset that it can learn from or say something of.
        rows: these rows.
        train: places of the training rows in them.
        validation: places of the validation rows in them.
        elements: atomic numbers of the training rows.
        model: form of the network.
        training: how it is trained.
        graph: how crystals become graphs.
        encoding: of settings as inputs; None = there are none.
        notes: what was left out.
    """

    places: Places
    rows: pa.Table
    train: Places
    validation: Places
    elements: tuple[int, ...]
    model: ModelSettings
    training: TrainSettings
    graph: GraphSettings
    encoding: InputEncoding | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, spec: ModelSpec) -> Prepared:
        """Check all settings, and find the rows whose elements the training rows hold.

        Raises:
            InputError: a setting is unknown or impossible.
        """
        kind = "quotient" if spec.kind in QUOTIENT_KINDS else "full"
        training = TrainSettings.of({"seed": spec.seed} | dict(spec.training))
        graph = GraphSettings.of({"kind": kind} | dict(spec.graph))
        train_rows = dataset.rows.take(pa.array(dataset.places("train")))
        elements = elements_of(train_rows)
        encoding = InputEncoding.of(train_rows, spec.inputs) if spec.inputs else None
        model = ModelSettings.of({
            **spec.model, "kind": spec.kind, "elements": elements, "n_members": spec.n_members,
            "inputs": None if encoding is None else encoding.sizes,
        })
        places = rows_of_elements(dataset.rows, elements)
        rows = dataset.rows.take(pa.array(places))
        return cls(places, rows, *places_of_splits(rows), elements, model, training, graph, encoding,
                   left_out_note(dataset.rows.num_rows, rows.num_rows))

    def only(self, keep: Places, note: str) -> Prepared:
        """Some of the rows, with a word on why."""
        rows = self.rows.take(pa.array(keep))
        train, validation = places_of_splits(rows)
        return replace(self, places=self.places[keep], rows=rows, train=train, validation=validation,
                       notes=(*self.notes, note))


@dataclass(frozen=True)
class TrainingSet:
    """Graphs on their device, and what is to be said of them.

    Attributes:
        ready: rows and settings.
        device: where the graphs are.
        graphs: of the rows.
        baseline: atomic number → what is added to the mean over atoms; empty = nothing.
        added: what the baseline adds to every row (n,), in the unit of the target.
        targets: of every row without the baseline (n,), in the unit of the target.
    """

    ready: Prepared
    device: torch.device
    graphs: DeviceGraphs
    baseline: dict[int, float]
    added: Floats
    targets: Floats

    @property
    def names(self) -> list[str]:
        """The calculations, for messages."""
        return list(self.ready.rows["calculation_id"].to_pylist())


def training_set(lake: Lake, dataset: Dataset, spec: ModelSpec, progress: Progress | None = None) -> TrainingSet:
    """What a graph network of some settings learns from.

    Args:
        lake: where the graphs are kept.
        dataset: what to learn.
        spec: how.
        progress: called now and then.

    Raises:
        InputError: a setting is unknown or impossible, or there is no row to learn from.
    """
    ready = Prepared.of(dataset, spec)
    device = device_of(ready.training.device)
    found, ready = _graphs(lake, ready, progress)
    inputs = None if ready.encoding is None else ready.encoding.encode(ready.rows)
    graphs = DeviceGraphs.of(found.take(found.places(ready.rows["structure_sha256"])), device, inputs)
    actual = dataset.actual[ready.places]
    baseline = _baseline(ready, actual, spec)
    added = summed(ready.rows, baseline) if baseline else np.zeros(len(actual))
    return TrainingSet(ready, device, graphs, baseline, added, actual - added)


def learn(lake: Lake, dataset: Dataset, spec: ModelSpec, folder: Path, progress: Progress | None) -> Learned:
    """Train a graph network.

    Args:
        lake: where the graphs are kept.
        dataset: what to learn.
        spec: how.
        folder: of checkpoints: found there, the training goes on.
        progress: called now and then.

    Raises:
        InputError: a setting is unknown or impossible.
        TrainingError: training failed; the message names the materials where some are to blame.
    """
    supply = training_set(lake, dataset, spec, progress)
    ready, device = supply.ready, supply.device
    network = build(ready.model, spec.seed).to(device)
    fitted = fit(
        network, supply.graphs, supply.targets, ready.train, ready.validation, ready.training, folder=folder,
        progress=progress, names=supply.names,
    )
    network.load_state_dict(fitted.weights)
    places = np.arange(ready.rows.num_rows, dtype=np.int64)
    members = predict(network, supply.graphs, places, mean=fitted.mean, scale=fitted.scale)
    document = Document(
        dataset.target, spec.for_any_machine(),
        {"model": ready.model.plain(), "graph": asdict(ready.graph), "training": ready.training.recipe},
        ready.elements, None if ready.encoding is None else ready.encoding.plain(), fitted.mean, fitted.scale,
        supply.baseline,
    )
    predictor = GraphModel(network.eval(), ready.graph, ready.elements, ready.encoding, fitted.mean, fitted.scale,
                           supply.baseline, device)
    return _learned(ready, fitted, document, predictor, members + supply.added)


def _graphs(lake: Lake, ready: Prepared, progress: Progress | None) -> tuple[Graphs, Prepared]:
    """Graphs of all rows; rows whose crystal cannot become one (atoms in one place) are left out."""
    shown = None if progress is None else lambda done, total: progress(State("graphs", done, total))
    try:
        return graph_store(lake, ready.rows, ready.graph, progress=shown), ready
    except InputError as error:
        problems = problems_of(ready.rows, ready.graph)
        keep = np.flatnonzero([problem is None for problem in problems])
        if len(keep) in (0, len(problems)):
            raise
        ready = ready.only(keep, f"Left out: {error}")
        if not len(ready.train):
            raise
        return graph_store(lake, ready.rows, ready.graph, progress=shown), ready


def _baseline(ready: Prepared, actual: Any, spec: ModelSpec) -> dict[int, float]:
    if spec.baseline != "elements":
        return {}
    return element_terms(ready.rows.take(pa.array(ready.train)), actual[ready.train])


def _learned(
    ready: Prepared, fitted: Fitted, document: Document, predictor: GraphModel, members: Any
) -> Learned:
    return Learned(
        document, {name: tensor.numpy() for name, tensor in fitted.weights.items()}, predictor, ready.places, members,
        plain_curve(fitted.curve), predictor.network.n_parameters, fitted.steps, fitted.best_step,
        fitted.stopped, fitted.seconds, fitted.device, fitted.resumed_from,
        (*ready.notes, *fitted.notes),
    )
