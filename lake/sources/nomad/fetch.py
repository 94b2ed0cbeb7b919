"""The walk over NOMAD: pages in the order of the entry ids, then a second look at what did not come.

NOMAD's cursor (``page_after_value``) is stable, but entries that appear behind it while it moves are not seen,
and archives that the server cannot read are left out of a page without a word. So where fewer records came than
the server says there are, the ids alone are read again, and what is missing is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lake.errors import IncompleteError
from lake.sources.base import Page, Request, Walker
from lake.sources.nomad.declaration import DECLARATION
from lake.sources.nomad.query import LARGEST_PAGE, Query, read_options
from lake.sources.nomad.records import entry_id

MOST_NAMED = 20
"""Ids that a message names one by one."""


def walk(walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
    """Every page of a query, then the records that its pages left out.

    Raises:
        SettingsError: an option has a value that it cannot have.
        IncompleteError: a page could not be had.
    """
    yield from _Walk(walker, read_options(options, base_url, walker.limit)).pages()


class _Walk:
    """One walk: which ids came, and what the server says there is."""

    def __init__(self, walker: Walker, query: Query) -> None:
        self._walker = walker
        self._query = query
        self._whole_density = False
        self._seen: set[str] = set()
        self._nameless = 0
        """Records without a readable id: they came, and will be rejected."""
        self._total: int | None = None
        self._stuck = False

    def pages(self) -> Iterator[Page]:
        after: str | None = None
        while True:
            page = self._page(after)
            self._seen.update(_ids(page))
            self._nameless += len(page.records) - sum(1 for _ in _ids(page))
            yield page
            limit = self._walker.limit
            if limit is not None and len(self._seen) + self._nameless >= limit:
                return
            self._total = _total(page) if _total(page) is not None else self._total
            after = self._next(page, after)
            if after is None:
                break
        if self._stuck or len(self._seen) + self._nameless != (self._total or 0):
            yield from self._second_look()

    def _page(self, after: str | None) -> Page:
        if not self._query.archive:
            return self._walker.get(self._query.entries(after))
        request = self._query.archives(after, whole_density=self._whole_density)
        try:
            return self._walker.get(request)
        except IncompleteError as error:
            if self._whole_density or after is not None or " answered 422" not in str(error):
                raise
        self._walker.forget(request)
        self._whole_density = True
        return self._page(after)

    def _next(self, page: Page, after: str | None) -> str | None:
        """Where the next page begins; None at the end. A cursor that does not move ends the walk as well."""
        value = _pagination(page).get("next_page_after_value")
        if not isinstance(value, str) or not value:
            return None
        if after is not None and value <= after:
            self._stuck = True
            return None
        return value

    def _second_look(self) -> Iterator[Page]:
        """Read the ids again and ask for those that did not come; what then lacks is reported."""
        listed, request = self._listed()
        missing = sorted(listed - self._seen)
        size = min(self._query.page_size, 1_000)
        for start in range(0, len(missing), size):
            yield from self._fetch(missing[start : start + size])
        known = len(listed | self._seen) + self._nameless
        if self._total is not None and self._total > known:
            self._walker.fail(request, f"NOMAD states {self._total} entries and lists {known}: "
                                       f"{self._total - known} are missing")

    def _listed(self) -> tuple[set[str], Request]:
        """All ids of the query, by a walk of their own, and the request that ended it."""
        listed: set[str] = set()
        after: str | None = None
        while True:
            # Another page size than before, so that a fault of one page does not come back.
            request = self._query.entries(after, min(LARGEST_PAGE, 2 * self._query.page_size + 1), ids_only=True)
            page = self._walker.get(request)
            listed.update(_ids(page))
            self._total = _total(page) if _total(page) is not None else self._total
            value = _pagination(page).get("next_page_after_value")
            if not isinstance(value, str) or (after is not None and value <= after):
                return listed, request
            after = value

    def _fetch(self, ids: list[str]) -> Iterator[Page]:
        """Records that no page held, by name; for an archive that does not come, at least its entry."""
        request = self._query.some(ids, archive=self._query.archive, whole_density=self._whole_density)
        page = self._walker.get(request)
        came = set(_ids(page))
        if came:
            yield page
        rest = [name for name in ids if name not in came]
        if not rest:
            return
        if not self._query.archive:
            self._walker.fail(request, f"NOMAD lists these entries and does not send them: {_named(rest)}")
            return
        entries = self._walker.get(self._query.some(rest, archive=False))
        yield entries
        unprocessed = {entry_id(r) for r in entries.records if isinstance(r, dict) and r.get("processed") is False}
        lost = [name for name in rest if name not in unprocessed]
        if lost:
            self._walker.fail(request, f"NOMAD sends no archive of these {len(lost)} entries, only what "
                                       f"entries/query says of them was taken: {_named(lost)}")


def _ids(page: Page) -> Iterator[str]:
    return (found for record in page.records if (found := entry_id(record)))


def _pagination(page: Page) -> dict[str, Any]:
    found = page.document.get("pagination") if isinstance(page.document, dict) else None
    return found if isinstance(found, dict) else {}


def _total(page: Page) -> int | None:
    total = _pagination(page).get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return ", ".join(ids[:MOST_NAMED]) + more


def headers(token: str | None) -> dict[str, str]:
    """The headers of a request to private data; none without a token."""
    return {DECLARATION.secret_headers[0]: f"Bearer {token}"} if token else {}
