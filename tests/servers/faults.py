"""What can go wrong between a client and a database: one small class per kind, decided by a seed.

A fault hits a share of the requests (``rate``), each of them at most ``times`` times (None = forever).
Whether a request is hit depends on the seed and the request alone, not on threads or time.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from tests.servers.exchange import Answer, Question, Row


def chance(*parts: Any) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@dataclass
class Fault:
    """A fault that does nothing; its children override one hook each."""

    rate: float = 1.0
    times: int | None = 1

    def hits(self, seed: int, key: str, nth: int) -> bool:
        """Whether the ``nth`` asking (from 0) of a request is hit."""
        bounded = self.times is None or nth < self.times
        return bounded and chance(seed, type(self).__name__, key) < self.rate

    def instead(self, question: Question) -> Answer | None:
        """An answer given without asking the database."""
        return None

    def spoil(self, answer: Answer) -> Answer:
        """The database's answer, damaged."""
        return answer

    def rows(self, rows: list[Row], seed: int, clock: int, identify: Callable[[Row], str]) -> list[Row]:
        """What the database seems to hold at the ``clock``-th page that it gives out."""
        return rows

    def order(self, rows: list[Row], seed: int, clock: int) -> list[Row]:
        """The order in which rows come where the client asked for none."""
        return rows

    def page(self, page: list[Row], before: list[Row], seed: int, clock: int) -> list[Row]:
        """The page given out; ``before`` is the page before it."""
        return page

    def total(self, total: int) -> int:
        """The total that is told."""
        return total


@dataclass
class Status(Fault):
    """An error status; ``retry_after`` is "", "seconds" or "date"."""

    status: int = 503
    retry_after: str = ""
    body: bytes = b'{"error": "Your IP has been blocked due to rate limits", "version": "blocked"}'

    def instead(self, question: Question) -> Answer:
        headers = {"Content-Type": "application/json"}
        if self.retry_after == "seconds":
            headers["Retry-After"] = "1"
        elif self.retry_after == "date":
            headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        return Answer(self.status, self.body, headers)


@dataclass
class Slow(Fault):
    """An answer that comes too late."""

    seconds: float = 0.8

    def spoil(self, answer: Answer) -> Answer:
        return answer.but(delay_seconds=self.seconds)


@dataclass
class Reset(Fault):
    """A connection that is reset before anything is said."""

    def instead(self, question: Question) -> Answer:
        return Answer(transport="reset")


@dataclass
class CutJson(Fault):
    """A complete reply of a body that ends in the middle."""

    def spoil(self, answer: Answer) -> Answer:
        return answer.but(body=answer.body[: max(1, len(answer.body) * 2 // 3)])


@dataclass
class CutTransfer(Fault):
    """A connection that is closed in the middle of the body."""

    def spoil(self, answer: Answer) -> Answer:
        return answer.but(transport="cut")


@dataclass
class ErrorText(Fault):
    """Status 200 with a text that is no reply."""

    text: str = "DB Fail!\nnull"
    content_type: str = "text/plain"

    def instead(self, question: Question) -> Answer:
        return Answer(200, self.text.encode(), {"Content-Type": self.content_type})


@dataclass
class RepeatedPage(Fault):
    """The page before comes once more instead of the one asked for."""

    def page(self, page: list[Row], before: list[Row], seed: int, clock: int) -> list[Row]:
        return list(before) or page


@dataclass
class DuplicatedRows(Fault):
    """A page holds some of its records twice, and some of the page before."""

    def page(self, page: list[Row], before: list[Row], seed: int, clock: int) -> list[Row]:
        return [*before[-3:], *page, *page[:2]]


@dataclass
class ShuffledPage(Fault):
    """The records of a page come in another order."""

    times: int | None = None

    def page(self, page: list[Row], before: list[Row], seed: int, clock: int) -> list[Row]:
        return random.Random(f"{seed} {clock}").sample(page, len(page))


@dataclass
class UnstableOrder(Fault):
    """Without a sort key, every request sees the rows in another order."""

    def order(self, rows: list[Row], seed: int, clock: int) -> list[Row]:
        return random.Random(f"{seed} {clock}").sample(rows, len(rows))


@dataclass
class Drift(Fault):
    """Between requests records vanish (``removes``) or appear (``inserts``), so that offsets shift.

    ``drifted`` collects the ids of records that were not there all the time.
    """

    times: int | None = None
    removes: int = 0
    inserts: int = 0
    drifted: set[str] = field(default_factory=set)
    vanishing: list[str] = field(default_factory=list)
    appearing: list[str] = field(default_factory=list)

    def choose(self, ids: Sequence[str], seed: int) -> None:
        """Choose, from all ids of the database in its order, which ones come and go."""
        if self.drifted:
            return
        early = list(ids[: max(1, len(ids) // 2)])
        chosen = random.Random(seed).sample(early, min(len(early), self.removes + self.inserts))
        self.vanishing, self.appearing = chosen[: self.removes], chosen[self.removes :]
        self.drifted.update(chosen)

    def rows(self, rows: list[Row], seed: int, clock: int, identify: Callable[[Row], str]) -> list[Row]:
        self.choose([identify(row) for row in rows], seed)
        hidden = {*self.vanishing[:clock], *self.appearing[clock:]}
        return [row for row in rows if identify(row) not in hidden]


@dataclass
class LyingTotal(Fault):
    """A total that is not the number of rows."""

    times: int | None = None
    factor: float = 1.0
    shift: int = 0

    def total(self, total: int) -> int:
        return max(0, round(total * self.factor) + self.shift)


HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"

FAULTS: dict[str, Callable[[], Fault]] = {
    "429": lambda: Status(status=429),
    "429_seconds": lambda: Status(status=429, retry_after="seconds"),
    "429_date": lambda: Status(status=429, retry_after="date"),
    "500": lambda: Status(status=500),
    "502": lambda: Status(status=502, body=HTML.encode()),
    "503": lambda: Status(status=503),
    "503_seconds": lambda: Status(status=503, retry_after="seconds"),
    "504": lambda: Status(status=504, body=b""),
    "timeout": lambda: Slow(rate=0.25),
    "reset": Reset,
    "cut_json": CutJson,
    "cut_transfer": CutTransfer,
    "db_fail": ErrorText,
    "lux_fail": lambda: ErrorText(text="Lux Fail! Syntax error"),
    "html": lambda: ErrorText(text=HTML, content_type="text/html"),
    "empty_body": lambda: ErrorText(text=""),
    "json_null": lambda: ErrorText(text="null", content_type="application/json"),
    "json_error": lambda: ErrorText(text='{"error": "database is down"}', content_type="application/json"),
    "repeated_page": RepeatedPage,
    "duplicated_rows": DuplicatedRows,
    "shuffled_page": ShuffledPage,
    "unstable_order": lambda: UnstableOrder(times=None),
    "drift_removes": lambda: Drift(removes=4),
    "drift_inserts": lambda: Drift(inserts=4),
    "drift_both": lambda: Drift(removes=3, inserts=3),
    "total_too_high": lambda: LyingTotal(shift=7),
    "total_too_low": lambda: LyingTotal(factor=0.4),
    "total_zero": lambda: LyingTotal(factor=0.0),
}
"""Every kind of fault by name, as tests and the command line ask for it."""


class Plan:
    """Which faults happen: counts the askings of every request and the pages given out."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 1) -> None:
        self.faults = list(faults)
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self._clock = 0
        self._lock = threading.Lock()

    def active(self, question: Question) -> list[Fault]:
        """The faults that hit this asking; counts it."""
        with self._lock:
            nth = self.counts[question.key]
            self.counts[question.key] += 1
        return [fault for fault in self.faults if fault.hits(self.seed, question.key, nth)]

    def tick(self) -> int:
        """The number of pages given out before this one."""
        with self._lock:
            self._clock += 1
            return self._clock - 1
