"""The flow `transfer`: how far models carry between databases, as matrix, answers and artifact.

`ml.transfer.transfer` does the work and needs no Prefect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.ingest import run_logger
from flows.retries import worth_another_try
from flows.transfer_request import request_of
from lake.errors import TableError

if TYPE_CHECKING:
    from ml.transfer.run import State

# No WorkerError: models that ended are kept, and what took all workers down would do so again.
WORTH_ANOTHER_TRY = (TableError, OSError)
SHOWN = ("road", "trained_on", "evaluated_on", "n", "mae", "mae_low", "mae_high", "rmse", "bias", "r2", "mae_to_own")


@flow(name="transfer", flow_run_name="transfer {target}", validate_parameters=True)
def transfer(
    target: str = "formation_energy_ev_per_atom", sources: list[str] | None = None, kind: str = "mpeu",
    full: bool = False, roads: list[str] | None = None, subset: str | None = None, condition: str | None = None,
    level: str | None = None, members: int = 1, steps: int | None = None, seed: int = 0, split_seed: int = 0,
    settings: dict[str, Any] | None = None, where: str | None = None, root: str | None = None,
) -> dict[str, Any]:
    """Train a model per database and on each road on all of them, and judge each on every database.

    Args:
        target: column to predict.
        sources: databases, two or more; null: all that have the target.
        kind: mpeu, schnet, painn, forest or mlp.
        full: settings for accuracy (minutes per model) instead of quick ones.
        roads: some of own, combined, settings, corrected; null: all.
        subset: rows of a subset, as name or name@version.
        condition: SQL condition over calculation_traits.
        level: database whose level targets are brought to on the road corrected.
        members: networks of every ensemble.
        steps: gradient steps of every model.
        seed: of weights and batches.
        split_seed: 0: the splits of all subsets.
        settings: other settings of the models, as in `training.learning_rate`.
        where: `here`, `processes`, `scheduler` or the address of a Dask scheduler.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        transfer_id, models by what they are, answers and notes.

    Raises:
        InputError: nothing can be carried over; the message says why.
        WorkerError: a model could not be trained; the others are kept for the next run.
    """
    asked: dict[str, Any] = {
        "target": target, "sources": sources, "kind": kind, "full": full, "roads": roads, "subset": subset,
        "condition": condition, "level": level, "members": members, "steps": steps, "seed": seed,
        "split_seed": split_seed, "settings": settings or {},
    }
    request_of(**asked)
    counts = experiment(target, asked, where, root)
    refresh(root)
    publish(counts)
    return {name: value for name, value in counts.items() if name != "matrix"}


@task(
    task_run_name="transfer {target}", retries=1, retry_delay_seconds=[10], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def experiment(target: str, asked: dict[str, Any], where: str | None, root: str | None) -> dict[str, Any]:  # noqa: ARG001
    """Do the experiment; another try takes over the models that the one before it trained."""
    from flows.transfer_levels import corrections_to
    from lake.store.lake import Lake
    from ml import transfer as room

    result = room.transfer(
        Lake.open(root), request_of(**asked), corrections_to(asked["level"]), where=where, progress=log_each_model()
    )
    for line in (*result.answers, *result.notes):
        run_logger().info("%s", line)
    return {
        "transfer_id": result.transfer_id, "is_new": result.is_new, "models": result.models,
        "n_trained": result.n_trained, "answers": list(result.answers), "notes": list(result.notes),
        "seconds": result.seconds, "matrix": result.matrix.select(SHOWN).to_pylist(),
    }


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows the experiment."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(counts: dict[str, Any]) -> None:
    """Write the table artifact `transfer-<target>`: the matrix, and what it says."""
    create_table_artifact(
        counts["matrix"], key=f"transfer-{counts['transfer_id'].rpartition('.')[0]}".lower().replace("_", "-"),
        description=_described(counts["transfer_id"], counts["answers"], counts["notes"]),
    )


def _described(transfer_id: str, answers: Sequence[str], notes: Sequence[str]) -> str:
    return "\n".join([f"Experiment {transfer_id}: errors on test rows, in the unit of the target.", "",
                      *(f"- {line}" for line in (*answers, *notes))])


def log_each_model() -> Callable[[State], None]:
    """A progress function that logs a line for every model that is done."""
    logger = run_logger()

    def show(state: State) -> None:
        logger.info("%s: %s of %s models%s", state.doing, state.done, state.total,
                    f" ({state.last})" if state.last else "")

    return show
