"""`matlake similar`: which calculations are alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Root, open_lake

if TYPE_CHECKING:
    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake


def command(
    ctx: typer.Context,
    to: Annotated[str | None, typer.Option("--to", help="A calculation: list the ones most similar to it.")] = None,
    k: Annotated[int, typer.Option("-k", help="With --to: how many.")] = 10,
    threshold: Annotated[
        float | None, typer.Option("--threshold", "-t", help="List all pairs from this similarity on in the table "
                                   "similarities; equal ones are written out by the view similar_calculations.")
    ] = None,
    within: Annotated[
        str | None, typer.Option("--within", help="A material (cell_key or reduced_key): compare all of its "
                                 "calculations with each other.")
    ] = None,
    grid: Annotated[str, typer.Option("--grid", help="Grid of the fingerprints, by name or id.")] = "reference",
    aligned: Annotated[
        bool | None, typer.Option("--aligned/--not-aligned", help="Also the similarity at the best shift within "
                                  "±0.1 eV; default: not with --threshold.")
    ] = None,
    most_pairs: Annotated[
        int | None, typer.Option("--most-pairs", min=1, help="With --threshold: stop where there are more; default "
                                 "100 million.")
    ] = None,
    fold_above: Annotated[
        int | None, typer.Option("--fold-above", min=1, help="With --threshold: in materials with more different "
                                 "fingerprints, one stands for those nearly equal to it; default 1000.")
    ] = None,
    fold_similarity: Annotated[
        float | None, typer.Option("--fold-similarity", help="What is nearly equal; default 0.98.")
    ] = None,
    no_fold: Annotated[bool, typer.Option("--no-fold", help="Compare all, however many a material has.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="With --threshold: local processes; 1 = none.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="With --threshold: here, processes, scheduler "
                                 "(MATLAKE_DASK_SCHEDULER) or an address; default: by the number of fingerprints.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="table, json, csv or parquet.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.")] = None,
    root: Root = None,
) -> None:
    """Find similar calculations: to one (--to), all pairs (--threshold), or within a material (--within)."""
    from analytics.fingerprints import kinds
    from flows import similar_tables
    from flows.terminal import check_format

    chosen: dict[str, Any] = {
        "--most-pairs": most_pairs, "--fold-above": fold_above, "--fold-similarity": fold_similarity,
        "--no-fold": no_fold or None, "--workers": workers, "--where": where,
    }
    _check_mode(to, threshold, within, [name for name, value in chosen.items() if value is not None])
    check_format(format_, output)
    lake = open_lake(ctx, root)
    found = kinds.find(grid, lake)
    _hint(lake, found)
    if to is not None:
        similar_tables.show_most_similar(lake, to, found, k, aligned, format_, output)
    elif within is not None:
        similar_tables.show_within(lake, within, found, aligned is not False, format_, output)
    else:
        assert threshold is not None
        similar_tables.show_all_pairs(_with_workers(lake, workers), found, threshold, format_, output, {
            "aligned": bool(aligned), "where": where or _where(workers),
            **({"fold_above": None} if no_fold else {"fold_above": fold_above} if fold_above else {}),
            **({"fold_similarity": fold_similarity} if fold_similarity is not None else {}),
            **({"most_pairs": most_pairs} if most_pairs else {}),
        })


def _check_mode(to: str | None, threshold: float | None, within: str | None, of_threshold: list[str]) -> None:
    """Refuse no mode, several, and options of another one.

    Raises:
        SettingsError: with what to give.
    """
    from lake.errors import SettingsError

    modes = [name for name, value in (("--to", to), ("--threshold", threshold), ("--within", within)) if
             value is not None]
    if len(modes) != 1:
        given = f"not {' and '.join(modes)} together" if modes else "none was given"
        raise SettingsError(
            f"One of --to CALCULATION_ID, --threshold SIMILARITY and --within KEY is needed; {given}."
        )
    if of_threshold and modes != ["--threshold"]:
        raise SettingsError(f"{', '.join(of_threshold)}: only with --threshold, not with {modes[0]}.")


def _with_workers(lake: Lake, workers: int | None) -> Lake:
    """The lake with that many local processes in its settings."""
    from lake.store.lake import Lake as AnyLake

    if workers is None:
        return lake
    return AnyLake.open(lake.root.uri, lake.settings.model_copy(update={"dask_workers": workers}))


def _where(workers: int | None) -> str | None:
    return None if workers is None else "here" if workers == 1 else "processes"


def _hint(lake: Lake, grid: Grid) -> None:
    """Say on stderr where the lake has grown since fingerprints were made."""
    from analytics.similarity.top import without_fingerprint
    from flows.terminal import err

    missing = without_fingerprint(lake, grid)
    if missing and "fingerprints" in lake.versions():
        what = "densities of states" if grid.kind == "dos" else "calculations"
        err.print(
            f"{missing:,} {what} came after the fingerprints on {grid.grid_id}: matlake fingerprint --grid "
            f"{grid.grid_id} takes them in.", soft_wrap=True, markup=False,
        )
