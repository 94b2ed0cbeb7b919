"""What `matlake similar` shows: the most similar calculations to one, and the counts of an all-pairs run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics.report.formats import counted
from flows.terminal import emit, err, out

if TYPE_CHECKING:
    from analytics.fingerprints.kinds import Grid
    from analytics.similarity.run import RunResult, State
    from lake.store.lake import Lake

UNITS_OF_BASIS = {"cutoff_ev": "eV", "n_basis_functions": "functions"}
PLACES = {"here": "in this process", "processes": "on local processes"}


def show_top(
    lake: Lake, calculation_id: str, grid: Grid, k: int, aligned: bool, format_: str, output: Path | None
) -> None:
    """The k most similar calculations; a terminal shows settings in words, the other formats column by column."""
    from analytics.similarity.top import top

    found = top(lake, calculation_id, grid.grid_id, k, aligned=aligned)
    if not aligned:
        found = found.drop_columns(["aligned_similarity", "aligned_shift_ev"])
    if format_ == "table" and output is None:
        words = pa.array([settings_words(row) for row in found.to_pylist()], pa.string())
        shown = [name for name in ("rank", "calculation_id", "similarity", "aligned_similarity", "aligned_shift_ev",
                                   "reduced_key") if name in found.column_names]
        found = found.select(shown).append_column("settings", words)
    emit(found, format_, output)


def settings_words(row: dict[str, Any]) -> str:
    """The settings of a calculation in words, what is unknown left out.

    Args:
        row: columns of `calculations` by name.
    """
    from analytics.convergence.settings import functional_words

    grid = row["k_grid"]
    k_points = "×".join(map(str, grid)) if grid else f"{row['n_k_points']} k-points" if row["n_k_points"] else None
    size = next((f"{row[name]:,.4g} {unit}" for name, unit in UNITS_OF_BASIS.items() if row[name] is not None), None)
    known = (functional_words(row), k_points, row["basis_set"], size, row["settings_tier"])
    return " · ".join(word for word in known if word)


def show_all_pairs(
    lake: Lake, grid: Grid, threshold: float, format_: str, output: Path | None, options: dict[str, Any]
) -> None:
    """Run it under a progress bar; its counts are the result."""
    from analytics.similarity.run import all_pairs

    with _progress() as show:
        result = all_pairs(lake, grid.grid_id, threshold, progress=show, **options)
    lake.refresh()
    if format_ == "table" and output is None:
        for line in (*lines(result), *next_steps(result)):
            out.print(line, soft_wrap=True, markup=False)
    else:
        emit(pa.Table.from_pylist([asdict(result)]), format_, output)


def lines(result: RunResult) -> Iterator[str]:
    """The counts of a run in words."""
    yield (
        f"{result.grid_id}: {counted(result.n_pairs, 'pair')} from {result.threshold:g} on   "
        f"(table similarities, version {result.similarities_version})"
    )
    yield (
        f"  {result.n_fingerprints:,} fingerprints (version {result.fingerprints_version}) = "
        f"{result.n_representatives:,} compared + {result.n_identical:,} identical to one of them + {result.n_near:,} "
        "folded into a nearly equal one"
    )
    if result.is_new:
        resumed = f", {result.n_resumed:,} of them done by an interrupted run" if result.n_resumed else ""
        yield f"  {counted(result.n_tasks, 'task')}{resumed}, {PLACES.get(result.where, f'on {result.where}')}; " \
              f"{result.seconds:.1f} s"
    else:
        yield f"  nothing was done: the lake held just these pairs already; {result.seconds:.1f} s"


def next_steps(result: RunResult) -> Iterator[str]:
    """What may be asked once the pairs are there."""
    if result.n_pairs or result.n_identical or result.n_near:
        of_grid = "" if result.grid_id == "dos-reference" else f" --grid {result.grid_id}"
        yield f"  clusters of them: matlake cluster --threshold {result.threshold:g}{of_grid}"
        of_grid = "" if result.grid_id == "dos-reference" else f" --param grid={result.grid_id}"
        yield f"  the most similar ones: matlake sql similar_pairs{of_grid}"
    else:
        yield f"  no two are that similar: try a lower --threshold than {result.threshold:g}"


@contextmanager
def _progress() -> Iterator[Callable[[State], None]]:
    """A bar on stderr; where that is no terminal, a line when the work changes."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("similar", total=None)
        doing = ""

        def show(state: State) -> None:
            nonlocal doing
            if state.doing != doing and not err.is_terminal:
                err.print(f"{state.doing} …", markup=False)
            doing = state.doing
            found = f": {counted(state.pairs, 'pair')}" if state.pairs else ""
            bar.update(task, completed=state.done, total=state.total, description=f"{state.doing}{found}")

        yield show
