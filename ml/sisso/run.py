"""A whole search: from a table or rows of the lake to formulas that are saved."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml import scratch
from ml.progress import State
from ml.registry.rows import check_name
from ml.sisso.crystals import sql_of
from ml.sisso.problem import Problem
from ml.sisso.rows import Run, earlier, formula_rows, write
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import Found, Progress, errors_of, sisso
from ml.sisso.sources import Columns, problem_of_rows, problem_of_table
from ml.sisso.validate import out_of_fold

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml import progress as told
    from ml.data.dataset import Dataset
    from ml.data.table import TableData
    from ml.registry.model import Model

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What came of a search.

    Attributes:
        run_id: ``<name>.<number>``.
        rows: of `formulas`, by dimension and task.
        model: the formula that was saved as a model; None = none was.
        was_there: whether an earlier search of the same data and settings is given back.
        notes: what a person should know.
    """

    run_id: str
    rows: list[dict[str, Any]]
    model: Model | None
    was_there: bool
    notes: tuple[str, ...]


def search_table(
    lake: Lake, table: TableData, target: str, columns: Columns, settings: SissoSettings, *, name: str,
    again: bool = False, progress: told.Progress | None = None,
) -> Result:
    """Find formulas in a table; they are saved in `formulas`.

    A formula over columns of a table is no model of crystals: it is saved as text, SQL and JSON, not in `models`.

    Args:
        lake: where formulas are saved.
        table: what was read.
        target: column that formulas are to say.
        columns: which others they may use.
        settings: what is searched.
        name: what the search is called.
        again: search also what was searched before.
        progress: called now and then.

    Raises:
        InputError: the table cannot be used, or the search is too large; another process does the same.
        TableError: the lake could not be written to.
    """
    check_name(name)
    problem, notes = problem_of_table(table, target, columns)
    run = Run(name, f"table {table.name} ({table.sha256[:12]})", problem.sha256, {}, settings, columns, None, {})
    if not again and (rows := earlier(lake, run)):
        return Result(rows[0]["run_id"], rows, None, True, notes)
    return _search(lake, run, problem, notes, None, progress)


def search_rows(
    lake: Lake, dataset: Dataset, columns: Columns, settings: SissoSettings, *, name: str,
    dimension: int | None = None, again: bool = False, progress: told.Progress | None = None,
) -> Result:
    """Find formulas in the training rows of a dataset; all go to `formulas`, the best one to `models` as well.

    The best one is that with the least error under cross-validation, else on the validation rows. Classes are not
    saved as a model: models say numbers.

    Args:
        lake: where formulas and the model are saved.
        dataset: rows of the lake.
        columns: which features of the crystals, which task.
        settings: what is searched.
        name: what search and model are called.
        dimension: of the formula that becomes the model; None = the best.
        again: search also what was searched before.
        progress: called now and then.

    Raises:
        InputError: the rows cannot be used, or the search is too large; another process does the same.
        TableError: the lake could not be written to.
    """
    check_name(name)
    dataset.check()
    if dimension is not None and not 1 <= dimension <= settings.dimensions:
        raise InputError(f"Dimension {dimension} is to become the model, and 1 to {settings.dimensions} are searched "
                         "(--dimensions).")
    problem, notes = problem_of_rows(dataset, dataset.places("train"), columns)
    sql = sql_of([one.name for one in problem.primaries])
    run = Run(name, str(dataset.selection), dataset.sha256, dataset.table_versions, settings, columns, dimension, sql)
    if not again and (rows := earlier(lake, run)):
        return Result(rows[0]["run_id"], rows, None, True, notes)
    return _search(lake, run, problem, (*dataset.warnings, *notes), dataset, progress)


def _search(
    lake: Lake, run: Run, problem: Problem, notes: tuple[str, ...], dataset: Dataset | None,
    progress: told.Progress | None,
) -> Result:
    settings = run.settings
    problem.check(settings.dimensions)
    settings.check(len(problem.task_names))
    if settings.n_folds and not problem.is_regression:
        raise InputError("Cross-validation belongs to a regression: leave --folds out to tell classes apart.")
    began = time.monotonic()
    place = scratch.scratch_folder(lake, "sisso", problem.sha256, _identity(settings))
    with scratch.alone_in(place):
        spent = _spent(place)
        show = _shown(progress)
        found = sisso(problem, settings, place, show)
        held = out_of_fold(problem, settings, place, show) if settings.n_folds else None
        if not found:
            raise InputError("No formula was found: fewer features are of use than the descriptor has terms.")
        seconds = spent + time.monotonic() - began
        model, more = (None, ()) if dataset is None or not problem.is_regression else _model(
            lake, run, problem, found, held, dataset, seconds)
        ids = {} if model is None else {int(model.spec.model["dimension"]): model.model_id}
        rows = formula_rows(run, problem, found, held, ids, seconds)
        run_id = write(lake, run.name, rows)
        scratch.remove(place)
    return Result(run_id, [row | {"run_id": run_id} for row in rows], model, False, (*notes, *more))


def _model(
    lake: Lake, run: Run, problem: Problem, found: tuple[Found, ...], held: Floats | None, dataset: Dataset,
    seconds: float,
) -> tuple[Model, tuple[str, ...]]:
    """The best formula as a saved model, and what a person should know of it."""
    from ml.predict.learn_domain import with_domain
    from ml.registry.registry import load
    from ml.sisso.learn import learned, spec_of
    from ml.train import judged, kept, same_model

    answers = {}
    for number, one in enumerate(found, 1):
        spec = spec_of(run.settings, run.columns, number)
        answers[number] = (spec, learned(dataset, one.formula, spec, n_searched=one.n_searched, seconds=seconds,
                                         device=run.settings.device))
    if run.asked_dimension is not None:
        chosen = min(run.asked_dimension, len(found))
    elif held is not None and np.isfinite(held).all():
        chosen = 1 + int(np.argmin([errors_of(problem.values, one)[0] for one in held[:len(found)]]))
    else:
        # The splits are for choosing: the training rows alone would always choose the most terms.
        chosen = min(answers, key=lambda number: _validation_rmse(dataset, answers[number][1]))
    spec, answer = answers[chosen]
    road = "settings" if spec.inputs else ("own" if len(dataset.sources) == 1 else "combined")
    # A search that was killed between saving the model and its formulas finds the model again.
    if (row := same_model(lake, run.name, dataset, spec, road)) is not None:
        return load(lake, row["model_id"]), answer.notes
    answer = with_domain(answer, dataset, spec)
    return kept(lake, judged(dataset, spec, answer, road), answer, run.name).model, answer.notes


def _validation_rmse(dataset: Dataset, answer: Any) -> float:
    inside = np.isin(answer.places, dataset.places("validation"))
    if not inside.any():
        return float("inf")
    off = dataset.actual[answer.places[inside]] - answer.members[0, inside]
    return float(np.sqrt(np.mean(off**2)))


def _identity(settings: SissoSettings) -> str:
    return json.dumps(settings.plain(), sort_keys=True)


def _spent(place: Path) -> float:
    """Seconds that an interrupted search had spent by the last dimension that it kept."""
    kept = sorted(path.stat().st_mtime for path in place.rglob("dimension-*.json"))
    began = place / "began"
    if not began.exists():
        began.write_text(str(time.time()))
        return 0.0
    try:
        return max(kept[-1] - float(began.read_text()), 0.0) if kept else 0.0
    except ValueError:
        return 0.0


def _shown(progress: told.Progress | None) -> Progress | None:
    if progress is None:
        return None

    def show(what: str, done: int, total: int | None) -> None:
        progress(State(what, done, total))

    return show
