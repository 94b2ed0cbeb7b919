"""Batches of pages through the normaliser: in this process if there is little, else in worker processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

from lake.ingest.normalise import Outcome, PageBody, normalise_pages
from lake.settings import Settings
from lake.store.root import Root

RESULT_SECONDS = 1_800
"""No batch takes this long; a worker that does is stuck."""

Batch = list[PageBody]


def batches(pages: Iterable[PageBody], sizes: Mapping[str, int], settings: Settings) -> Iterator[Batch]:
    """Group pages until a batch holds enough records or bytes.

    Args:
        pages: the pages as they come.
        sizes: records by fetch_id, filled in by whoever yields the pages before it does.
        settings: holds the two limits.
    """
    batch: Batch = []
    records = size = 0
    for page in pages:
        batch.append(page)
        records += sizes.get(page.fetch_id, 0)
        size += len(page.body)
        if records >= settings.batch_records or size >= settings.batch_megabytes * 2**20:
            yield batch
            batch, records, size = [], 0, 0
    if batch:
        yield batch


def normalised(
    source: str, root: Root, options: Mapping[str, str], work: Iterator[Batch]
) -> Iterator[tuple[Batch, Outcome]]:
    """Every batch with its outcome, in order; at most one batch per worker is under way, plus one.

    A single batch is normalised here, since starting a process takes longer.
    """
    run = partial(normalise_pages, source, root, options)
    first, second = next(work, None), next(work, None)
    if first is None:
        return
    workers = root.settings.workers or _cores()
    if second is None or workers == 1:
        for batch in chain([first], [second] if second else [], work):
            yield batch, run(batch)
        return
    # loky, unlike concurrent.futures, does not import the caller's script again in every worker.
    from loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=workers, timeout=10)
    waiting = deque((batch, executor.submit(run, batch)) for batch in (first, second))
    while waiting:
        while len(waiting) <= workers and (upcoming := next(work, None)) is not None:
            waiting.append((upcoming, executor.submit(run, upcoming)))
        batch, future = waiting.popleft()
        yield batch, future.result(timeout=RESULT_SECONDS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
