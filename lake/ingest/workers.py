"""Pages through the normaliser: in this process if there is little to do, else in worker processes."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.abc import MetaPathFinder
from itertools import chain, islice

from lake.ingest.documents import PageBody
from lake.ingest.normalise import normalise_pages
from lake.ingest.outcome import Outcome
from lake.store.root import Root

RESULT_SECONDS = 1_800
"""No task takes this long; a worker that does is stuck."""
TASK_RECORDS = 1_000
FEW_TASKS = 2
"""So many tasks are done here: starting processes takes longer."""

Task = list[PageBody]


def tasks(pages: Iterable[PageBody], sizes: Mapping[str, int]) -> Iterator[Task]:
    """Group pages until a task holds enough records.

    Args:
        pages: the pages as they come.
        sizes: records by fetch_id, filled in by whoever yields the pages before it does.
    """
    task: Task = []
    records = 0
    for page in pages:
        task.append(page)
        records += sizes.get(page.fetch_id, 0)
        if records >= TASK_RECORDS:
            yield task
            task, records = [], 0
    if task:
        yield task


def normalised(
    source: str, root: Root, options: Mapping[str, str], work: Iterator[Task]
) -> Iterator[tuple[Task, Outcome]]:
    """Every task with its outcome, in order; at most one task per worker is under way, plus one."""
    run = partial(normalise_pages, source, root, options)
    first = list(islice(work, FEW_TASKS + 1))
    workers = root.settings.workers or _cores()
    if len(first) <= FEW_TASKS or workers == 1:
        for task in chain(first, work):
            yield task, run(task)
        return
    # loky, unlike concurrent.futures, does not import the caller's script again in every worker.
    from loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=workers, timeout=10, initializer=_hide_pandas)
    waiting = deque((task, executor.submit(run, task)) for task in first)
    while waiting:
        while len(waiting) <= workers and (upcoming := next(work, None)) is not None:
            waiting.append((upcoming, executor.submit(run, upcoming)))
        task, future = waiting.popleft()
        yield task, future.result(timeout=RESULT_SECONDS)


class _NoPandas(MetaPathFinder):
    """Says that pandas is not there."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError("workers of matlake have no use for pandas", name=fullname)


def _hide_pandas() -> None:
    """Keep pyarrow from importing pandas into a worker that has no use for it: it takes a second each."""
    sys.meta_path.insert(0, _NoPandas())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
