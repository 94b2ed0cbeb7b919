"""The walk over the REST API: page by page, then a check by ids alone that nothing drifted away meanwhile.

The API pages by offset, and all but one of its routes in no stated order: a record that comes, goes or moves while
pages are read shifts others from one page to another. Its total is an estimate and never trusted to be the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lake.sources.base import Page, Request, Walker
from lake.sources.mp.bulk import walk_tables
from lake.sources.mp.paging import Reading, read_pages
from lake.sources.mp.query import LARGEST_PAGE, LONGEST_LIST, Query, read_query

MOST_LISTINGS = 5
_ID_FILTERS = ("material_ids", "task_ids")


def walk(walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
    """Everything that the options name, from the REST API or from S3.

    Raises:
        SettingsError: an option has a value that it cannot have.
        IncompleteError: a table on S3 cannot be read.
    """
    query = read_query(options, base_url)
    if query.via == "s3":
        yield from walk_tables(walker, query)
        return
    for part in _short_lists(query):
        yield from _walk_listing(walker, part)


def _short_lists(query: Query) -> Iterator[Query]:
    """The query once per :data:`LONGEST_LIST` ids that it names."""
    name = next((name for name in _ID_FILTERS if name in query.filters), None)
    if name is None:
        yield query
        return
    ids = query.filters[name].split(",")
    for start in range(0, len(ids), LONGEST_LIST):
        yield replace(query, filters={**query.filters, name: ",".join(ids[start : start + LONGEST_LIST])})


def _walk_listing(walker: Walker, query: Query) -> Iterator[Page]:
    size = min(query.page_size, walker.limit or query.page_size)
    known: set[str] = set()
    reading = Reading(query.page, query.id_of)
    for page in read_pages(walker, reading, size):
        known.update(filter(None, map(query.id_of, page.records)))
        yield page
        if walker.limit is not None and len(known) >= walker.limit:
            return
    if not reading.complete:
        return  # what failed is recorded; the next run has the rest from its receipts
    lost = {name: given for name, given in _listed(walker, query, known).items() if name not in known}
    yield from _fetch_lost(walker, query, lost)


def _listed(walker: Walker, query: Query, known: set[str]) -> dict[str, str]:
    """Every id that the server lists, by our form of it; read again until a reading brings nothing new."""
    found: dict[str, str] = {}
    for attempt in range(MOST_LISTINGS):
        before = len(found.keys() | known)
        # Another page size is another request: no receipt of an earlier reading answers it.
        reading = Reading(query.listing, query.id_of)
        for page in read_pages(walker, reading, LARGEST_PAGE - attempt):
            for record in page.records:
                name = query.id_of(record)
                if name:
                    found.setdefault(name, query.id_as_given(record))
        after = len(found.keys() | known)
        if not reading.complete or (after == before and after >= (reading.total or 0)):
            break
    return found


def _fetch_lost(walker: Walker, query: Query, lost: Mapping[str, str]) -> Iterator[Page]:
    """The records of the ids that no page held."""
    names = sorted(lost)
    asked: dict[str, tuple[Request, list[str]]] = {}
    for start in range(0, len(names), LONGEST_LIST):
        part = names[start : start + LONGEST_LIST]
        request = query.by_id([lost[name] for name in part])
        asked[request.cursor] = (request, part)
    missing = dict(asked)
    for page in walker.get_many([request for request, _ in asked.values()]):
        had = set(filter(None, map(query.id_of, page.records)))
        request, part = missing.pop(page.request.cursor)
        yield page
        absent = [name for name in part if name not in had]
        if absent:
            named = ", ".join(absent[:20]) + (f" and {len(absent) - 20} more" if len(absent) > 20 else "")
            walker.fail(request, f"{request.url} lists {named}, but does not give these records when asked for them")
