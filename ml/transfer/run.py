"""An experiment from rows to the tables: plan, models in parallel, the matrix, and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.store.catalogue import select_table
from lake.store.duck import connect
from lake.store.lake import Lake
from lake.tables import TABLES
from lake.tasks import Task, run_tasks
from ml.data import Dataset, dataset
from ml.transfer.answer import sentences
from ml.transfer.corrections import Corrections
from ml.transfer.plan import Job, Plan, plan
from ml.transfer.request import TransferRequest
from ml.transfer.work import Done, Order, do_job

if TYPE_CHECKING:
    from deltalake import DeltaTable

LONGEST_MODEL_SECONDS = 7 * 86_400.0
"""Training takes as long as it takes; a worker that is lost is noticed by other means."""


@dataclass(frozen=True)
class State:
    """How far an experiment is: what it does, models that are done, models in all, the one that was done last."""

    doing: str
    done: int
    total: int
    last: str | None = None


Progress = Callable[[State], None]
CorrectionsOf = Callable[[Dataset], Corrections | str]


@dataclass(frozen=True)
class TransferResult:
    """What came of an experiment.

    Attributes:
        transfer_id: ``<target>.<number>``.
        is_new: false where the lake held just this experiment already.
        plan: what was done.
        models: model_id by title of the job.
        n_trained: models that were trained; the others were there.
        matrix: its rows of the view `transfer_matrix`.
        answers: what it says, a sentence each.
        notes: what was left out, and why.
        seconds: wall time.
    """

    transfer_id: str
    is_new: bool
    plan: Plan
    models: dict[str, str]
    n_trained: int
    matrix: pa.Table
    answers: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float


def transfer(
    lake: Lake, request: TransferRequest, corrections_of: CorrectionsOf, *, where: str | None = None,
    again: bool = False, progress: Progress | None = None,
) -> TransferResult:
    """Train a model per database and on each road on all of them, and judge each on the test rows of every database.

    All models have the same recipe, and the same materials are held out in every database (the experiment of Speckhard
    et al., Faraday Discuss. 256, 483 (2025), sections 4 and 5). A run that was interrupted goes on: finished models are
    not trained again.

    Args:
        lake: where rows are read and models saved.
        request: what to do.
        corrections_of: what brings the targets of the rows to one level, from training rows alone; or why there is no
            such thing. Asked for the road ``corrected`` only.
        where: here, processes, scheduler or a scheduler's address; default: what the settings say.
        again: train models anew that were trained before.
        progress: told how far it is.

    Raises:
        InputError: nothing can be carried over (one database, no rows with the target, an empty split, …).
        WorkerError: a model could not be trained; those that could are kept for the next run.
    """
    began = time.monotonic()
    data = dataset(lake, request.selection)
    corrections = corrections_of(data) if "corrected" in request.roads else "it was not asked for."
    laid_out = plan(data, request, corrections)
    _prepare_graphs(lake, data, request, progress, len(laid_out.jobs))
    order = Order(
        lake.root.uri, lake.settings, request, data.sha256, None if isinstance(corrections, str) else corrections, again
    )
    done = _train(lake, order, laid_out.jobs, where, progress)
    transfer_id, is_new = _record(lake, order, laid_out, done, time.monotonic() - began)
    matrix = _matrix(lake, transfer_id)
    return TransferResult(
        transfer_id, is_new, laid_out, {job.title: one.model_id for job, one in done},
        sum(not one.was_there for _, one in done), matrix, sentences(lake, matrix),
        laid_out.notes + _notes(done), time.monotonic() - began,
    )


def _prepare_graphs(
    lake: Lake, data: Dataset, request: TransferRequest, progress: Progress | None, total: int
) -> None:
    """Build the graphs of all rows once, with all cores, before models that share them are trained at the same time."""
    if not request.spec.is_graph:
        return
    from ml.graphs.settings import GraphSettings
    from ml.graphs.store import graph_store
    from ml.models.settings import QUOTIENT_KINDS

    if progress:
        progress(State("building graphs", 0, total))
    kind = "quotient" if request.spec.kind in QUOTIENT_KINDS else "full"
    graph_store(lake, data.rows, GraphSettings.of({"kind": kind} | dict(request.spec.graph)))


def _train(
    lake: Lake, order: Order, jobs: Sequence[Job], where: str | None, progress: Progress | None
) -> list[tuple[Job, Done]]:
    settings = lake.settings.model_copy(update={"task_timeout_seconds": LONGEST_MODEL_SECONDS})
    tasks = {job.title: job for job in jobs}
    done: dict[str, Done] = {}
    if progress:
        progress(State("training", 0, len(jobs)))
    work = (Task(title, do_job, {"order": order, "job": job}) for title, job in tasks.items())
    for task, result in run_tasks(work, settings, where=where):
        done[task.name] = result
        if progress:
            word = "was there" if result.was_there else f"took {result.seconds:,.0f} s"
            progress(State("training", len(done), len(jobs), f"{task.name}: {result.model_id} {word}"))
    return [(job, done[title]) for title, job in tasks.items()]


def _record(
    lake: Lake, order: Order, laid_out: Plan, done: Sequence[tuple[Job, Done]], seconds: float
) -> tuple[str, bool]:
    """Write the experiment, unless the newest one of its target consists of the same models."""
    target, asked = order.request.selection.target, order.request.json()
    made = {(job.road, "+".join(job.trained_on), one.model_id) for job, one in done}
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = [{
        "target": target, "road": job.road, "trained_on": "+".join(job.trained_on), "model_id": one.model_id,
        "sources": list(laid_out.sources), "n_common_materials": laid_out.n_common, "settings_json": asked,
        "correction_json": order.corrections.json() if job.road == "corrected" and order.corrections else None,
        "seconds": seconds, "created_at": now,
    } for job, one in done]
    found: tuple[str, bool] = ("", False)

    def make(delta: DeltaTable | None) -> pa.Table:
        nonlocal found
        with connect(lake.root) as connection:
            there = connection.execute(
                f"select transfer_id, road, trained_on, model_id from ({select_table('transfers', delta)}) "  # noqa: S608
                "where target = $target", {"target": target},
            ).fetchall()
        numbers = {transfer_id: int(transfer_id.rpartition(".")[2]) for transfer_id, *_ in there}
        newest = max(numbers, key=numbers.__getitem__, default=None)
        if newest and {tuple(rest) for transfer_id, *rest in there if transfer_id == newest} == made:
            found = newest, False
            return pa.Table.from_pylist([], schema=TABLES["transfers"].schema)
        found = f"{target}.{max(numbers.values(), default=0) + 1}", True
        return pa.Table.from_pylist([{"transfer_id": found[0], **row} for row in rows], TABLES["transfers"].schema)

    lake.append("transfers", make)
    return found


def _matrix(lake: Lake, transfer_id: str) -> pa.Table:
    with lake.connect() as connection:
        return connection.sql(
            "select * from transfer_matrix where transfer_id = $id order by place, evaluated_on = '*', evaluated_on",
            params={"id": transfer_id},
        ).to_arrow_table()


def _notes(done: Sequence[tuple[Job, Done]]) -> tuple[str, ...]:
    notes = []
    for job, one in done:
        for source, n in sorted(one.unknown_elements.items()):
            notes.append(f"{job.title} says nothing of {n:,} test rows of {source}: they hold elements that it has "
                         "not seen.")
    return tuple(notes)
