"""The receipts of a running ingest: which pages it has, so that a killed one fetches only what is missing.

A receipt is written when a reply lies safely under raw/, long before its rows are committed; all receipts of a
run go away when it is complete. They are small files and no table, so that a page costs no commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import orjson

from lake.sources.base import Request
from lake.store.root import Root

LONGEST_RESUME = timedelta(days=7)
"""An interrupted run older than this starts anew: its first pages would be older than its last."""


@dataclass(frozen=True)
class Receipt:
    """One page that was fetched: where its reply lies, and when it was taken."""

    sha256: str
    fetched_at: str


def request_text(request: Request) -> str:
    """A request as canonical JSON; it never holds secrets, since those travel as headers."""
    return orjson.dumps(
        {"method": request.method, "url": request.url, "params": dict(request.params), "body": request.body},
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def fetch_id(source: str, request: Request) -> str:
    """The key of a request in the table `fetches`."""
    return hashlib.sha256(f"{source}|{request_text(request)}".encode()).hexdigest()[:32]


class Journal:
    """The receipts of one job: a source asked the same thing."""

    def __init__(self, root: Root, source: str, options: Mapping[str, str], base_url: str | None) -> None:
        job = orjson.dumps([source, dict(options), base_url], option=orjson.OPT_SORT_KEYS)
        self._root = root
        self._folder = ("runs", source, hashlib.sha256(job).hexdigest()[:32])
        self._known: set[str] = set()

    def start(self) -> bool:
        """Begin, or take up an interrupted run; returns whether one was taken up."""
        marker = self._root.read(*self._folder, "run.json")
        if marker and self._is_young(marker):
            self._known = set(self._root.names(*self._folder))
            return True
        self._root.delete_folder(*self._folder)
        started = orjson.dumps({"started_at": datetime.now(UTC).isoformat()})
        self._root.write(started, *self._folder, "run.json")
        return False

    @staticmethod
    def _is_young(marker: bytes) -> bool:
        try:
            started = datetime.fromisoformat(orjson.loads(marker)["started_at"])
        except (ValueError, KeyError, TypeError):
            return False
        return datetime.now(UTC) - started < LONGEST_RESUME

    def find(self, fetch_id: str) -> Receipt | None:
        """The receipt of a page, if this run already has it."""
        name = f"{fetch_id}.json"
        if name not in self._known:
            return None
        content = self._root.read(*self._folder, name)
        try:
            return Receipt(**orjson.loads(content)) if content else None
        except (ValueError, TypeError):
            return None

    def note(self, fetch_id: str, receipt: Receipt) -> None:
        """Write the receipt of a page."""
        self._root.write(orjson.dumps(asdict(receipt)), *self._folder, f"{fetch_id}.json")

    def finish(self) -> None:
        """The run is complete: nothing of it needs to be remembered."""
        # The marker goes first: receipts without it count for nothing, should we be killed right here.
        self._root.delete(*self._folder, "run.json")
        self._root.delete_folder(*self._folder)
