"""The flow `similar`: list all similar pairs of a grid anew, and publish the counts.

`analytics.similarity.run.all_pairs` does the work and needs no Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from analytics.report.formats import counted
from flows.ingest import SECONDS_BETWEEN_LINES, run_logger
from flows.retries import worth_another_try
from lake.errors import TableError

if TYPE_CHECKING:
    from analytics.similarity.run import State

# No WorkerError: tasks were given other workers already, and what took all of them down would do so again.
WORTH_ANOTHER_TRY = (TableError, OSError)


@flow(name="similar", flow_run_name="similar {grid} from {threshold}", validate_parameters=True)
def similar(
    threshold: float = 0.9, grid: str = "reference", aligned: bool = False, fold_above: int | None = 1_000,
    fold_similarity: float = 0.98, most_pairs: int = 500_000_000, where: str | None = None, root: str | None = None,
) -> dict[str, Any]:
    """List all pairs of fingerprints from a similarity on in the table `similarities`.

    Args:
        threshold: smallest Tanimoto coefficient of a pair, above 0 and up to 1.
        grid: name or id of the grid.
        aligned: also the best coefficient within small shifts of the energies.
        fold_above: in materials with more different fingerprints, one stands for those nearly equal to it; null: none.
        fold_similarity: what is nearly equal.
        most_pairs: the run stops where there are more.
        where: `here`, `processes`, `scheduler` or the address of a Dask scheduler; default: by the number of
            fingerprints, and then what the worker's `MATLAKE_DASK_…` say.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        The fields of :class:`analytics.similarity.run.RunResult`.

    Raises:
        InputError: the lake has no such grid or no fingerprints on it.
        TooManyPairsError: there are more than ``most_pairs``.
        WorkerError: a task could not be done; the message names it.
    """
    counts = compare(grid, threshold, aligned, fold_above, fold_similarity, most_pairs, where, root)
    if counts["is_new"]:
        refresh(root)
    publish(counts)
    return counts


@task(
    task_run_name="compare {grid}", retries=1, retry_delay_seconds=[10], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def compare(
    grid: str, threshold: float, aligned: bool, fold_above: int | None, fold_similarity: float, most_pairs: int,
    where: str | None, root: str | None,
) -> dict[str, Any]:
    """List the pairs; another try goes on where the one before it ended."""
    from analytics.similarity.run import all_pairs
    from flows.similar_tables import lines
    from lake.store.lake import Lake

    result = all_pairs(
        Lake.open(root), grid, threshold, aligned=aligned, fold_above=fold_above, fold_similarity=fold_similarity,
        most_pairs=most_pairs, where=where, progress=log_now_and_then(),
    )
    for line in lines(result):
        run_logger().info("%s", line)
    return asdict(result)


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows the pairs."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(counts: dict[str, Any]) -> None:
    """Write the table artifact `similar-<grid>`: the counts of the run."""
    create_table_artifact(
        [{name: value for name, value in counts.items() if name != "grid_id"}],
        key=f"similar-{counts['grid_id']}".lower().replace("_", "-"),
        description=f"{counted(counts['n_pairs'], 'pair')} of {counts['grid_id']} from {counts['threshold']:g} on, "
                    f"among {counts['n_fingerprints']:,} fingerprints.",
    )


def log_now_and_then(seconds: float = SECONDS_BETWEEN_LINES) -> Callable[[State], None]:
    """A progress function that logs a line now and then to the run."""
    logger = run_logger()
    last = time.monotonic()

    def show(state: State) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            logger.info("%s: %s of %s, %s pairs", state.doing, state.done, state.total, f"{state.pairs:,}")

    return show
