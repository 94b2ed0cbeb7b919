"""`matlake fingerprint`: make what calculations are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    from analytics.fingerprints.build import BuildResult
    from analytics.fingerprints.kinds import Grid
    from lake.store.lake import Lake


def command(
    ctx: typer.Context,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", "-g", help="reference (densities of states, −10 to 5 eV), paper (−10 to 10 eV), "
                     "composition, structure, all of these, a grid_id, or a .json or .toml file of parameters; may be "
                     "given several times. Default: reference."),
    ] = None,
    grid_param: Annotated[
        list[str] | None,
        typer.Option("--grid-param", help="Parameter of an own grid of densities of states, such as window_max_ev=8; "
                     "may be given several times, the others are the reference's."),
    ] = None,
    minimum_coverage: Annotated[
        float, typer.Option("--minimum-coverage",
                            help="Share of the grid's window that a density of states must cover; another one "
                            "than before makes all anew.")
    ] = 1.0,
    where: Annotated[
        str | None, typer.Option("--where", help="Condition in SQL on the table calculations: only these.")
    ] = None,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Make the fingerprints of what is new or changed, by which calculations are compared."""
    from analytics.fingerprints import kinds
    from flows.fingerprint_tables import as_table, lines
    from flows.terminal import check_format, emit, out

    check_format(format_, output)
    lake = open_lake(ctx, root)
    grids = kinds.chosen(grid or [], grid_param or [], lake)
    if grid and "all" in grid:
        grids = _without_missing_libraries(grids)
    results = []
    for chosen in grids:
        results.append(_with_progress(lake, chosen, minimum_coverage, where))
        if format_ == "table" and output is None:
            for line in lines(results[-1]):
                out.print(line, soft_wrap=True, markup=False)
    if format_ != "table" or output is not None:
        emit(as_table(results), format_, output)


def _without_missing_libraries(grids: list[Grid]) -> list[Grid]:
    """All grids that can be made here: `all` asks for no more than that."""
    from analytics.fingerprints.structure import neighbour_search
    from flows.terminal import err
    from lake.errors import InputError

    try:
        neighbour_search()
    except InputError as error:
        err.print(f"structure is left out. {error}", soft_wrap=True, markup=False)
        return [grid for grid in grids if grid.kind != "structure"]
    return grids


def _with_progress(lake: Lake, grid: Grid, minimum_coverage: float, where: str | None) -> BuildResult:
    """Build under a progress bar on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from analytics.fingerprints.build import build
    from flows.terminal import err

    columns: Any = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                    TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(f"fingerprints {grid.grid_id}", total=None)

        def show(done: int, to_do: int) -> None:
            bar.update(task, completed=done, total=to_do)

        return build(lake, grid, where=where, minimum_coverage=minimum_coverage, progress=show)
