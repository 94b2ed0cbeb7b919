"""Paging through one partition of AFLUX without losing rows while the database grows.

AFLUX has no stable cursor and states no total: a row that comes or goes while pages are read shifts the later
ones. So a partition that needs more than one page is read again, with another page size, until a whole pass
brings nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lake.sources.aflow.query import Query
from lake.sources.aflow.records import stated_total
from lake.sources.aflow.seen import Seen, keys_of
from lake.sources.base import Page, Record, Request, Walker

MAX_PASSES = 5
MAX_PAGES = 100_000


@dataclass(frozen=True)
class Fresh:
    """A page with those of its records that no earlier page held."""

    page: Page
    records: list[Record]


@dataclass
class _Pass:
    """What one reading of a partition found."""

    pages: int = 0
    keys: set[int] = field(default_factory=set)
    new: int = 0
    repeated: bool = False
    total: int | None = None


class Pager:
    """Reads partitions one after the other and knows every entry that was seen."""

    def __init__(self, walker: Walker, query: Query) -> None:
        self._walker = walker
        self._query = query
        self._capped = 0
        self.seen = Seen()
        self.asking: Request | None = None
        """The request under way: the one that failed, when an IncompleteError comes out of :meth:`read`."""
        self.pages = 0
        self.rows = 0
        """Pages with rows, and rows, of the partition read last."""

    def first_page(self, clause: str) -> Request:
        """The request that :meth:`read` begins a partition with."""
        return self._query.request(clause, 1, self._query.page_size)

    def read(self, clause: str) -> Iterator[Fresh]:
        """All records of a partition.

        Args:
            clause: the AFLUX clause that the partition is, empty = everything.

        Raises:
            IncompleteError: a page could not be had; :attr:`asking` is its request.
        """
        found = _Pass()
        yield from self._pass(clause, self._query.page_size, found)
        self.pages, self.rows = found.pages, len(found.keys)
        if found.pages <= 1 and len(found.keys) >= (found.total or 0):
            return
        everything, quiet = set(found.keys), 0
        for attempt in range(1, MAX_PASSES):
            again = _Pass()
            yield from self._pass(clause, self._query.page_size + attempt, again)
            unknown = again.keys - everything
            everything |= again.keys
            quiet = 0 if unknown else quiet + 1
            complete = len(everything) >= (again.total or 0)
            if complete and quiet and (quiet > 1 or not again.repeated):
                return
        self._complain(clause, len(everything), again.total, quiet)

    def _complain(self, clause: str, found: int, total: int | None, quiet: int) -> None:
        where = clause or "the whole search"
        if total is not None and total > found:
            message = f"{total - found} entries of {where} are missing: AFLUX states {total}, {found} were found"
        elif quiet:
            return
        else:
            message = f"entries of {where} may be missing: every one of {MAX_PASSES} readings found others"
        assert self.asking is not None
        self._walker.fail(self.asking, message)

    def _pass(self, clause: str, size: int, found: _Pass) -> Iterator[Fresh]:
        for number in range(1, MAX_PAGES):
            self.asking = self._query.request(clause, number, size)
            page = self._walker.get(self.asking)
            keyed = keys_of(page.records)
            found.repeated |= bool(found.keys & keyed.keys()) or len(keyed) < len(page.records)
            nothing_new = keyed.keys() <= found.keys
            found.keys |= keyed.keys()
            found.total = max(filter(None, (found.total, stated_total(page.document))), default=None)
            found.pages += bool(page.records)
            fresh = [record for key, record in keyed.items() if key not in self.seen]
            found.new += self.seen.add(keyed)
            if fresh or len(keyed) < len(page.records):
                yield Fresh(page, fresh)
            if nothing_new or self._is_short(len(page.records), size):
                return

    def _is_short(self, rows: int, size: int) -> bool:
        """Whether a page ends the partition.

        A server may cap pages below the size that is asked for, so a page with fewer rows than asked for is
        the last one only if it is also smaller than another such page was.
        """
        if rows >= size:
            return False
        short = rows < self._capped
        self._capped = max(self._capped, rows)
        return short or rows == 0
