"""The walk over AFLUX: the database in partitions small enough to be answered, and the densities of states."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from lake.errors import IncompleteError
from lake.sources.aflow.densities import fetch_densities
from lake.sources.aflow.paging import Fresh, Pager
from lake.sources.aflow.query import WINDOWED, read_options
from lake.sources.aflow.seen import keys_of
from lake.sources.base import Page, Walker

LOWEST_EV, HIGHEST_EV = -10.0, 10.0
"""Formation enthalpies per atom lie within; what does not is asked for in one window on either side."""
FAR_EV = 1e15
FIRST_WINDOW_EV = 2.5
NARROWEST_EV = 0.005
MAX_FAILURES = 10
"""Partitions that fail one after the other before the server counts as down."""
LONGEST_PREFIX = 2
"""Digits of the auid that partitions are divided by: 256 parts at most, so that a failing server ends it soon."""
_HEX = "0123456789abcdef"


def walk(walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
    """Every page of a search, each followed by the densities of states of its entries where asked for.

    Raises:
        SettingsError: an option has a value that it cannot have.
        IncompleteError: the server does not answer at all any more.
    """
    query = read_options(options, base_url, walker.limit)
    partitions = _Partitions(walker, Pager(walker, query), query.page_size)
    ways = {"enthalpy": partitions.by_enthalpy, "auid": partitions.by_auid, "none": partitions.undivided}
    for fresh in ways[query.partition]():
        yield fresh.page
        if query.dos:
            yield from fetch_densities(walker, query.entries_url, fresh.records)


class _Partitions:
    """Divides the database, more finely where the server fails."""

    def __init__(self, walker: Walker, pager: Pager, page_size: int) -> None:
        self._walker = walker
        self._pager = pager
        self._roomy = page_size // 4
        self._failures = 0

    def undivided(self) -> Iterator[Fresh]:
        """Everything as one partition, in the order of the auid."""
        yield from self._try("")

    def by_auid(self) -> Iterator[Fresh]:
        """One partition per first digit of the auid; one that fails is divided by the next digit."""
        for digit in _HEX:
            yield from self._prefix(digit)

    def _prefix(self, prefix: str) -> Iterator[Fresh]:
        done = yield from self._try(f"auid('aflow:{prefix}'*)", final=len(prefix) >= LONGEST_PREFIX)
        if not done and len(prefix) < LONGEST_PREFIX:
            for digit in _HEX:
                yield from self._prefix(prefix + digit)

    def by_enthalpy(self) -> Iterator[Fresh]:
        """Windows of formation enthalpy, wider where there is little and narrower where pages fill; then the rest."""
        yield from self._try(_window(-FAR_EV, LOWEST_EV))
        low, width = LOWEST_EV, FIRST_WINDOW_EV
        while low < HIGHEST_EV:
            high = min(low + width, HIGHEST_EV)
            narrow = width / 2 < NARROWEST_EV
            done = yield from self._try(_window(low, high), final=narrow)
            if not done and not narrow:
                width /= 2
                continue
            low = high
            if done and self._pager.rows <= self._roomy:
                width *= 2
            elif done and self._pager.pages > 1:
                width = max(width / 2, NARROWEST_EV)
        yield from self._try(_window(HIGHEST_EV, FAR_EV))
        yield from self._without_enthalpy()

    def _without_enthalpy(self) -> Iterator[Fresh]:
        """Entries without a formation enthalpy; the whole database if AFLUX cannot be asked for them alone."""
        done = yield from self._try(f"{WINDOWED}(!*)", final=False)
        if done and (self._pager.rows or not self._some_unseen()):
            return
        done = yield from self._try("", final=False)
        if not done:
            yield from self.by_auid()

    def _some_unseen(self) -> bool:
        """Whether a look at the whole database shows an entry that no window held."""
        request = self._pager.first_page("")
        try:
            page = self._walker.get(request)
        except IncompleteError:
            self._walker.forget(request)
            return True
        return any(key not in self._pager.seen for key in keys_of(page.records))

    def _try(self, clause: str, final: bool = True) -> Generator[Fresh, None, bool]:
        """Read a partition; returns whether that went well.

        ``final`` says that nothing else covers the partition: then its failure stays recorded.
        """
        try:
            yield from self._pager.read(clause)
        except IncompleteError as error:
            self._failures += 1
            request = self._pager.asking
            assert request is not None
            if self._failures >= MAX_FAILURES:
                message = (
                    f"AFLUX failed on {self._failures} partitions in a row: everything from "
                    f"{clause or 'the first record'} on is missing. {error}"
                )
                self._walker.fail(request, message)
                raise IncompleteError(message) from error
            if not final:
                self._walker.forget(request)
            return False
        self._failures = 0
        return True


def _window(low: float, high: float) -> str:
    return f"{WINDOWED}({_plain(low)}*,*{_plain(high)})"


def _plain(value: float) -> str:
    """A number without exponent, as AFLUX wants it."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
