"""Which entries were seen, at eight bytes each, so that a walk over millions fits in memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lake.sources.aflow.records import auid_of
from lake.sources.base import Record


class Seen:
    """A growing set of auids (the 64 bits behind ``aflow:``)."""

    FRESH = 50_000

    def __init__(self) -> None:
        self._sorted: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._fresh: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._fresh)

    def __contains__(self, key: int) -> bool:
        if key in self._fresh:
            return True
        place = int(np.searchsorted(self._sorted, np.uint64(key)))
        return place < len(self._sorted) and int(self._sorted[place]) == key

    def add(self, keys: Iterable[int]) -> int:
        """Add keys; returns how many of them are new."""
        before = len(self)
        self._fresh.update(key for key in keys if key not in self)
        count = len(self) - before
        if len(self._fresh) >= self.FRESH:
            self._sorted = np.union1d(self._sorted, np.fromiter(self._fresh, np.uint64, len(self._fresh)))
            self._fresh.clear()
        return count


def keys_of(records: Iterable[Record]) -> dict[int, Record]:
    """Records by the number behind their auid; those without a readable one are left out."""
    named = ((auid_of(record), record) for record in records)
    return {int(auid.removeprefix("aflow:"), 16): record for auid, record in named if auid}
