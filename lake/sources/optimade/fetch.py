"""The walk over an OPTIMADE provider: from link to link, then a second look at what did not come.

Pages are mostly cut by offset, without an order that OPTIMADE would promise: what comes or goes while they are read
shifts the rest. So a search of several pages is read again by its ids alone, and what is missing is asked for
one by one. ``meta.data_returned`` only serves to notice that there should be more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lake.errors import IncompleteError, RefusedError
from lake.sources.base import Page, Request, Walker
from lake.sources.batch import dig
from lake.sources.optimade.query import Query, next_link, read_options
from lake.sources.optimade.records import local_id

_REFUSALS = tuple(f" answered {status} " for status in (400, 404, 422, 501))


def walk(walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
    """Every page of a search, then the structures that its pages left out.

    Raises:
        SettingsError: no provider is named, or an option has a value that it cannot have.
        IncompleteError: a page could not be had.
    """
    yield from _Walk(walker, read_options(options, base_url, walker.limit)).pages()


class _Walk:
    """One walk: which ids came, and how many the provider says there are."""

    def __init__(self, walker: Walker, query: Query) -> None:
        self._walker = walker
        self._query = query
        self._fields: tuple[str, ...] = ()
        self._seen: set[str] = set()
        self._nameless = 0
        """Records without a readable id: they came, and will be rejected."""
        self._stated = 0
        self._broken = False
        """Whether the links themselves failed, which is reported: nothing more can be learnt from them."""

    def pages(self) -> Iterator[Page]:
        first = self._first()
        count, last = 0, first.request
        for page in self._follow(first):
            self._seen.update(_ids(page))
            self._nameless += len(page.records) - sum(1 for _ in _ids(page))
            count, last = count + 1, page.request
            yield page
            if self._walker.limit is not None and self._came >= self._walker.limit:
                return
        if not self._broken and (count > 1 or self._stated > self._came):
            yield from self._second_look()
        if not self._broken and self._stated > self._came:
            self._walker.fail(last, f"the provider states {self._stated} structures and gave {self._came}: "
                                    f"{self._stated - self._came} are missing")

    @property
    def _came(self) -> int:
        return len(self._seen) + self._nameless

    def _first(self) -> Page:
        """The first page, with fewer response fields where the server refuses those it does not know."""
        *more, least = self._query.fields
        for fields in more:
            request = self._query.first(fields)
            self._fields = fields
            try:
                return self._walker.get(request)
            except IncompleteError as error:
                if not any(refusal in str(error) for refusal in _REFUSALS):
                    raise
            self._walker.forget(request)
        self._fields = least
        return self._walker.get(self._query.first(least))

    def _follow(self, page: Page) -> Iterator[Page]:
        """A page and those behind it; a link that leads back or away ends them, and is reported."""
        been = {page.request.url}
        number = 1
        while True:
            yield page
            stated = dig(page.document, ("meta", "data_returned"))
            if isinstance(stated, int) and not isinstance(stated, bool):
                self._stated = stated
            link = self._next(page, been)
            if link is None:
                return
            been.add(link)
            number += 1
            page = self._walker.get(Request(link, cursor=f"page {number}"))

    def _next(self, page: Page, been: set[str]) -> str | None:
        """The next page's address; None at the end, or where the link is of no use, which is reported."""
        try:
            link = next_link(page.document, page.request)
        except RefusedError as error:
            fault = str(error)
        else:
            more = page.records and dig(page.document, ("meta", "more_data_available")) is True
            if link is not None and link not in been:
                return link
            if link is None and not more:
                return None
            fault = (
                f"links.next leads back to a page that was read before: {link}" if link else
                "the provider says that there are more structures, but not where: links.next is missing"
            )
        self._broken = True
        self._walker.fail(page.request, fault)
        return None

    def _second_look(self) -> Iterator[Page]:
        """Read the ids again and ask for those that did not come."""
        request = self._query.ids()
        try:
            first = self._walker.get(request)
        except IncompleteError as error:
            if any(refusal in str(error) for refusal in _REFUSALS):
                self._walker.forget(request)  # a server that cannot give ids alone: its total has to do
                return
            raise
        listed: dict[str, None] = {}
        for page in self._follow(first):
            listed.update(dict.fromkeys(_ids(page)))
        wanted = [name for name in listed if name not in self._seen]
        for page in self._walker.get_many([self._query.single(name, self._fields) for name in wanted]):
            found = set(_ids(page))
            if not found:
                name = page.request.cursor
                self._walker.fail(page.request, f"the provider lists structure {name} and does not give it")
            self._seen |= found
            yield page


def _ids(page: Page) -> Iterator[str]:
    return (found for record in page.records if (found := local_id(record)))
