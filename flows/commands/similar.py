"""`matlake similar`: which calculations are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake


def command(
    ctx: typer.Context,
    to: Annotated[str | None, typer.Option("--to", help="A calculation: list the ones most similar to it.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="With --to: how many; default 10.")] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", "-t", help="List all pairs from this similarity on in the table "
                                   "similarities; matlake sql similar_pairs shows them.")
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
                                 "500 million.")
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
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Find similar calculations: to one (--to), all pairs (--threshold), or within a material (--within)."""
    from analytics.fingerprints import kinds
    from flows.similar_tables import show_all_pairs, show_top
    from flows.terminal import check_format
    from flows.within_tables import show_within
    from lake.errors import SettingsError

    of_threshold: dict[str, Any] = {
        "--most-pairs": most_pairs, "--fold-above": fold_above, "--fold-similarity": fold_similarity,
        "--no-fold": no_fold or None, "--workers": workers, "--where": where,
    }
    mode = _mode({"--to": to, "--threshold": threshold, "--within": within})
    _check_only(mode, "--threshold", of_threshold)
    _check_only(mode, "--to", {"-k": k})
    if no_fold and (fold_above is not None or fold_similarity is not None):
        raise SettingsError("--no-fold and how to fold were given together: leave one of them out.")
    check_format(format_, output)
    lake = open_lake(ctx, root)
    found = kinds.find(grid, lake)
    if aligned and found.kind != "dos":
        raise SettingsError(
            f"--aligned: the grid {found.grid_id} describes a {found.kind}, and only densities of states can be "
            "shifted against each other. Leave it out."
        )
    _hint(lake, found)
    shifted = found.kind == "dos" and aligned is not False
    if to is not None:
        show_top(lake, to, found, 10 if k is None else k, shifted, format_, output)
    elif within is not None:
        show_within(lake, within, found, shifted, format_, output)
    elif threshold is not None:
        options: dict[str, Any] = {"aligned": bool(aligned), "where": where or _where(workers)}
        options |= {name: value for name, value in (
            ("fold_above", fold_above), ("fold_similarity", fold_similarity), ("most_pairs", most_pairs),
        ) if value is not None}
        if no_fold:
            options["fold_above"] = None
        show_all_pairs(_with_workers(lake, workers), found, threshold, format_, output, options)


def _mode(modes: dict[str, Any]) -> str:
    """The one that was given.

    Raises:
        SettingsError: none was, or several.
    """
    from lake.errors import SettingsError

    given = [name for name, value in modes.items() if value is not None]
    if len(given) != 1:
        said = f"not {' and '.join(given)} together" if given else "none was given"
        raise SettingsError(
            f"One of --to CALCULATION_ID, --threshold SIMILARITY and --within KEY is needed; {said}."
        )
    return given[0]


def _check_only(mode: str, of_mode: str, options: dict[str, Any]) -> None:
    """Refuse options of another mode.

    Raises:
        SettingsError: with those that were given.
    """
    from lake.errors import SettingsError

    given = [name for name, value in options.items() if value is not None]
    if given and mode != of_mode:
        raise SettingsError(f"{', '.join(given)}: only with {of_mode}, not with {mode}.")


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
    from analytics.similarity.why_not import not_fingerprinted
    from flows.terminal import err

    missing = not_fingerprinted(lake, grid)
    if missing:
        what = "densities of states" if grid.kind == "dos" else "calculations"
        err.print(
            f"{missing:,} {what} of the lake have no fingerprint on {grid.grid_id} so far and are left out: matlake "
            f"fingerprint --grid {grid.grid_id} makes them.", soft_wrap=True, markup=False,
        )
