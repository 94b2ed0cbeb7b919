"""The process that writes to MLflow: requests on standard input, replies on standard output, one JSON a line.

Importing MLflow takes seconds and making its database as long, so this is done beside the training and not in it. Run
by path, without a package around it: it imports MLflow and nothing of matlake. Requests, each with an ``id``:

``{"do": "start", "run": …, "uri": …, "artifacts": … or null, "experiment": …, "name": …, "parameters": {…},
"tags": {…}}`` is replied to with ``{"id": …, "run_id": …}``; ``{"do": "point", "run": …, "step": …, "time_ms": …,
"values": {…}}`` and ``{"do": "finish", "run": …, "status": …, "metrics": {…}, "tags": {…},
"artifacts": {name: base64}}`` with ``{"id": …}``. A request that fails is replied to with ``{"id": …, "error": …}``.
When the input ends, runs that were not finished are marked as killed.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

PER_BATCH = 100
LONGEST_PARAMETER = 6000
LONGEST_TAG = 8000
LOCKED_ATTEMPTS = 8

Asked = Mapping[str, Any]


class Runs:
    """Runs under way, and the servers or databases that they are written to."""

    def __init__(self) -> None:
        self.clients: dict[tuple[str, str], tuple[Any, str]] = {}
        self.runs: dict[int, tuple[Any, str]] = {}

    def start(self, asked: Asked) -> Asked:
        """Begin a run."""
        client, experiment = self._store(asked["uri"], asked["artifacts"], asked["experiment"])
        tags = {name: str(value)[:LONGEST_TAG] for name, value in asked["tags"].items()}
        run_id = retried(client.create_run, experiment, run_name=asked["name"], tags=tags).info.run_id
        self.runs[asked["run"]] = client, run_id
        from mlflow.entities import Param

        parameters = [Param(name, shortened(value)) for name, value in asked["parameters"].items()]
        for i in range(0, len(parameters), PER_BATCH):
            retried(client.log_batch, run_id, params=parameters[i:i + PER_BATCH])
        return {"run_id": run_id}

    def point(self, asked: Asked) -> Asked:
        """Log values of one step; a run that could not be started has none."""
        if asked["run"] in self.runs:
            client, run_id = self.runs[asked["run"]]
            log_metrics(client, run_id, asked["values"], asked["step"], asked["time_ms"])
        return {}

    def finish(self, asked: Asked) -> Asked:
        """End a run."""
        client, run_id = self.runs.pop(asked["run"])
        log_metrics(client, run_id, asked["metrics"], 0, int(time.time() * 1000))
        for name, value in asked["tags"].items():
            retried(client.set_tag, run_id, name, str(value)[:LONGEST_TAG])
        with tempfile.TemporaryDirectory() as folder:
            for name, content in asked["artifacts"].items():
                path = os.path.join(folder, os.path.basename(name))
                with open(path, "wb") as file:
                    file.write(base64.b64decode(content))
                retried(client.log_artifact, run_id, path)
        retried(client.set_terminated, run_id, asked["status"])
        return {}

    def kill(self) -> None:
        """Mark what was left unfinished."""
        for client, run_id in self.runs.values():
            client.set_terminated(run_id, "KILLED")

    def _store(self, uri: str, artifacts: str | None, name: str) -> tuple[Any, str]:
        """The client of an address and the experiment there, made where there is none yet."""
        if (uri, name) not in self.clients:
            with alone_at(uri) as path:
                if path is not None and not os.path.exists(path):
                    make_database(path)
                self.clients[uri, name] = opened(uri, artifacts, name)
        return self.clients[uri, name]


@contextmanager
def alone_at(uri: str) -> Iterator[str | None]:
    """No other of these processes opens the same SQLite file meanwhile; gives its path, None for what is no such file.

    MLflow's own lock does not keep two processes from migrating one new database at once, which breaks it.
    """
    if not uri.startswith("sqlite:///"):
        yield None
        return
    import fcntl

    path = uri.removeprefix("sqlite:///").partition("?")[0]
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(f"{path}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def make_database(path: str) -> None:
    """Make MLflow's tables in a file beside and move it here: a half-made database would never open again."""
    from mlflow.tracking import MlflowClient

    beside = f"{path}.new"
    if os.path.exists(beside):
        os.remove(beside)
    MlflowClient(tracking_uri=f"sqlite:///{beside}").get_experiment_by_name("")
    os.replace(beside, path)


def opened(uri: str, artifacts: str | None, name: str) -> tuple[Any, str]:
    """A client, and the id of the experiment of that name, made where there is none yet."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = retried(client.get_experiment_by_name, name)
    if found is None:
        try:
            return client, str(retried(client.create_experiment, name, artifact_location=artifacts))
        except MlflowException:
            # Another process has made it in the meantime.
            found = retried(client.get_experiment_by_name, name)
            if found is None:
                raise
    return client, str(found.experiment_id)


def log_metrics(client: Any, run_id: str, values: Mapping[str, float], step: int, time_ms: int) -> None:
    """Log numbers of one step."""
    from mlflow.entities import Metric

    metrics = [Metric(name, float(value), time_ms, step) for name, value in values.items()]
    for i in range(0, len(metrics), PER_BATCH):
        retried(client.log_batch, run_id, metrics=metrics[i:i + PER_BATCH])


def shortened(value: object) -> str:
    """A parameter's value as MLflow takes it."""
    text = str(value)
    return text if len(text) <= LONGEST_PARAMETER else text[:LONGEST_PARAMETER - 1] + "…"


def retried(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call again, with longer pauses, as long as another process holds the database."""
    attempt = 0
    while True:
        try:
            return function(*arguments, **named)
        except Exception as error:
            attempt += 1
            if "database is locked" not in str(error) or attempt == LOCKED_ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)


def main() -> None:
    """Serve requests until the input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no reply
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    # MLflow makes a folder mlruns where it runs, whether anything goes into it or not.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        serve(replies)


def serve(replies: TextIO) -> None:
    """Answer request after request; then mark what was not finished."""
    runs = Runs()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"start": runs.start, "point": runs.point, "finish": runs.finish}[asked["do"]](asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next request may succeed
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        replies.write(json.dumps({"id": asked["id"], **answer}) + "\n")
        replies.flush()
    runs.kill()


if __name__ == "__main__":
    main()
