"""A local server that plays the databases, with faults, and remembers what it was asked."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tests.servers.exchange import Answer, Database, Question, json_answer
from tests.servers.faults import Fault, Plan
from tests.servers.paging import FaultyView


@dataclass(frozen=True)
class Asked:
    """One request that the server saw: the question, the names of the faults that hit it, when."""

    question: Question
    faults: tuple[str, ...]
    status: int
    at: float


class Server:
    """The databases on one port of this machine; use it as a context manager.

    Args:
        databases: the first that knows a question answers it.
        faults: what goes wrong; see :data:`tests.servers.faults.FAULTS`.
        seed: decides which requests are hit.
        delay_seconds: how long every answer takes, so that a kill can fall between two of them.
        port: 0 = any free one.
    """

    def __init__(
        self,
        databases: Sequence[Database],
        faults: Sequence[Fault] = (),
        *,
        seed: int = 1,
        delay_seconds: float = 0.0,
        port: int = 0,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.databases = list(databases)
        self.plan = Plan(faults, seed)
        self.delay_seconds = delay_seconds
        self.log: list[Asked] = []
        self._tell = tell
        self._http = _Listener(("127.0.0.1", port), _handler(self))

    @property
    def url(self) -> str:
        """The server's root, without a closing slash."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def counts(self) -> Counter[str]:
        """How often each request was asked, by its key."""
        return Counter(asked.question.key for asked in list(self.log))

    def forget(self) -> None:
        """Start the log anew; faults already spent stay spent."""
        self.log = []

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve_forever(self) -> None:
        """Serve in this thread until interrupted."""
        self._http.serve_forever()

    def answer(self, question: Question) -> Answer:
        """The reply to a question, faults included; the question is logged."""
        active = self.plan.active(question)
        answer = next((a for a in (f.instead(question) for f in active) if a is not None), None)
        if answer is None:
            database = next((d for d in self.databases if d.knows(question)), None)
            if database is None:
                answer = json_answer({"detail": f"Not found: {question.path}"}, 404)
            else:
                answer = database.answer(question, FaultyView(self.plan, active))
            for fault in active:
                answer = fault.spoil(answer)
        names = tuple(type(fault).__name__ for fault in active)
        self.log.append(Asked(question, names, answer.status, time.monotonic()))
        if self._tell:
            self._tell(f"{answer.status} {' '.join(names)} {question.key[:300]}")
        return answer.but(delay_seconds=answer.delay_seconds + self.delay_seconds)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed and connections reset on purpose: nothing to print."""


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            host = headers.get("host", "")
            answer = server.answer(Question(self.command, path, query, headers, body, host))
            if answer.delay_seconds:
                time.sleep(answer.delay_seconds)
            self._send(answer, "gzip" in headers.get("accept-encoding", ""))

        do_POST = do_GET

        def _send(self, answer: Answer, zipped: bool) -> None:
            if answer.transport == "reset":
                self._reset()
                return
            body = gzip.compress(answer.body, 1) if zipped and len(answer.body) > 500 else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if body is not answer.body:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer.transport == "cut" else body)
            if answer.transport == "cut":
                self.close_connection = True

        def _reset(self) -> None:
            # Lingering for no time makes the kernel send RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """The server keeps its own log."""

    return Handler
