"""How a source's walk gets its pages: from receipts first, else from the server, several at once where it may."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from lake.errors import BadReplyError, IncompleteError, InputError, MatlakeError
from lake.ingest.documents import decode
from lake.ingest.http import Client
from lake.ingest.journal import Journal, Receipt, fetch_id
from lake.sources.base import Page, Request, Source
from lake.store import raw
from lake.store.root import Root


class LiveWalker:
    """The :class:`lake.sources.base.Walker` of a live API."""

    def __init__(
        self, source: Source, root: Root, client: Client, journal: Journal, limit: int | None
    ) -> None:
        self._source = source
        self._root = root
        self._client = client
        self._journal = journal
        self._limit = limit
        self.failed: dict[str, tuple[Request, str]] = {}
        self.resumed_pages = 0

    @property
    def limit(self) -> int | None:
        """How many records the user asked for at most."""
        return self._limit

    def get(self, request: Request) -> Page:
        """One page, from its receipt or from the server.

        Raises:
            IncompleteError: it could not be had; it is recorded as failed.
        """
        try:
            return self._page(request)
        except MatlakeError as error:
            self.fail(request, str(error))
            raise IncompleteError(str(error)) from error

    def get_many(self, requests: Sequence[Request]) -> Iterator[Page]:
        """Several pages in order, some fetched ahead; failed ones are recorded and left out."""
        waiting: deque[tuple[Request, Future[Page]]] = deque()
        upcoming = iter(requests)
        with ThreadPoolExecutor(self._client.concurrency) as pool:
            try:
                while True:
                    while len(waiting) < 2 * self._client.concurrency:
                        request = next(upcoming, None)
                        if request is None:
                            break
                        waiting.append((request, pool.submit(self._page, request)))
                    if not waiting:
                        return
                    request, future = waiting.popleft()
                    try:
                        yield future.result()
                    except MatlakeError as error:
                        self.fail(request, str(error))
            finally:
                for _, future in waiting:
                    future.cancel()

    def take(self, request: Request, read: Callable[[], bytes]) -> Page:
        """One page that comes another way than over HTTP, from its receipt or from ``read``.

        Raises:
            IncompleteError: it could not be had; it is recorded as failed.
        """
        try:
            return self._page(request, read)
        except MatlakeError as error:
            self.fail(request, str(error))
            raise IncompleteError(str(error)) from error

    def fail(self, request: Request, message: str) -> None:
        """Record that something is missing."""
        self.failed[fetch_id(self._source.declaration.name, request)] = (
            request, self._client.scrub(message)
        )

    def forget(self, request: Request) -> None:
        """Take back a recorded failure: what the request was for is asked for in another way."""
        self.failed.pop(fetch_id(self._source.declaration.name, request), None)

    def _page(self, request: Request, read: Callable[[], bytes] | None = None) -> Page:
        name = self._source.declaration.name
        key = fetch_id(name, request)
        receipt = self._journal.find(key)
        if receipt is not None:
            body = raw.fetch(self._root, name, receipt.sha256)
            self.resumed_pages += 1
            return self._decoded(request, body, datetime.fromisoformat(receipt.fetched_at))
        body = read() if read else self._client.ask(request, lambda body: self._check(request, body))
        fetched_at = datetime.now(UTC)
        sha256 = raw.keep(self._root, name, body)
        self._journal.note(key, Receipt(sha256, fetched_at.isoformat()))
        return self._decoded(request, body, fetched_at)

    def _check(self, request: Request, body: bytes) -> None:
        """Let the source look at a reply before it is kept: an error text is no page."""
        try:
            document = decode(self._source, body, request.url)
        except BadReplyError:
            self._source.check(body, None)
            raise
        self._source.check(body, document)
        try:
            self._source.records(document, request.url)
        except InputError as error:
            raise BadReplyError(str(error)) from None

    def _decoded(self, request: Request, body: bytes, fetched_at: datetime) -> Page:
        document = decode(self._source, body, request.url)
        kind, records = self._source.records(document, request.url)
        return Page(request, body, document, records, kind, request.url, fetched_at)


