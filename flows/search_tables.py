"""What `matlake search` shows: candidates on stdout, progress and everything else on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flows.searching import search_and_finish, summary
from flows.terminal import emit, err
from flows.training import described, now_and_then
from ml.data import dataset
from ml.search.space import PAPER

if TYPE_CHECKING:
    from flows.search_request import Asked
    from lake.store.lake import Lake
    from ml.progress import State as TrainingState
    from ml.search.request import SearchRequest
    from ml.search.run import State

SHOWN_ON_TERMINAL = 15
SHORT_STEPS = 100_000
SHOWN = ("trial", "state", "validation_rmse", "validation_mae", "training_steps", "message_passing_steps", "channels",
         "n_parameters", "prediction_ms", "parameters_json", "reason")


def run(lake: Lake, asked: Asked, where: str | None, again: bool, format_: str, output: Path | None) -> None:
    """Search under a progress bar, and show the candidates, the best first."""
    data = dataset(lake, asked.selection)
    _say(*described(data), *planned(asked.request.completed(data)))
    with search_bar(data.target.unit) as (searched, trained):
        finished = search_and_finish(lake, data, asked, where=where, again=again, progress=searched,
                                     train_progress=trained, said=_say)
    lake.refresh()
    _say(*finished.searched.notes)
    on_terminal = format_ == "table" and output is None
    emit(candidates(lake, finished.row["search_id"], SHOWN_ON_TERMINAL if on_terminal else None), format_, output)
    if on_terminal and finished.row["n_candidates"] > SHOWN_ON_TERMINAL:
        _say(f"These are the best {SHOWN_ON_TERMINAL}; --format csv writes all, matlake sql search_candidates --param "
             f"search={finished.row['search_id']} too.")
    _say(*summary(finished))


def planned(request: SearchRequest) -> Iterator[str]:
    """What will be done at most, in words, before anything is."""
    space = request.space
    size = f"{space.size:,.0f} candidates" if space.size < float("inf") else "a continuum"
    yield (f"The space {space.name} ({size}): {', '.join(one.path.partition('.')[2] for one in space.parameters)}.")
    share = request.planned_steps / request.full_steps
    yield (f"{request.n_candidates:,} candidates of up to {request.ladder.steps:,} steps, {len(request.brackets())} "
           f"brackets, {request.planned_steps:,} steps at most: {share:.0%} of training all of them to the end.")
    if space.name == PAPER and request.ladder.steps < SHORT_STEPS:
        yield (f"The paper's learning rates are made for millions of steps. For {request.ladder.steps:,}, --space "
               "short finds better ones.")


def candidates(lake: Lake, search_id: str, most: int | None = None) -> pa.Table:
    """Candidates by validation error, those that have none last."""
    rows = lake.read("trials", where=f"search_id = '{search_id}'")
    return rows.sort_by([("validation_rmse", "ascending"), ("trial", "ascending")]).select(SHOWN).slice(0, most)


@contextmanager
def search_bar(unit: str) -> Iterator[tuple[Callable[[State], None], Callable[[TrainingState], None]]]:
    """Progress functions of search and ensemble: one bar on a terminal, a line now and then elsewhere."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[more]}"),
               TimeElapsedColumn())
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task, line, said = bar.add_task("reading", total=None, more=""), now_and_then(), set[str]()

        def show(doing: str, done: int, total: int | None, more: str, note: str | None) -> None:
            if note and note not in said:
                said.add(note)
                _say(note)
            bar.update(task, description=doing, completed=done, total=total, more=more)
            if not err.is_terminal and line():
                of = f" of {total:,}" if total else ""
                _say(f"{doing}: {done:,}{of} steps{', ' if more else ''}{more}")

        def searched(state: State) -> None:
            best = "" if state.best_rmse is None else f", best RMSE {state.best_rmse:.4g} {unit}"
            show(state.doing, state.steps, state.planned_steps or None,
                 f"{state.n_ended:,} of {state.n_candidates:,} candidates ended{best}", state.note)

        def trained(state: TrainingState) -> None:
            error = "" if state.validation_mae is None else f"validation MAE {state.validation_mae:.4g} {unit}"
            show(f"ensemble: {state.doing}", state.done, state.total, error, state.note)

        yield searched, trained


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
