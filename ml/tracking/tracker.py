"""What a training tells of itself, to MLflow or to nobody; it never waits long for it and never fails because of it."""

from __future__ import annotations

import base64
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from ml.tracking.place import Place, place_of
from ml.tracking.process import Reply, WriterProcess, shared_writer
from ml.tracking.redact import redacted

if TYPE_CHECKING:
    from lake.store.lake import Lake

EXPERIMENT = "matlake"
# The longest that a training waits, all in all: MLflow's import and its database take 3 to 15 s, beside the training.
WAIT_SECONDS = 20.0
# After a place could not be written to, the trainings of this process do not try it again for so long.
PAUSE_SECONDS = 600.0
_failed: dict[Place, tuple[float, Future[Reply]]] = {}
_numbers = count(1)

Values = Mapping[str, float | int | None]


class Tracker(Protocol):
    """Is told of one training: `start`, `point` for every evaluation, `run_id` where it is needed, `finish`."""

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """The training begins.

        Args:
            name: what the run is called.
            parameters: settings, nested as they are; they are logged flat, names joined by dots.
            tags: lake, subset, versions.
        """

    def point(self, step: int, values: Values) -> None:
        """An evaluation during training; values that are None are left out."""

    def run_id(self) -> str | None:
        """The run in MLflow; None where there is none, or where it took too long."""

    def finish(self, *, metrics: Values | None = None, tags: Mapping[str, str] | None = None,
               artifacts: Mapping[str, bytes] | None = None, failed: bool = False) -> None:
        """The training has ended.

        Args:
            metrics: final errors.
            tags: what is known only now, such as the model's id.
            artifacts: small files by name, such as `model.json`.
            failed: whether it ended by an error.
        """


class NullTracker:
    """Tells nobody."""

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Nothing happens."""

    def point(self, step: int, values: Values) -> None:
        """Nothing happens."""

    def run_id(self) -> str | None:
        """There is none."""
        return None

    def finish(self, *, metrics: Values | None = None, tags: Mapping[str, str] | None = None,
               artifacts: Mapping[str, bytes] | None = None, failed: bool = False) -> None:
        """Nothing happens."""


class MlflowTracker:
    """Tells MLflow, through a process of its own; after the first fault it is silent and says so in one warning.

    Args:
        place: where runs are kept.
        writer: the process that writes; default: the one of this process.
        wait_seconds: the longest that all waits together may take.
    """

    def __init__(self, place: Place, writer: WriterProcess | None = None, wait_seconds: float = WAIT_SECONDS) -> None:
        self.place = place
        self.problem: str | None = None
        self._failed = False
        self._writer = writer
        self._left = wait_seconds
        self._number = next(_numbers)
        self._run: Future[Reply] | None = None
        self._run_id: str | None = None

    def start(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Begin a run; returns at once."""
        try:
            self._writer = self._writer or shared_writer()
        except OSError as error:
            self._fail(f"its process cannot be started: {error}")
            return
        self._run = self._writer.ask({
            "do": "start", "run": self._number, "uri": self.place.uri, "artifacts": self.place.artifacts,
            "experiment": EXPERIMENT, "name": name, "parameters": flat(parameters), "tags": dict(tags),
        })

    def point(self, step: int, values: Values) -> None:
        """Log values of one step; returns at once."""
        if self._writer is not None and self._run is not None and not self._has_failed():
            self._writer.ask({"do": "point", "run": self._number, "step": step, "time_ms": int(time.time() * 1000),
                              "values": _known(values)})

    def run_id(self) -> str | None:
        """The run's id, waited for."""
        if self._run_id is None and self._run is not None and not self._failed:
            reply = self._waited(self._run)
            self._run_id = str(reply["run_id"]) if reply else None
            if reply is None:
                _failed[self.place] = time.monotonic(), self._run
        return self._run_id

    def finish(self, *, metrics: Values | None = None, tags: Mapping[str, str] | None = None,
               artifacts: Mapping[str, bytes] | None = None, failed: bool = False) -> None:
        """End the run, and wait until it is written; where the training failed nothing is waited for."""
        if self._writer is None or self._run is None or self._has_failed():
            return
        files = {name: base64.b64encode(content).decode() for name, content in (artifacts or {}).items()}
        done = self._writer.ask({
            "do": "finish", "run": self._number, "status": "FAILED" if failed else "FINISHED",
            "metrics": _known(metrics or {}), "tags": dict(tags or {}), "artifacts": files,
        })
        # Who is told of a failure wants to see it, not to wait; the writer goes on by itself.
        if not failed and self.run_id() is not None:
            self._waited(done)
        self._run = None

    def _has_failed(self) -> bool:
        """Whether the run could not be started, as far as is known without waiting."""
        if self._run is not None and self._run.done():
            self.run_id()
        return self._failed

    def _waited(self, answer: Future[Reply]) -> Reply | None:
        began = time.monotonic()
        try:
            reply = answer.result(max(self._left, 0.0))
        except FutureTimeoutError:
            self._say("has not answered in time: the run is still being written, and the model does not name it")
            return None
        finally:
            self._left -= time.monotonic() - began
        if "error" in reply:
            self._fail(str(reply["error"]))
            return None
        return reply

    def _fail(self, why: str) -> None:
        self._failed = True
        self._say(f"does not record the training: {why}")

    def _say(self, problem: str) -> None:
        """Warn, once; what comes after the first fault is a consequence of it."""
        if self.problem is None:
            self.problem = redacted(problem)
            warnings.warn(
                f"MLflow at {redacted(self.place.uri)} {self.problem}. The model is not affected; MATLAKE_TRACKING_URI "
                "names another place, or off for none.",
                stacklevel=3,
            )


def tracker_for(lake: Lake) -> Tracker:
    """The tracker that the settings ask for, a new one for every training; see :func:`ml.tracking.place.place_of`.

    It tells nobody where MLflow is not installed, or where the place did not answer a training of this process just
    before: that was said then.

    Args:
        lake: its settings say where.
    """
    place = place_of(lake)
    if place is None or _paused(place):
        return NullTracker()
    if find_spec("mlflow") is None:
        if lake.settings.tracking_uri is not None:
            warnings.warn("MATLAKE_TRACKING_URI is set, and MLflow is not installed: the training is not tracked. "
                          "Install matlake[ml].", stacklevel=2)
        return NullTracker()
    return MlflowTracker(place)


def _paused(place: Place) -> bool:
    """Whether a place failed lately, or has still not answered."""
    since, answer = _failed.get(place, (0.0, None))
    if answer is None or time.monotonic() - since > PAUSE_SECONDS:
        return False
    return not answer.done() or "error" in answer.result()


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level of text, names joined by dots; what is None is left out."""
    found: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[f"{prefix}{name}"] = str(list(value) if isinstance(value, tuple) else value)
    return found


def _known(values: Values) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
