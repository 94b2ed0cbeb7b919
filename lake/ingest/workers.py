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
from lake.settings import Settings
from lake.store.root import Root

RESULT_SECONDS = 1_800
"""No task takes this long; a worker that does is stuck."""
TASK_RECORDS = 1_000
TASK_BYTES = 16 * 2**20
"""What is under way is held in memory: few records with a density of states fill a task, or many without."""
FEW_TASKS = 2
"""So many tasks are done here: starting processes takes longer."""

Task = list[PageBody]


def tasks(pages: Iterable[PageBody], sizes: Mapping[str, int], settings: Settings) -> Iterator[Task]:
    """Group pages until a task holds enough records or bytes; never more than are committed together.

    Args:
        pages: the pages as they come.
        sizes: records by fetch_id, filled in by whoever yields the pages before it does.
        settings: holds how much is committed together.
    """
    most_records = min(TASK_RECORDS, settings.batch_records)
    most_bytes = min(TASK_BYTES, settings.batch_megabytes * 2**20)
    task: Task = []
    records = size = 0
    for page in pages:
        task.append(page)
        records += sizes.get(page.fetch_id, 0)
        size += len(page.body)
        if records >= most_records or size >= most_bytes:
            yield task
            task, records, size = [], 0, 0
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
