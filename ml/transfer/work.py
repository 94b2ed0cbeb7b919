"""One model of an experiment: trained, and judged on the same test rows of every database as all the others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import InputError
from lake.settings import Settings
from lake.store.lake import Lake
from lake.tables import TABLES
from ml.data import Dataset, dataset
from ml.evaluate import evaluate
from ml.slices import in_common
from ml.transfer.corrections import Corrections
from ml.transfer.plan import Job
from ml.transfer.request import TransferRequest

if TYPE_CHECKING:
    from ml.progress import Progress
    from ml.registry.model import Model
    from ml.train import Trained


@dataclass(frozen=True)
class Order:
    """What every task of an experiment needs to know; it travels to other processes.

    Attributes:
        root: the lake.
        settings: its settings.
        request: what was asked.
        data_sha256: digest of the rows that the experiment began with.
        corrections: for the road ``corrected``; None = it is not gone.
        again: whether models that were trained before are trained anew.
    """

    root: str
    settings: Settings
    request: TransferRequest
    data_sha256: str
    corrections: Corrections | None
    again: bool = False


@dataclass(frozen=True)
class Done:
    """What came of a job: the model, whether it was there before, and rows that it can say nothing of, by database."""

    model_id: str
    was_there: bool
    resumed_from: int | None
    unknown_elements: dict[str, int]
    seconds: float


def do_job(order: Order, job: Job, progress: Progress | None = None) -> Done:
    """Train the model of a job where it is not there yet, and judge it on the test rows of every database.

    Raises:
        InputError: the lake's rows are not those that the experiment began with.
    """
    from ml.train import train

    began = time.monotonic()
    lake = Lake.open(order.root, order.settings)
    data = dataset(lake, order.request.selection)
    if data.sha256 != order.data_sha256:
        raise InputError(
            "The calculations of the lake changed while the models were trained, so that they would not be comparable: "
            "start the experiment again. Models whose rows are the same are taken over."
        )
    trained = train(
        lake, _of_job(data, order, job), job.spec, name=job.name, road=job.road, progress=progress, again=order.again
    )
    rows, unknown = _predicted(data, trained, job)
    _keep(lake, rows, trained, data)
    return Done(trained.model.model_id, trained.was_there, trained.resumed_from, unknown, time.monotonic() - began)


def _of_job(data: Dataset, order: Order, job: Job) -> Dataset:
    """The rows that a job learns from, with targets on the level of one database where that is its road."""
    rows = data.only(sources=job.trained_on)
    if job.road != "corrected":
        return rows
    assert order.corrections is not None
    values = rows.actual + order.corrections.added(rows.rows)
    return rows.with_targets(values, reference=f"level of {order.corrections.level}")


def _predicted(data: Dataset, trained: Trained, job: Job) -> tuple[pa.Table, dict[str, int]]:
    """The rows with what the model says of them, on the level of each row's own database.

    Rows that the model learned from, and the test rows of the other databases; a test row of another database with
    an element that the model does not know is counted by database instead.
    """
    rows = data.rows.append_column("common", in_common(data.rows))
    own = pc.is_in(rows["source"], pa.array(job.trained_on, pa.string()))
    foreign = rows.filter(pc.and_(pc.invert(own), pc.equal(rows["split"], "test")))
    known = _known(foreign, trained.model)
    unknown = foreign.filter(pa.array(~known))["source"].value_counts().to_pylist()
    parts = [_of_training(rows.filter(own), trained.predictions)]
    if known.any():
        foreign = foreign.filter(pa.array(known))
        parts.append(_with(foreign, trained.model.predict(foreign).mean, pa.nulls(len(foreign), pa.float64())))
    return pa.concat_tables(parts), {entry["values"]: entry["counts"] for entry in unknown}


def _of_training(rows: pa.Table, predictions: pa.Table) -> pa.Table:
    """Rows with what training predicted of them; those that it could say nothing of are left out."""
    places = pc.index_in(rows["calculation_id"], value_set=predictions["calculation_id"].combine_chunks())
    rows, places = rows.filter(pc.is_valid(places)), pc.drop_null(places)
    found = predictions.take(places)
    # A prediction goes with its actual value: where that was brought to another level, both are brought back.
    back = rows["actual"].to_numpy() - found["actual"].to_numpy()
    return _with(rows, found["predicted"].to_numpy() + back, found["uncertainty"])


def _with(
    rows: pa.Table, predicted: npt.NDArray[np.float64], uncertainty: pa.Array | pa.ChunkedArray
) -> pa.Table:
    columns = {"predicted": pa.array(predicted), "uncertainty": uncertainty,
               "outside": pa.nulls(rows.num_rows, pa.string())}
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows


def _known(rows: pa.Table, model: Model) -> npt.NDArray[np.bool_]:
    """Whether the model has seen all elements of each row."""
    seen = set(model.elements)
    lists = rows["elements"].to_pylist()
    return np.array([all(ATOMIC_NUMBER[element] in seen for element in elements) for elements in lists], dtype=bool)


def _keep(lake: Lake, rows: pa.Table, trained: Trained, data: Dataset) -> None:
    """Write predictions and evaluations in the place of those of training; nothing where they are there."""
    model_id = trained.model.model_id
    judged = evaluate(rows, model_id=model_id, unit=data.target.unit, target=data.target.column)
    identity = pa.array([model_id] * rows.num_rows, pa.string())
    others = [name for name in TABLES["predictions"].schema.names if name != "model_id"]
    predictions = pa.table({"model_id": identity, **{name: rows[name] for name in others}})
    predictions = predictions.cast(TABLES["predictions"].schema).sort_by("calculation_id")
    for table, found in (("predictions", predictions), ("evaluations", judged)):
        order = [(name, "ascending") for name in TABLES[table].key]
        there = lake.read(table, where=f"model_id = '{model_id}'").sort_by(order)
        if not there.equals(found.sort_by(order)):
            lake.replace(table, found, {"model_id": model_id})
