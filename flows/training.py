"""What `matlake train` shows: the errors on stdout, progress and everything else on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flows.terminal import emit, err
from lake.store.lake import Lake
from ml.data import Dataset, Selection, dataset
from ml.progress import Progress, State
from ml.spec import ModelSpec
from ml.train import Trained, train

SECONDS_BETWEEN_LINES = 30
SHOWN = ("evaluated_on", "split", "n", "n_materials", "mae", "mae_low", "mae_high", "rmse", "bias", "r2", "unit")


def run(
    lake: Lake, asked: Selection, spec: ModelSpec, name: str, again: bool, format_: str, output: Path | None
) -> None:
    """Train under a progress bar, and show what the model is worth."""
    rows = dataset(lake, asked)
    _say(*described(rows))
    with progress_bar(rows.target.unit) as progress:
        trained = train(lake, rows, spec, name=name, road=road_of(rows, spec), progress=progress, again=again)
    if not trained.was_there:
        lake.refresh()
    _say(*(f"Warning: {warning}" for warning in trained.warnings))
    emit(shown(trained.evaluations), format_, output)
    _say(*next_steps(trained))


def road_of(rows: Dataset, spec: ModelSpec) -> str:
    """How the rows of several databases are brought together."""
    if len(rows.sources) == 1:
        return "own"
    return "settings" if spec.inputs else "combined"


def described(rows: Dataset) -> Iterator[str]:
    """What is learned from, in words."""
    counts = {split: len(rows.places(split)) for split in ("train", "validation", "test")}
    by_split = ", ".join(f"{n:,} {split}" for split, n in counts.items())
    selection = rows.selection
    yield (f"{rows.target.label} ({rows.target.unit}) of {rows.rows.num_rows:,} calculations ({selection}): "
           f"{by_split}, split by {selection.key_kind}, seed {selection.split_seed}.")
    if rows.left_out:
        yield "Left out: " + "; ".join(f"{n:,} {why}" for why, n in rows.left_out.items()) + "."


def shown(evaluations: pa.Table) -> pa.Table:
    """Errors by database and split."""
    whole = evaluations.filter(pc.equal(evaluations["slice_kind"], "all")).select(SHOWN)
    order = pa.array([("train", "validation", "test").index(split) for split in whole["split"].to_pylist()], pa.int8())
    return whole.append_column("order", order).sort_by(
        [("evaluated_on", "ascending"), ("order", "ascending")]
    ).drop_columns("order")


def next_steps(trained: Trained) -> Iterator[str]:
    """Where the model is, and what to try next."""
    row = trained.model.row
    model_id = row["model_id"]
    if trained.was_there:
        yield (f"{model_id} was trained from the same data with the same settings on {row['created_at']:%Y-%m-%d}: "
               "nothing was done. --again trains it once more.")
    else:
        went_on = f", taken up at step {trained.resumed_from:,}" if trained.resumed_from else ""
        unit = "trees" if row["kind"] == "forest" else "steps"
        yield (f"{model_id}: {row['steps']:,} {unit} in {row['seconds']:,.0f} s on {row['device']}{went_on}, "
               f"{row['n_parameters']:,} parameters; stopped by {row['stopped']}, best at {row['best_step']:,}.")
    yield f"Its files: {row['folder']} below the lake's root. matlake models {model_id} shows its card."
    yield (f"Try next: matlake sql model_errors --param model={model_id} (errors by element, functional, …); "
           f"matlake predict {row['name']} --on STRUCTURE_FILE")
    if row["n_members"] == 1 and row["kind"] != "forest":
        yield "--members 4 trains an ensemble, which says how sure it is."


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """A progress function: a bar on a terminal, a line now and then elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[more]}"), TimeRemainingColumn())
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("reading", total=None, more="")
        line = now_and_then()
        said: set[str] = set()

        def show(state: State) -> None:
            if state.resumed_from and "resumed" not in said:
                said.add("resumed")
                _say(f"Going on at step {state.resumed_from:,}, where this training was interrupted.")
            if state.note and state.note not in said:
                said.add(state.note)
                _say(state.note)
            more = []
            if state.validation_mae is not None:
                more.append(f"validation MAE {state.validation_mae:.4f} {unit}")
            if state.rate:
                more.append(f"{state.rate:,.0f}/s")
            bar.update(task, description=state.doing, completed=state.done, total=state.total, more=", ".join(more))
            if not err.is_terminal and line():
                of = f" of {state.total:,}" if state.total else ""
                _say(f"{state.doing}: {', '.join([f'{state.done:,}{of}', *more])}")

        yield show


def now_and_then() -> Callable[[], bool]:
    """A function that says whether a line is due."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if time.monotonic() - last < SECONDS_BETWEEN_LINES:
            return False
        last = time.monotonic()
        return True

    return due


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
