"""The flow `fingerprint`: make the fingerprints of what is new or changed, and publish the counts.

`analytics.fingerprints.build.build` does the work and needs no Prefect.
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
from lake.errors import TableError, WorkerError

if TYPE_CHECKING:
    from analytics.fingerprints.build import BuildResult

WORTH_ANOTHER_TRY = (TableError, WorkerError, OSError)


@flow(name="fingerprint", validate_parameters=True)
def fingerprint(
    grids: list[str | dict[str, Any]] | None = None, where: str | None = None, minimum_coverage: float = 1.0,
    root: str | None = None,
) -> list[dict[str, Any]]:
    """Make the fingerprints of what is new or changed.

    Args:
        grids: names, ids, or parameters of own grids, see `matlake fingerprint --help`; default: `reference`.
        where: a condition in SQL on the table `calculations`; only these are looked at.
        minimum_coverage: share of the grid's window that a density of states must cover.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        Per grid: n_calculations, new, changed, unchanged, comparable, set_aside, reasons, seconds.

    Raises:
        InputError: there is no such grid.
        WorkerError: work that was spread over processes or machines did not come to its end.
    """
    from analytics.fingerprints import kinds
    from lake.store.lake import Lake

    lake = Lake.open(root)
    chosen: dict[str, dict[str, Any]] = {}
    for wanted in grids or ["reference"]:
        found = kinds.chosen([wanted], lake=lake) if isinstance(wanted, str) else [kinds.find(wanted)]
        chosen |= {grid.grid_id: grid.parameters() for grid in found}
    counts = [make(name, parameters, where, minimum_coverage, root) for name, parameters in chosen.items()]
    publish(counts)
    return counts


@task(
    task_run_name="make {name}", retries=2, retry_delay_seconds=[10, 60], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def make(
    name: str, parameters: dict[str, Any], where: str | None, minimum_coverage: float, root: str | None
) -> dict[str, Any]:
    """Build on one grid; another try goes on where the one before it ended."""
    from analytics.fingerprints.build import build
    from flows.fingerprint_tables import counts_of, lines
    from lake.store.lake import Lake

    result: BuildResult = build(
        Lake.open(root), parameters, where=where, minimum_coverage=minimum_coverage,
        progress=log_now_and_then(name),
    )
    for line in lines(result):
        run_logger().info("%s", line)
    return counts_of(result)


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(counts: list[dict[str, Any]]) -> None:
    """Write the table artifact `fingerprint`: one line per grid, its counts adding up; reasons below."""
    reasons = [
        f"- {count:,}: {reason} ({entry['grid_id']})" for entry in counts for reason, count in entry["reasons"].items()
    ]
    create_table_artifact(
        [{name: value for name, value in entry.items() if name != "reasons"} for entry in counts],
        key="fingerprint",
        description="\n".join([
            "n_calculations = new + changed + unchanged = comparable + set_aside.",
            *(["\nSet aside:\n", *reasons] if reasons else []),
        ]),
    )


def log_now_and_then(name: str, seconds: float = SECONDS_BETWEEN_LINES) -> Callable[[int, int], None]:
    """A progress function that logs a line now and then to the run."""
    logger = run_logger()
    last = time.monotonic()

    def show(done: int, to_do: int) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            logger.info("%s: %s of %s done", name, f"{done:,}", f"{to_do:,}")

    return show
