"""Our side of the process that writes to MLflow: started once, asked without waiting."""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

WRITER = Path(__file__).with_name("writer.py")
# What is still on its way when this process ends gets as long to arrive; the writer itself ends by itself.
LAST_SECONDS = 5.0

Reply = Mapping[str, Any]


class WriterProcess:
    """A running writer; replies come as futures, and a writer that dies answers all of them with an error.

    Args:
        command: the program; default: `writer.py` under this Python.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        # -P: the folder of the script holds modules of ours, which must not stand in for others. A session of its
        # own: Ctrl-C in the terminal ends the training, and the writer then marks its run.
        self._process = subprocess.Popen(  # noqa: S603
            [*(command or (sys.executable, "-P", str(WRITER)))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=True,
        )
        self.pid = os.getpid()
        self._waiting: dict[int, Future[Reply]] = {}
        self._lock = threading.Lock()
        self._next = 0
        self._outbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="mlflow-sender", daemon=True)
        self._reader = threading.Thread(target=self._read, name="mlflow-reader", daemon=True)
        self._sender.start()
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it runs and belongs to this process rather than to the one that this was forked from."""
        return self.pid == os.getpid() and self._process.poll() is None

    def ask(self, request: Mapping[str, Any]) -> Future[Reply]:
        """Send a request; returns at once.

        Args:
            request: see `writer.py`; the ``id`` is added.

        Returns:
            The reply to come: it holds ``error`` where the request failed or the writer ended.
        """
        answer: Future[Reply] = Future()
        with self._lock:
            self._next += 1
            number = self._next
            self._waiting[number] = answer
        self._outbox.put(json.dumps(dict(request) | {"id": number}))
        if not self._reader.is_alive():
            self._give_up()
        return answer

    def close(self, seconds: float = LAST_SECONDS) -> None:
        """Send what is left and tell the writer to end when it is done; it is not waited for beyond some seconds."""
        if self.pid != os.getpid():
            return
        self._outbox.put(None)
        self._sender.join(seconds)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def kill(self) -> None:
        """End the writer at once; what it had not written is lost."""
        self._process.kill()
        self.close()

    def _send(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            while (line := self._outbox.get()) is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
        with suppress(OSError):
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        # What is no reply cannot be told from a writer that has lost its mind: nothing more is expected of it.
        with suppress(OSError, ValueError, TypeError, KeyError):
            for line in self._process.stdout:
                reply = json.loads(line)
                with self._lock:
                    answer = self._waiting.pop(reply["id"], None)
                if answer is not None:
                    answer.set_result(reply)
        self._give_up()

    def _give_up(self) -> None:
        """Answer what no reply will come to."""
        with self._lock:
            left, self._waiting = list(self._waiting.values()), {}
        for answer in left:
            answer.set_result({"error": "the process that writes to MLflow has ended"})


_shared: WriterProcess | None = None
_shared_lock = threading.Lock()


def shared_writer() -> WriterProcess:
    """The writer of this process: started when first needed, and again where it has died."""
    global _shared
    with _shared_lock:
        if _shared is None or not _shared.alive:
            _shared = WriterProcess()
            atexit.register(_shared.close)
        return _shared
