"""Places to do tasks, kept open over several rounds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

from lake.settings import Settings
from lake.tasks.task import HERE, PROCESSES, Task, perform, place

Progress = Callable[[int], None]


class Workers(Protocol):
    """Something that does tasks."""

    @property
    def slots(self) -> int:
        """How many tasks it does at once."""

    @property
    def where(self) -> str:
        """``here``, ``processes`` or a scheduler's address."""

    def run(self, tasks: Iterable[Task], progress: Progress | None = None) -> Iterator[tuple[Task, Any]]:
        """Do tasks; yields each with its result, in the order in which they end."""


class Here:
    """Tasks one after the other in this process."""

    slots = 1
    where = HERE

    def run(self, tasks: Iterable[Task], progress: Progress | None = None) -> Iterator[tuple[Task, Any]]:
        """Do tasks in their order."""
        for done, task in enumerate(tasks, start=1):
            outcome = perform(task)
            if outcome.error is not None:
                raise outcome.error
            if progress:
                progress(done)
            yield task, outcome.result


@contextmanager
def open_workers(settings: Settings, where: str | None = None) -> Iterator[Workers]:
    """Workers for as long as the context lasts; afterwards nothing that was started for them is left.

    Local processes are spawned: a script that opens them needs the guard ``if __name__ == "__main__":``.

    Args:
        settings: number and memory of local processes, address of a scheduler, longest waits.
        where: see :func:`lake.tasks.task.place`.

    Raises:
        SettingsError: ``where`` is no place.
        WorkerError: local processes do not start, or the scheduler does not answer.
    """
    chosen = place(settings, where)
    if chosen == HERE:
        yield Here()
        return
    from lake.tasks.cluster import connected, local_scheduler
    from lake.tasks.dispatch import Dispatcher

    if chosen == PROCESSES:
        with local_scheduler(settings) as (address, n_processes), connected(address, settings) as client:
            yield Dispatcher(client, settings, PROCESSES, n_processes)
    else:
        with connected(chosen, settings) as client:
            yield Dispatcher(client, settings, chosen)


def run_tasks(
    tasks: Iterable[Task], settings: Settings, *, where: str | None = None, progress: Progress | None = None
) -> Iterator[tuple[Task, Any]]:
    """Do tasks, wherever the settings say; yields each with its result, in the order in which they end.

    At most one task per worker thread is under way, and tasks are drawn from the iterable as they are needed, so
    that memory stays flat however many there are. A task whose worker is lost is done again on another one.

    Args:
        tasks: what to do; their functions must be importable by the workers.
        settings: see :class:`lake.settings.Settings`, fields ``dask_…`` and ``task_…``.
        where: ``here``, ``processes``, ``scheduler`` or an address; default: what the settings say.
        progress: called with the number of tasks that have ended.

    Raises:
        WorkerError: a task took several workers down with it, failed with an error that is not matlake's, or did
            not end in time; no worker came; the message names the tasks.
        MatlakeError: what a task raised, as it is.
    """
    with open_workers(settings, where) as workers, closing(workers.run(tasks, progress)) as done:  # type: ignore[type-var]
        yield from done
