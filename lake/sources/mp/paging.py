"""Paging by offset until an empty page, several pages at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lake.sources.base import Page, Record, Request, Walker

PAGES_AT_ONCE = 4
MOST_REPEATS = 8
"""Pages in a row that bring nothing new before a server counts as ignoring the offset."""


@dataclass
class Reading:
    """One reading of a listing from its beginning to its end.

    Attributes:
        request: the request for a number of records from an offset on.
        id_of: the id of a record; None where it has none.
        complete: whether the end was reached and no page failed.
        total: the largest number of records that the server stated, for what that is worth.
    """

    request: Callable[[int, int], Request]
    id_of: Callable[[Record], str | None]
    complete: bool = False
    total: int | None = None


def read_pages(walker: Walker, reading: Reading, size: int) -> Iterator[Page]:
    """Pages of ``size`` records until one is empty; failed ones are recorded by the walker and left out.

    A server may give fewer records a page than it is asked for: the first page sets the step.
    """
    seen: set[str] = set()
    skip, step, window, repeats, failed = 0, size, 1, 0, False
    while True:
        requests = [reading.request(skip + number * step, size) for number in range(window)]
        pages = 0
        for page in walker.get_many(requests):
            pages += 1
            if not page.records:
                reading.complete = not failed and pages == requests.index(page.request) + 1
                return
            new = {reading.id_of(record) for record in page.records} - seen - {None}
            seen.update(name for name in new if name)
            repeats = 0 if new else repeats + 1
            reading.total = max(reading.total or 0, _total(page.document))
            if skip == 0 and window == 1:
                step = min(size, len(page.records))
            yield page
            if repeats >= MOST_REPEATS:
                walker.fail(page.request, f"{page.request.url}: {repeats} pages in a row held nothing new; "
                                          "the server does not page")
                return
        failed = failed or pages < len(requests)
        if pages == 0:
            return
        skip += window * step
        window = PAGES_AT_ONCE


def _total(document: object) -> int:
    meta = document.get("meta") if isinstance(document, dict) else None
    total = meta.get("total_doc") if isinstance(meta, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) else 0
