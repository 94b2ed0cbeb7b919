"""What a database seems to hold for one request: its rows as the active faults let them appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.servers.exchange import Row
from tests.servers.faults import Fault, Plan


class FaultyView:
    """The rows, pages and totals of one request, faults applied. Implements exchange.View."""

    def __init__(self, plan: Plan, active: Sequence[Fault]) -> None:
        self._plan = plan
        self._active = active

    def _visible(self, rows: Sequence[Row], identify: Callable[[Row], str]) -> tuple[list[Row], int]:
        clock = self._plan.tick()
        seen = list(rows)
        for fault in self._active:
            seen = fault.rows(seen, self._plan.seed, clock, identify)
        return seen, clock

    def _deliver(self, page: list[Row], before: list[Row], clock: int) -> list[Row]:
        for fault in self._active:
            page = fault.page(page, before, self._plan.seed, clock)
        return page

    def _told(self, total: int) -> int:
        for fault in self._active:
            total = fault.total(total)
        return total

    def cut(
        self, rows: Sequence[Row], start: int, size: int, identify: Callable[[Row], str], *, stable: bool
    ) -> tuple[list[Row], int]:
        """One page of rows by offset, and the total that is told."""
        seen, clock = self._visible(rows, identify)
        if not stable:
            for fault in self._active:
                seen = fault.order(seen, self._plan.seed, clock)
        page, before = seen[start : start + size], seen[max(0, start - size) : start]
        return self._deliver(page, before, clock), self._told(len(seen))

    def after(
        self, rows: Sequence[Row], value: str | None, size: int, identify: Callable[[Row], str]
    ) -> tuple[list[Row], int, bool]:
        """One page of rows (sorted by id) behind a value, the total that is told, whether there are more."""
        seen, clock = self._visible(rows, identify)
        start = next((i for i, r in enumerate(seen) if value is None or identify(r) > value), len(seen))
        page, before = seen[start : start + size], seen[max(0, start - size) : start]
        delivered = self._deliver(page, before, clock)
        last = max(map(identify, delivered), default="")
        more = any(identify(row) > last for row in seen) if delivered else False
        return delivered, self._told(len(seen)), more
