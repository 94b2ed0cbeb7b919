"""The flow `curate`: make a subset anew on the tables as they are, and publish its funnel.

`analytics.subsets.curate.curate` does the work and needs no Prefect.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.ingest import run_logger
from flows.retries import worth_another_try
from lake.errors import TableError

WORTH_ANOTHER_TRY = (TableError, OSError)


@flow(name="curate", flow_run_name="curate {name}", validate_parameters=True)
def curate(name: str, recipe: dict[str, Any] | None = None, root: str | None = None) -> dict[str, Any]:
    """Make a version of a subset from the tables as they are now.

    Args:
        name: of the subset.
        recipe: its fields, as `matlake curate NAME --show --format json` shows them under `recipe`; default: those
            of the newest version.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        subset, version, is_new (false: the recipe and the tables are those of the newest version), n_members,
        n_materials, counts_by_source, sentence, members_sha256.

    Raises:
        InputError: there is no such subset and no recipe, or the recipe leaves nothing.
        QueryError: a rule is no condition over one row.
    """
    made = make(name, recipe, root)
    if made["is_new"]:
        refresh(root)
    publish(name, made.pop("funnel"), made)
    return made


@task(
    task_run_name="make {name}", retries=2, retry_delay_seconds=[10, 60], retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY), cache_policy=NO_CACHE, persist_result=False,
)
def make(name: str, recipe: dict[str, Any] | None, root: str | None) -> dict[str, Any]:
    """Curate; another try finds what the one before it saved."""
    from analytics.subsets.curate import curate as curate_recipe
    from analytics.subsets.recipe import Recipe
    from analytics.subsets.saved import find
    from lake.store.lake import Lake

    lake = Lake.open(root)
    chosen = find(lake, name).recipe if recipe is None else Recipe.of(recipe | {"name": name})
    subset = curate_recipe(lake, chosen)
    run_logger().info("%s %s: %s members", subset.name, subset.version, f"{subset.n_members:,}")
    return {
        "subset": subset.name, "version": subset.version, "is_new": subset.is_new, "n_members": subset.n_members,
        "n_materials": subset.n_materials, "counts_by_source": subset.counts_by_source, "sentence": subset.sentence,
        "members_sha256": subset.members_sha256, "funnel": subset.funnel["steps"],
    }


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows the new version."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish {name}", cache_policy=NO_CACHE, persist_result=False)
def publish(name: str, funnel: list[dict[str, Any]], made: dict[str, Any]) -> None:
    """Write the table artifact `curate-<name>`: the funnel, one line per step."""
    columns = ("step", "rows_before", "left_out", "rows", "materials", "otherwise")
    state = "saved" if made["is_new"] else "unchanged"
    create_table_artifact(
        [{column: entry[column] for column in columns} for entry in funnel],
        key=f"curate-{name}".replace("_", "-"),
        description=f"{made['subset']} {made['version']} ({state}): {made['n_members']:,} members of "
                    f"{made['n_materials']:,} materials. {made['sentence']}",
    )
