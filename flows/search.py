"""The flow `search`: the best architecture of a network, an ensemble of the best few, and its challenge of a champion.

`flows.searching.search_and_finish` does the work and needs no Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.ingest import SECONDS_BETWEEN_LINES, run_logger
from flows.retrain import log_now_and_then
from flows.retries import worth_another_try
from flows.search_request import asked_of
from lake.errors import TableError

if TYPE_CHECKING:
    from ml.search.run import State

# No WorkerError: what took all workers down would do so again, and what is done is kept for the next run.
WORTH_ANOTHER_TRY = (TableError, OSError)
MOST_SHOWN = 50


@flow(name="search", flow_run_name="search {target}", validate_parameters=True)
def search(
    target: str = "formation_energy_ev_per_atom", model: str = "mpeu", subset: str | None = None,
    condition: str | None = None, sources: list[str] | None = None, space: str = "paper", sampler: str = "tpe",
    pruner: str = "hyperband", candidates: int | None = None, steps: int | None = None,
    least_steps: int | None = None, finishers: int = 3, per_shape: int = 1, stacked: int | None = None,
    ensemble: int | None = None, challenge: str | None = None, margin: float = 0.05, price: float | None = None,
    name: str | None = None, seed: int = 0, device: str | None = None, settings: dict[str, Any] | None = None,
    where: str | None = None, root: str | None = None,
) -> dict[str, Any]:
    """Find the best architecture and training of a graph network.

    Args:
        target: column to predict.
        model: mpeu, schnet or painn.
        subset: rows of a subset, as name or name@version.
        condition: SQL condition over calculation_traits.
        sources: databases; null: all.
        space: paper, short, or a file in JSON or TOML that the worker can read.
        sampler: tpe, random or evolutionary.
        pruner: hyperband, halving or none.
        candidates: how many; null: one round of Hyperband, 48.
        steps: gradient steps of a training to its end; null: by the number of rows.
        least_steps: steps before any candidate is ended; null: 1/27 of all.
        finishers: of every bracket at least so many are trained to their end.
        per_shape: candidates of every sampled shape.
        stacked: candidates that share batches at most; null: 8.
        ensemble: so many of the best are trained anew and answer together; 0: none; null: 3.
        challenge: name of the models whose champion the ensemble is compared with.
        margin: how much worse it may be, as a share of the champion's mean absolute error.
        price: of an hour on the device.
        name: of search and ensemble.
        seed: of sampling, weights and batches.
        device: auto, cpu or cuda.
        settings: what all candidates have in common, as in `training.clip`.
        where: `here`, `processes`, `scheduler` or the address of a Dask scheduler.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        search_id, model_id, best_rmse, counts of candidates, hours, cost, and what it says in sentences.

    Raises:
        InputError: rows, space or settings cannot be; the message says why.
        TrainingError: every candidate failed.
        WorkerError: work could not be done; what is done is kept for the next run.
    """
    asked: dict[str, Any] = {
        "target": target, "model": model, "subset": subset, "condition": condition, "sources": sources or [],
        "space": space, "sampler": sampler, "pruner": pruner, "candidates": candidates, "steps": steps,
        "least_steps": least_steps, "finishers": finishers, "per_shape": per_shape, "stacked": stacked,
        "ensemble": ensemble, "challenge": challenge, "margin": margin, "price": price, "name": name,
        "seed": seed, "device": device, "settings": settings or {},
    }
    asked_of(**asked)
    found = compete(target, asked, where, root)
    refresh(root)
    publish(found["search_id"], found["answers"], root)
    return found


@task(
    task_run_name="search {target}", retries=1, retry_delay_seconds=[10], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def compete(target: str, asked: dict[str, Any], where: str | None, root: str | None) -> dict[str, Any]:  # noqa: ARG001
    """Do the search; another try goes on where the one before it ended."""
    from flows.searching import search_and_finish, summary
    from lake.store.lake import Lake
    from ml.data import dataset

    lake, request = Lake.open(root), asked_of(**asked)
    data = dataset(lake, request.selection)
    finished = search_and_finish(lake, data, request, where=where, progress=log_search(),
                                 train_progress=log_now_and_then(), said=lambda line: run_logger().info("%s", line))
    answers = list(summary(finished))
    for line in (*finished.searched.notes, *answers):
        run_logger().info("%s", line)
    row = finished.row
    return {"is_new": not finished.searched.was_there, "answers": answers, **{
        column: row[column] for column in (
            "search_id", "model_id", "promotion", "best_rmse", "n_candidates", "n_completed", "n_pruned", "n_failed",
            "training_steps", "full_training_steps", "device_hours", "cost", "full_cost")}}


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows the search."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish {search_id}", cache_policy=NO_CACHE, persist_result=False)
def publish(search_id: str, answers: list[str], root: str | None) -> None:
    """Write the table artifact `search-<name>`: the best candidates, and what the search says."""
    from flows.search_tables import candidates
    from lake.store.lake import Lake

    create_table_artifact(
        candidates(Lake.open(root), search_id, MOST_SHOWN).to_pylist(),
        key=f"search-{search_id.rpartition('.')[0]}".replace("_", "-"),
        description="\n".join(f"- {line}" for line in answers),
    )


def log_search(seconds: float = SECONDS_BETWEEN_LINES) -> Callable[[State], None]:
    """A progress function that logs a line now and then to the run, and every note."""
    logger = run_logger()
    last = time.monotonic()

    def show(state: State) -> None:
        nonlocal last
        if state.note:
            logger.info("%s", state.note)
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            best = "" if state.best_rmse is None else f", best validation RMSE {state.best_rmse:.4g}"
            logger.info("%s: %s of %s steps, %s of %s candidates ended%s", state.doing, f"{state.steps:,}",
                        f"{state.planned_steps:,}", state.n_ended, state.n_candidates, best)

    return show
