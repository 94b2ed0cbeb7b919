"""One bracket of a search: candidates are trained up to a step, most are ended, the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake.errors import LostWorkersError
from lake.tasks import Task
from ml.search.brackets import Bracket, Rung
from ml.search.candidate import COMPLETED, FAILED, PRUNED, Candidate
from ml.search.diary import Diary, Entry, Group
from ml.search.work import Order, Report, Stack, train_stack

if TYPE_CHECKING:
    from lake.tasks.pool import Workers
    from ml.search.known import Earlier
    from ml.search.request import SearchRequest

Told = Callable[[Entry, Rung, str | None], None]


@dataclass(frozen=True)
class Arena:
    """What candidates compete in.

    Attributes:
        request: of the search.
        order: what tasks need to know.
        diary: what is kept.
        workers: who trains.
        known: candidates that were trained before, by key.
        told: called when a stack has ended.
    """

    request: SearchRequest
    order: Order
    diary: Diary
    workers: Workers
    known: Mapping[str, Earlier]
    told: Told

    def compete(self, bracket: Bracket, entry: Entry) -> None:
        """Take a bracket to its end, from where it is.

        Raises:
            WorkerError: work could not be done at all; what is done is kept.
        """
        for place, rung in enumerate(bracket.rungs):
            self._reach(entry, rung)
            alive = sorted(entry.alive, key=lambda one: (one.rmse, one.number))
            last = place + 1 == len(bracket.rungs)
            n = len(alive) if last else bracket.rungs[place + 1].n
            for rank, one in enumerate(alive, start=1):
                if last:
                    end(one, COMPLETED)
                elif rank > n:
                    end(one, PRUNED, f"At step {rung.step:,} it was number {rank} of {len(alive)}, and {n} went on.")
            self.diary.write(entry)

    def _reach(self, entry: Entry, rung: Rung) -> None:
        """Train all that are under way up to a step."""
        for one in entry.alive:
            if _grouped(entry, one):
                continue
            earlier = self.known.get(one.key(self.request.base))
            if earlier is not None and earlier.reaches(rung.step):
                earlier.tell(one, rung.step)
            elif one.from_search is not None:
                fresh(one)
        self._group(entry)
        self.diary.write(entry)
        while behind := self._behind(entry, rung):
            self._train(entry, rung, behind)

    def _group(self, entry: Entry) -> None:
        """Put candidates that are in no stack yet into one with others of their shape."""
        base, shapes = self.request.base, dict[str, list[Candidate]]()
        for one in entry.alive:
            if one.from_search is None and not _grouped(entry, one):
                shapes.setdefault(one.shape(base), []).append(one)
        for members in shapes.values():
            size = self._stack_size(len(members))
            for start in range(0, len(members), size):
                part = members[start:start + size]
                entry.groups.append(Group(f"{entry.number}-{part[0].number}", [one.number for one in part]))
                for one in part:
                    one.n_stacked = len(part)

    def _stack_size(self, n: int) -> int:
        """On several processors, candidates of one shape keep all of them busy rather than one."""
        slots = max(1, self.workers.slots)
        return max(1, min(self.request.most_stacked, -(-n // slots)))

    def _behind(self, entry: Entry, rung: Rung) -> list[Group]:
        """Stacks with a candidate that is under way and not yet at a step."""
        by_number = {one.number: one for one in entry.candidates}
        return [group for group in entry.groups
                if any(by_number[n].state is None and by_number[n].steps < rung.step for n in group.numbers)]

    def _train(self, entry: Entry, rung: Rung, groups: Sequence[Group]) -> None:
        by_name = {f"{group.name}, to step {rung.step:,}": group for group in groups}
        tasks = (Task(name, train_stack, self._arguments(entry, group, rung)) for name, group in by_name.items())
        began = time.monotonic()
        try:
            with closing(self.workers.run(tasks)) as done:  # type: ignore[type-var]
                for task, report in done:
                    entry.seconds, began = entry.seconds + time.monotonic() - began, time.monotonic()
                    self._enter(entry, by_name[task.name], report, rung)
        except LostWorkersError as error:
            if error.task not in by_name:
                raise
            self._enter(entry, by_name[error.task], Report(failed=str(error)), rung)

    def _arguments(self, entry: Entry, group: Group, rung: Rung) -> dict[str, Any]:
        by_number = {one.number: one for one in entry.candidates}
        members = [by_number[n] for n in group.numbers]
        stack = Stack(group.name, tuple(one.spec(self.request.base) for one in members),
                      str(self.diary.stack_folder(group.name)))
        return {"order": self.order, "stack": stack, "until": rung.step,
                "keep": [place for place, one in enumerate(members) if one.state is None]}

    def _enter(self, entry: Entry, group: Group, report: Report, rung: Rung) -> None:
        """Write down what came of a stack."""
        by_number = {one.number: one for one in entry.candidates}
        alive = [by_number[n] for n in group.numbers if by_number[n].state is None]
        if report.failed is not None and len(alive) > 1:
            # Alone, those that are not to blame go on.
            entry.groups.remove(group)
            entry.groups += [Group(f"{group.name}-{one.number}", [one.number]) for one in alive]
            for one in alive:
                fresh(one)
        elif report.failed is not None:
            end(alive[0], FAILED, report.failed)
        else:
            for number, came in zip(group.numbers, report.members, strict=True):
                one = by_number[number]
                if one.state is not None:
                    continue
                one.curve, one.steps, one.seconds = list(came.curve), came.steps, came.seconds
                one.n_parameters, one.device = report.n_parameters, report.device
                if came.failed is not None:
                    end(one, FAILED, came.failed)
                elif not one.curve:
                    end(one, FAILED, f"There was no evaluation up to step {rung.step:,}.")
                elif came.steps < rung.step:
                    # Its patience was at its end: it is as far as it will come.
                    end(one, COMPLETED)
        self.diary.write(entry)
        for note in report.notes:
            self.told(entry, rung, note)
        self.told(entry, rung, None)


def _grouped(entry: Entry, one: Candidate) -> bool:
    return any(one.number in group.numbers for group in entry.groups)


def fresh(one: Candidate) -> None:
    """Let a candidate begin anew."""
    one.curve, one.steps, one.seconds, one.from_search = [], 0, 0.0, None


def end(one: Candidate, state: str, reason: str | None = None) -> None:
    """Let a candidate have come to its end."""
    one.state, one.reason, one.ended_at = state, reason, datetime.now(UTC).isoformat()
