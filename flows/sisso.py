"""What `matlake sisso` shows: formulas by dimension and task on stdout, everything else on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flows.terminal import emit, err
from flows.training import described, progress_bar
from lake.errors import InputError

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data import Selection
    from ml.sisso.run import Result
    from ml.sisso.settings import SissoSettings
    from ml.sisso.sources import Columns

SHOWN = ("dimension", "task", "rmse", "mae", "max_error", "cv_rmse", "accuracy", "n_overlap", "unit", "text")
FULL = ("run_id", *SHOWN, "terms", "term_units", "coefficients_json", "latex", "sql", "n_rows", "n_candidates",
        "n_screened", "model_id", "seconds")
REGRESSION, CLASSES = ("rmse", "mae", "max_error", "cv_rmse"), ("accuracy", "n_overlap")


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        target: column that formulas are to say.
        table: a file; None = rows of the lake.
        units: of its columns, by name.
        selection: rows of the lake; None = a table.
        columns: which features, tasks, classes.
        settings: what is searched.
        name: what the search is called; None = by rows and target.
        dimension: of the formula that becomes a model; None = the best.
        again: search also what was searched before.
    """

    target: str
    table: Path | None
    units: dict[str, str]
    selection: Selection | None
    columns: Columns
    settings: SissoSettings
    name: str | None
    dimension: int | None
    again: bool


def run(lake: Lake, asked: Asked, format_: str, output: Path | None) -> None:
    """Search under a progress bar, and show what was found."""
    from ml.data import dataset
    from ml.data.table import read_table
    from ml.sisso.run import search_rows, search_table

    if asked.table is not None:
        table = read_table(asked.table, asked.units)
        _say(f"{table.name}: {table.columns.num_rows:,} rows, {len(table.numeric)} columns of numbers.",
             asked.settings.plan())
        with progress_bar(table.units.get(asked.target, "")) as progress:
            result = search_table(lake, table, asked.target, asked.columns, asked.settings,
                                  name=asked.name or _slug(table.name, asked.target), again=asked.again,
                                  progress=progress)
    else:
        if asked.selection is None:
            raise InputError("Rows of the lake or a table are needed.")
        rows = dataset(lake, asked.selection)
        _say(*described(rows), asked.settings.plan())
        words = [asked.selection.subset] if asked.selection.subset else asked.selection.sources
        with progress_bar(rows.target.unit) as progress:
            result = search_rows(lake, rows, asked.columns, asked.settings,
                                 name=asked.name or _slug(*words, rows.target.label), dimension=asked.dimension,
                                 again=asked.again, progress=progress)
    if not result.was_there:
        lake.refresh()
    _say(*result.notes)
    emit(shown(result, wide=format_ != "table" or output is not None), format_, output)
    _say(*next_steps(result))


def shown(result: Result, wide: bool) -> pa.Table:
    """Formulas by dimension and task; wide: with LaTeX, SQL and all else."""
    kind = result.rows[0]["kind"]
    names = [name for name in (FULL if wide else SHOWN)
             if name not in (CLASSES if kind == "regression" else REGRESSION)]
    one_task = {row["task"] for row in result.rows} == {"*"}
    no_folds = all(row.get("cv_rmse") is None for row in result.rows)
    if not wide:
        names = [name for name in names if not (name == "task" and one_task) and not (name == "cv_rmse" and no_folds)]
    return pa.table({name: [row.get(name) for row in result.rows] for name in names})


def next_steps(result: Result) -> Iterator[str]:
    """Where formulas are, and what to do with them."""
    first = result.rows[0]
    if result.was_there:
        yield (f"{result.run_id} was found in the same data with the same settings on {first['created_at']:%Y-%m-%d}: "
               "nothing was done. --again searches once more.")
    else:
        yield (f"{result.run_id}: {first['n_primary']} primary features, {first['n_candidates']:,} candidates, "
               f"{first['seconds']:,.0f} s.")
    if any(row["model_id"] for row in result.rows):
        model = next(row for row in result.rows if row["model_id"])
        yield (f"The formula of dimension {model['dimension']} is the model {model['model_id']}: matlake predict "
               f"{model['model_id']} --on STRUCTURE_FILE")
    yield (f"As SQL and LaTeX: matlake sql formulas --param run={result.run_id} --format json")


def _slug(*words: str) -> str:
    import re

    return re.sub(r"[^a-z0-9_]+", "-", "-".join([*words, "sisso"]).lower()).strip("-_")[:64]


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
