"""The flow `retrain`: new versions of the subsets, challengers where the data changed, and the better model stays.

`ml.retrain.retrain.retrain` does the work and needs no Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.ingest import SECONDS_BETWEEN_LINES, run_logger
from flows.retries import worth_another_try
from lake.errors import InputError, MatlakeError, TableError

if TYPE_CHECKING:
    from ml.progress import State

WORTH_ANOTHER_TRY = (TableError, OSError)
SHOWN = (
    "decision", "champion_id", "challenger_id", "promoted", "n", "champion_mae", "challenger_mae", "difference",
    "difference_low", "difference_high", "margin", "unit", "reason", "decided_at",
)


@flow(name="retrain", flow_run_name="retrain", validate_parameters=True)
def retrain(
    names: list[str] | None = None, margin: float = 0.05, curate: bool = True, root: str | None = None
) -> list[dict[str, Any]]:
    """Train challengers where the data of champions changed, and promote those that are not worse.

    Args:
        names: of models; default: all that are under retraining. Naming one puts it under retraining.
        margin: how much worse a challenger may be, as a share of the champion's mean absolute error.
        curate: first make the subsets that they were trained on anew, on the tables as they are.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        Per name: name, champion_id, decision (number; null = nothing to do), message.

    Raises:
        InputError: one of the names is no model, or cannot be trained again; the others were done all the same.
        MatlakeError: training one of them failed otherwise; the others were done all the same.
    """
    done: list[dict[str, Any]] = []
    failures: list[tuple[str, object]] = []
    for name in names or under_retraining(root):
        state = challenge.with_options(task_run_name=f"challenge {name}")(name, margin, curate, root, return_state=True)
        if state.is_completed():
            done.append(state.result())
        else:
            failures.append((name, state.result(raise_on_failure=False)))
    if any(outcome["decision"] for outcome in done):
        refresh(root)
    for outcome in done:
        publish(outcome["name"], outcome["message"], root)
    if failures:
        listed = " ".join(f"{name}: {error}" for name, error in failures)
        kind = InputError if all(isinstance(error, InputError) for _, error in failures) else MatlakeError
        raise kind(f"{len(failures)} of {len(done) + len(failures)} could not be retrained. {listed}")
    return done


def under_retraining(root: str | None) -> list[str]:
    """The names that a run without names takes."""
    from lake.store.lake import Lake
    from ml.registry.champion import enrolled

    return enrolled(Lake.open(root))


@task(
    retries=2, retry_delay_seconds=[30, 300], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def challenge(name: str, margin: float, curate: bool, root: str | None) -> dict[str, Any]:
    """Retrain one name; another try goes on where the one before it ended."""
    from flows.retraining import retrain_one
    from lake.store.lake import Lake

    outcome = retrain_one(Lake.open(root), name, margin, curate=curate, progress=log_now_and_then())
    for line in (*outcome.warnings, outcome.message):
        run_logger().info("%s", line)
    decision = outcome.decision["decision"] if outcome.decision else None
    return {"name": name, "champion_id": outcome.champion_id, "decision": decision, "message": outcome.message}


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows the decisions."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish {name}", cache_policy=NO_CACHE, persist_result=False)
def publish(name: str, message: str, root: str | None) -> None:
    """Write the table artifact `retrain-<name>`: champion, challenger, and every decision before."""
    from lake.store.lake import Lake
    from ml.registry.champion import history

    rows = [{column: row[column] for column in SHOWN} for row in reversed(history(Lake.open(root), name))]
    create_table_artifact(
        [row | {"decided_at": f"{row['decided_at']:%Y-%m-%d %H:%M} UTC"} for row in rows],
        key=f"retrain-{name}".replace("_", "-"), description=message,
    )


def log_now_and_then(seconds: float = SECONDS_BETWEEN_LINES) -> Callable[[State], None]:
    """A progress function that logs a line now and then to the run, and every note."""
    logger = run_logger()
    last = time.monotonic()

    def show(state: State) -> None:
        nonlocal last
        if state.note:
            logger.info("%s", state.note)
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            error = "" if state.validation_mae is None else f", validation MAE {state.validation_mae:.4g}"
            logger.info("%s: %s of %s%s", state.doing, f"{state.done:,}", state.total, error)

    return show
