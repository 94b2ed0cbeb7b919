"""A polite HTTP client: a rate limit, Retry-After, exponential back-off with jitter, and no secret in any message."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from lake import __version__
from lake.errors import BadReplyError, InputError, RefusedError
from lake.ingest.compression import unpacked
from lake.settings import Settings
from lake.sources.base import Declaration, Request

USER_AGENT = f"matlake/{__version__} (data lake for DFT databases; python-httpx)"
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
REDIRECTS = {301, 302, 303, 307, 308}


class _AgainError(BadReplyError):
    """A reply that asks for another try, perhaps after a stated pause."""

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


@dataclass
class Pace:
    """No more than so many requests a second, and none at all before a pause is over; for many threads."""

    requests_per_second: float
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Sleep until the next request may go out."""
        with self._lock:
            start = max(time.monotonic(), self._free_at)
            self._free_at = start + 1.0 / self.requests_per_second
        time.sleep(max(0.0, start - time.monotonic()))

    def pause(self, seconds: float) -> None:
        """Let no thread ask for some time: a server that says 429 means all of us."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + seconds)


class Client:
    """Asks one source's server; every failure ends as BadReplyError or RefusedError without secrets in it."""

    def __init__(
        self, declaration: Declaration, settings: Settings, secret_headers: Mapping[str, str]
    ) -> None:
        self._settings = settings
        # Also without "Bearer": a server may well repeat the bare token.
        self._secrets = [part for value in secret_headers.values() for part in (value, *value.split()) if len(part) > 6]
        self._headers = dict(secret_headers)
        self._host: str | None = None
        self.concurrency = settings.concurrent_requests or declaration.concurrent_requests
        self._pace = Pace(settings.requests_per_second or declaration.requests_per_second)
        self._http = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate, zstd"},
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_connections=self.concurrency),
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(self, request: Request, check: Any) -> bytes:
        """The reply's body, decompressed, once ``check(body)`` lets it pass.

        Raises:
            BadReplyError: no usable reply after the last try.
            RefusedError: the server refuses this request.
        """
        for attempt in Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=self._pause_after,
            retry=retry_if_exception_type(BadReplyError),
            reraise=True,
        ):
            with attempt:
                body = self._once(request)
                try:
                    check(body)
                except BadReplyError as error:
                    raise BadReplyError(self.scrub(str(error))) from None
                except RefusedError as error:
                    raise RefusedError(self.scrub(str(error))) from None
                return body
        raise AssertionError("tenacity raises after the last try")

    def scrub(self, text: str) -> str:
        """A text with every secret of this client blotted out."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _once(self, request: Request) -> bytes:
        self._pace.wait()
        try:
            reply = self._send(request, request.url)
            for _ in range(5):
                if reply.status_code not in REDIRECTS:
                    break
                reply = self._send(request, self._redirect(reply))
        except httpx.InvalidURL as error:
            raise RefusedError(f"{request.url!r:.200} is no URL: {error}.") from None
        except httpx.HTTPError as error:
            reason = self.scrub(str(error)) or "no answer"
            raise BadReplyError(f"{request.url}: {type(error).__name__}: {reason}") from None
        self._judge(request, reply)
        try:
            return unpacked(reply.content, request.url)
        except InputError as error:
            raise BadReplyError(self.scrub(str(error))) from None

    def _send(self, request: Request, url: str) -> httpx.Response:
        host = urlsplit(url).netloc
        self._host = self._host or host
        # A next link or redirect to another host must not carry our key there.
        headers = self._headers if host == self._host else {}
        params = dict(request.params) if url == request.url and request.params else None
        return self._http.request(request.method, url, params=params, json=request.body, headers=headers)

    def _redirect(self, reply: httpx.Response) -> str:
        target = str(reply.url.join(reply.headers.get("location", "")))
        if urlsplit(target).hostname != reply.url.host:
            raise RefusedError(f"{reply.url.host} sends us on to another host ({urlsplit(target).hostname}); "
                               "give that address with --url if it is right.")
        return target

    def _judge(self, request: Request, reply: httpx.Response) -> None:
        status = reply.status_code
        if status < 300:
            return
        said = " ".join(self.scrub(reply.text[:300]).split())
        message = f"{request.url} answered {status} {reply.reason_phrase}: {said}"
        if status in TRY_AGAIN:
            pause = _retry_after(reply.headers.get("retry-after"))
            if status in (429, 503):
                self._pace.pause(min(pause or 0.0, self._settings.max_backoff_seconds))
            raise _AgainError(message, pause)
        hint = " Is the key right?" if status in (401, 403) else ""
        raise RefusedError(message + hint)

    def _pause_after(self, state: RetryCallState) -> float:
        longest = self._settings.max_backoff_seconds
        backoff = wait_random_exponential(multiplier=self._settings.backoff_seconds, max=longest)(state)
        error = state.outcome.exception() if state.outcome else None
        stated = getattr(error, "pause_seconds", None) or 0.0
        return max(min(stated, longest), backoff)


def _retry_after(header: str | None) -> float | None:
    """The pause that a Retry-After header states, in seconds: a number or an HTTP date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
