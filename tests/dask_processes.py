"""A scheduler and workers as separate programs, as on other machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPO = Path(__file__).parents[1]


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a scheduler."""
    file = folder / "scheduler.json"
    with _started("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file), folder=folder):
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.1)
        import json

        yield json.loads(file.read_text())["address"]


@contextmanager
def worker(address: str, folder: Path, *, nanny: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of one thread; without a nanny nobody starts it again."""
    words = ["worker", address, "--nthreads", "1", "--nworkers", "1", "--local-directory", str(folder)]
    with _started(*words, "--nanny" if nanny else "--no-nanny", folder=folder) as process:
        yield process


@contextmanager
def _started(*words: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(REPO), *(str(REPO / "tests" / room) for room in ("lake", "analytics"))])
    environment = os.environ | {"PYTHONPATH": path, "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__STATUS": "{}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", words[0], "--no-dashboard", *words[1:]], cwd=folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
