"""One task per worker thread, each given to a worker by name, so that a lost worker can be put down to its task.

Dask can hand tasks out by itself, but then blames all tasks that wait on a worker that dies, and how often it tries
is the scheduler's setting. Here every thread of every worker has at most one task, none waits in a queue elsewhere,
and the same rules hold for local processes and for a scheduler that somebody else runs.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from lake.errors import LostWorkersError, WorkerError
from lake.settings import Settings
from lake.tasks.task import Outcome, Task, perform

TICK_SECONDS = 0.5
"""How often the list of workers is asked for, and the longest wait for a task in between."""
ANSWER_SECONDS = 15
"""Longest wait for the scheduler's answer."""
GONE_SECONDS = 20
"""No worker for so long after a task took one down: none will come back."""


@dataclass
class Running:
    """A task under way, on which worker, and how many workers it has taken down before."""

    task: Task
    worker: str
    future: Any
    lost: int


class Dispatcher:
    """Tasks on the workers of a scheduler."""

    def __init__(self, client: Any, settings: Settings, where: str, expected: int = 1) -> None:
        self._client = client
        self._settings = settings
        self._expected = expected
        self._run = uuid4().hex[:8]
        self._numbers = count()
        self.where = where

    @property
    def slots(self) -> int:
        """Threads of all workers that are there."""
        return sum(self._threads().values())

    def run(self, tasks: Iterable[Task], progress: Any = None) -> Iterator[tuple[Task, Any]]:
        """Do tasks; yields each with its result, in the order in which they end."""
        waiting = iter(tasks)
        again: deque[tuple[Task, int]] = deque()
        running: dict[str, Running] = {}
        ended: queue.Queue[str] = queue.Queue()
        threads = self._first_workers()
        heard = seen = looked = time.monotonic()
        done = 0
        try:
            while True:
                self._hand_out(waiting, again, running, threads, ended)
                if not running and not again:
                    return
                key = self._next(ended)
                if key in running:
                    one = running.pop(key)
                    outcome = self._result(one)
                    if outcome is None:
                        again.append(self._blame(one))
                    else:
                        done += 1
                        if progress:
                            progress(done)
                        yield one.task, outcome.result
                        # What the caller did meanwhile is no wait.
                        heard = time.monotonic()
                if time.monotonic() - looked < TICK_SECONDS:
                    continue
                threads = self._threads()
                looked = time.monotonic()
                for key in [k for k, one in running.items() if one.worker not in threads]:
                    again.append(self._blame(running.pop(key)))
                seen = looked if threads else max(seen, heard)
                self._check_workers(again, looked - seen)
                self._check_time(running, again, looked - heard)
        finally:
            with suppress(Exception):
                self._client.cancel([one.future for one in running.values()], force=True)

    def _first_workers(self) -> dict[str, int]:
        """The workers that are there, once there is one (local ones: all of them, or those that came in time)."""
        limit = self._settings.task_timeout_seconds
        with suppress(TimeoutError):
            self._client.wait_for_workers(self._expected, timeout=limit)
        threads = self._threads()
        if not threads:
            raise WorkerError(
                f"No worker has come to the scheduler at {self.where} within {limit:.0f} s. Start some (dask worker "
                f"ADDRESS), or wait longer: MATLAKE_TASK_TIMEOUT_SECONDS."
            )
        return threads

    def _threads(self) -> dict[str, int]:
        """Threads by worker.

        Raises:
            WorkerError: the scheduler does not answer.
        """
        try:
            found: dict[str, int] = self._client.sync(
                self._client.scheduler.ncores, workers=None, callback_timeout=ANSWER_SECONDS
            )
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            raise self._no_answer(error) from error
        return found

    def _no_answer(self, error: BaseException | str) -> WorkerError:
        return WorkerError(f"The scheduler ({self.where}) does not answer any more: {error or 'connection lost'}.")

    def _hand_out(
        self, waiting: Iterator[Task], again: deque[tuple[Task, int]], running: dict[str, Running],
        threads: dict[str, int], ended: queue.Queue[str],
    ) -> None:
        """Give every idle thread a task, those that were lost first."""
        busy: dict[str, int] = {}
        for one in running.values():
            busy[one.worker] = busy.get(one.worker, 0) + 1
        for worker, n_threads in threads.items():
            for _ in range(n_threads - busy.get(worker, 0)):
                if again:
                    task, lost = again.popleft()
                else:
                    upcoming = next(waiting, None)
                    if upcoming is None:
                        return
                    task, lost = upcoming, 0
                key = f"{task.name}-{self._run}-{next(self._numbers)}"
                future = self._client.submit(
                    perform, task, key=key, workers=[worker], allow_other_workers=False, pure=False,
                )
                running[key] = Running(task, worker, future, lost)
                future.add_done_callback(lambda ended_future: ended.put(ended_future.key))

    @staticmethod
    def _next(ended: queue.Queue[str]) -> str | None:
        try:
            return ended.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return None

    def _result(self, one: Running) -> Outcome | None:
        """The outcome of a task that ended; None where its worker was lost."""
        from distributed import CancelledError, KilledWorker

        if one.future.status == "cancelled":
            if self._client.status != "running":
                raise self._no_answer(f"{one.task.name!r} was under way")
            return None
        try:
            outcome = one.future.result(timeout=ANSWER_SECONDS)
        except (KilledWorker, CancelledError):
            return None
        except TimeoutError:
            # The worker was lost between the end of the task and the fetching of its result.
            return None
        except Exception as error:
            raise WorkerError(
                f"The task {one.task.name!r} could not be done on {one.worker}: {type(error).__name__}: {error}. "
                "Workers need the same matlake and the same Python packages as this machine."
            ) from error
        assert isinstance(outcome, Outcome)
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def _blame(self, one: Running) -> tuple[Task, int]:
        """The task to be done again.

        Raises:
            LostWorkersError: it has taken too many workers down.
        """
        with suppress(Exception):
            self._client.cancel([one.future], force=True)
        lost = one.lost + 1
        if lost >= self._settings.task_attempts:
            raise LostWorkersError(
                f"The task {one.task.name!r} took {lost} workers down with it, the last one {one.worker}. Most often "
                f"that is memory: give workers more (MATLAKE_DASK_WORKER_MEMORY_GB, now "
                f"{self._settings.dask_worker_memory_gb:g}, for local ones). What is done stays done: the same "
                "command goes on from there.", one.task.name
            )
        return one.task, lost

    def _check_workers(self, again: deque[tuple[Task, int]], seconds: float) -> None:
        """Give up where no worker is left."""
        names = ", ".join(repr(task.name) for task, _ in list(again)[:3])
        if again and seconds > GONE_SECONDS:
            raise WorkerError(
                f"No worker is left at {self.where}; the last ones were lost during the task {names}. If the task took "
                "them down, give workers more memory; then start them and run the same command again."
            )
        if seconds > self._settings.task_timeout_seconds:
            raise WorkerError(
                f"No worker has been at {self.where} for {seconds:.0f} s: start some (dask worker ADDRESS)."
            )

    def _check_time(self, running: dict[str, Running], again: deque[tuple[Task, int]], seconds: float) -> None:
        """Give up where nothing has ended for too long."""
        if seconds > self._settings.task_timeout_seconds and (running or again):
            at = [f"{one.task.name!r} on {one.worker}" for one in running.values()]
            at += [f"{task.name!r}, which lost its worker, waiting for another" for task, _ in again]
            raise WorkerError(
                f"No task has ended for {seconds:.0f} s. Under way: {'; '.join(at[:5])}. If that is no fault, allow "
                "more time: MATLAKE_TASK_TIMEOUT_SECONDS."
            )
