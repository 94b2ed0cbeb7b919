"""A whole search: from rows of the lake to its candidates, what they were worth, and an ensemble of the best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import InputError, TrainingError
from lake.tasks.pool import open_workers
from lake.tasks.task import HERE
from ml import scratch
from ml.registry.rows import check_name
from ml.search import rows
from ml.search.brackets import Bracket, Rung
from ml.search.candidate import COMPLETED, FAILED, Candidate
from ml.search.compete import Arena
from ml.search.diary import Diary, Entry
from ml.search.known import known_candidates
from ml.search.outcome import outcome
from ml.search.request import SearchRequest
from ml.search.sampling import proposed
from ml.search.speed import prediction_ms
from ml.search.work import Order, hold, let_go

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from lake.tasks.pool import Workers
    from ml.data.dataset import Dataset

LONGEST_SECONDS = 30 * 86_400.0
"""Training takes as long as it takes; a worker that is lost is noticed by other means."""


@dataclass(frozen=True)
class State:
    """How far a search is.

    Attributes:
        doing: what.
        n_begun: candidates that began.
        n_ended: candidates that came to their end.
        n_candidates: of all.
        steps: gradient steps done.
        planned_steps: in all.
        best_rmse: least validation error so far, in the unit of the target; None = there is none.
        note: a line to be shown once.
    """

    doing: str
    n_begun: int = 0
    n_ended: int = 0
    n_candidates: int = 0
    steps: int = 0
    planned_steps: int = 0
    best_rmse: float | None = None
    note: str | None = None


Progress = Callable[[State], None]


@dataclass(frozen=True)
class Searched:
    """What came of a search.

    Attributes:
        row: of `searches`.
        candidates: as they ended; empty where an earlier search is given back.
        request: how it was made, completed for the rows.
        was_there: whether an earlier search of the same data and settings is given back.
        notes: what a person should know.
    """

    row: dict[str, Any]
    candidates: tuple[Candidate, ...]
    request: SearchRequest
    was_there: bool
    notes: tuple[str, ...]


def search(
    lake: Lake, data: Dataset, request: SearchRequest, *, name: str, where: str | None = None, again: bool = False,
    progress: Progress | None = None,
) -> Searched:
    """Find the best architecture and training for some rows.

    Candidates are sampled bracket by bracket, trained together where their shapes are equal, and most are ended early
    (:mod:`ml.search.brackets`). What is found follows from data, request and seed alone. The same call after an
    interruption goes on where it was; candidates that an earlier search trained on the same data are taken over.

    Args:
        lake: where rows are read and the search is saved.
        data: what candidates learn from; validation rows decide.
        request: what is searched, and how.
        name: what the search is called; another of that name gets the next number.
        where: here, processes, scheduler or a scheduler's address; default: what the settings say.
        again: search also what was searched before; what was trained is not taken over.
        progress: told how far it is.

    Raises:
        InputError: rows cannot be learned from, or another process makes the same search.
        TrainingError: every candidate failed; the message says why.
        WorkerError: work could not be done; what is done is kept for the next call.
        TableError: the lake could not be written to.
    """
    check_name(name)
    data.check()
    request = request.completed(data)
    if not again and (row := rows.earlier(lake, name, data.sha256, request)) is not None:
        return Searched(row, (), request, True, data.warnings)
    folder = scratch.scratch_folder(lake, "search", name, data.sha256, request.json(), str(again))
    with scratch.alone_in(folder):
        run = _Run(lake, data, request, folder, where, progress or (lambda _: None), again)
        try:
            run.compete()
            run.time_predictions()
        finally:
            let_go()
        found = outcome(run.candidates, request.ladder.steps, request.price_per_hour)
        row = rows.write(
            lake, rows.search_row(data, request, name, found, run.candidates, run.seconds),
            rows.trial_rows(run.candidates, request), rows.curve_rows(run.candidates))
        scratch.remove(folder)
    return Searched(row, tuple(run.candidates), request, False, (*data.warnings, *run.notes))


class _Run:
    """One call of :func:`search`."""

    def __init__(self, lake: Lake, data: Dataset, request: SearchRequest, folder: Path, where: str | None,
                 progress: Progress, again: bool) -> None:
        self.lake, self.data, self.progress, self.where = lake, data, progress, where
        self.diary, self.request = Diary(folder), request
        self.settings = lake.settings.model_copy(update={"task_timeout_seconds": LONGEST_SECONDS})
        self.known = {} if again else known_candidates(lake, request.base.kind, data.sha256)
        self.entries: list[Entry] = []
        self.notes: list[str] = []
        self.began = time.monotonic()

    @property
    def candidates(self) -> list[Candidate]:
        """All that began, by number."""
        return [one for entry in self.entries for one in entry.candidates]

    @property
    def seconds(self) -> float:
        """Wall time, that before an interruption included."""
        return max(time.monotonic() - self.began, sum(entry.seconds for entry in self.entries))

    def compete(self) -> None:
        """Take all brackets to their ends."""
        self._prepare_graphs()
        with open_workers(self.settings, self._place()) as workers:
            request = self._for(workers)
            order = Order(self.lake.root.uri, self.settings, self.data.selection, self.data.sha256, request.seed)
            hold(order, self.lake, self.data)
            arena = Arena(request, order, self.diary, workers, self.known, self._told)
            for bracket, entry in self._brackets():
                arena.compete(bracket, entry)
                self._check(entry)

    def _brackets(self) -> Iterator[tuple[Bracket, Entry]]:
        for bracket in self.request.brackets():
            entry = self.diary.read(bracket.number) or self._entry(bracket)
            if not entry.candidates:
                return
            self.entries.append(entry)
            yield bracket, entry

    def _entry(self, bracket: Bracket) -> Entry:
        before = self.candidates
        found = proposed(self.request, bracket.number, bracket.n, before)
        return Entry(bracket.number, [
            Candidate(len(before) + place, bracket.number, parameters, attributes)
            for place, (parameters, attributes) in enumerate(found)])

    def _place(self) -> str | None:
        """Where tasks are done: processes would only crowd one another on a GPU, which stacks fill."""
        from ml.training.device import device_of

        on_gpu = device_of(str(self.request.base.training.get("device", "auto"))).type == "cuda"
        return HERE if self.where is None and on_gpu and not self.settings.dask_scheduler else self.where

    def _for(self, workers: Workers) -> SearchRequest:
        """The request with threads that do not crowd each other out where several processes train."""
        base = self.request.base
        if workers.slots > 1 and "threads" not in base.training:
            base = base.setting("training.threads", 1)
        return replace(self.request, base=base)

    def _prepare_graphs(self) -> None:
        """Build the graphs once, with all cores, before processes that share them begin."""
        from ml.graphs.store import graph_store
        from ml.learn_graphs import Prepared

        if any(one.path.startswith("graph.") for one in self.request.space.parameters):
            return
        self.progress(State("building graphs", n_candidates=self.request.n_candidates))
        ready = Prepared.of(self.data, self.request.base)
        # Crystals that cannot become graphs are left out by whoever trains.
        with suppress(InputError):
            graph_store(self.lake, ready.rows, ready.graph)

    def _check(self, entry: Entry) -> None:
        """Give up where nothing can be trained at all.

        Raises:
            TrainingError: all candidates of the first bracket failed.
        """
        failed = [one for one in entry.candidates if one.state == FAILED]
        if entry.number == 0 and len(failed) == len(entry.candidates):
            self.diary.forget(entry)
            reasons = list(dict.fromkeys(one.reason or "" for one in failed))
            more = f" ({len(reasons)} different reasons; this is the first.)" if len(reasons) > 1 else ""
            raise TrainingError(f"All {len(failed)} candidates of the first bracket failed: {reasons[0]}{more}")

    def time_predictions(self) -> None:
        """Time the predictions of those that were trained to the end, one after the other, once for every shape."""
        times: dict[str, float] = {}
        for one in self.candidates:
            if one.state != COMPLETED:
                continue
            self.progress(State("timing predictions", n_candidates=self.request.n_candidates))
            shape = one.shape(self.request.base)
            if shape not in times:
                times[shape] = prediction_ms(self.lake, self.data, one.spec(self.request.base))
            one.prediction_ms = times[shape]

    def _told(self, entry: Entry, rung: Rung, note: str | None) -> None:
        if note is not None and note not in self.notes:
            self.notes.append(note)
        candidates = self.candidates
        best = min((one.rmse for one in candidates if one.curve), default=None)
        self.progress(State(
            f"bracket {entry.number + 1} of {len(self.request.brackets())}, to step {rung.step:,}", len(candidates),
            sum(one.state is not None for one in candidates), self.request.n_candidates,
            sum(one.steps for one in candidates), self.request.planned_steps, best, note))
