"""Dask's part of it: local worker processes, and a connection to a scheduler."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lake.errors import WorkerError
from lake.settings import Settings
from lake.tasks.task import processes

CLOSE_SECONDS = 10
"""Longest wait for workers to end by themselves; then they are killed."""
CONNECT_SECONDS = 30
LOCAL_CONFIG = {
    # A worker on this machine that says nothing for so long has hung; tasks release the interpreter's lock.
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "60s",
    # No pages: Dask's server for them listens all the same, on this machine alone, and has nothing to show.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Nothing is held in Dask's memory: pausing at 80 % would only stall a task that is within its limit.
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.pause": False,
}
OWN_ADDRESS = "127.0.0.1"


@contextmanager
def local_scheduler(settings: Settings) -> Iterator[tuple[str, int]]:
    """Worker processes on this machine; yields their scheduler's address and how many they are.

    Raises:
        WorkerError: they do not start.
    """
    import dask
    import distributed

    start: Any = distributed.LocalCluster
    n_processes = processes(settings)
    with (
        tempfile.TemporaryDirectory(prefix="matlake-dask-", ignore_cleanup_errors=True) as folder,
        dask.config.set(LOCAL_CONFIG), _silence("distributed", "tornado"),
    ):
        try:
            cluster = start(
                n_workers=n_processes, threads_per_worker=1, processes=True, host=OWN_ADDRESS,
                dashboard_address=f"{OWN_ADDRESS}:0", scheduler_kwargs={"dashboard": False},
                memory_limit=int(settings.dask_worker_memory_gb * 1e9), local_directory=folder,
                silence_logs=logging.CRITICAL, worker_dashboard_address=None,
            )
        except (RuntimeError, OSError, TimeoutError) as error:
            raise WorkerError(
                f"{n_processes} local worker processes did not start: {error} A script that is run as such needs the "
                'guard if __name__ == "__main__"; MATLAKE_DASK_WORKERS=1 does without processes.'
            ) from error
        try:
            yield cluster.scheduler_address, n_processes
        finally:
            _close(cluster)


@contextmanager
def connected(address: str, settings: Settings) -> Iterator[Any]:
    """A client of a scheduler. For tls:// the certificates are those of Dask's own configuration.

    Raises:
        WorkerError: it does not answer.
    """
    import distributed

    connect: Any = distributed.Client
    wait = min(CONNECT_SECONDS, settings.task_timeout_seconds)
    with _silence("distributed.client", "distributed.core", "distributed.comm"):
        try:
            client = connect(address, timeout=wait, set_as_default=False, name="matlake")
        except (OSError, TimeoutError, ValueError, TypeError, ImportError) as error:
            raise WorkerError(
                f"The Dask scheduler at {address} does not answer within {wait:.0f} s: "
                f"{error or type(error).__name__}. Start it (dask scheduler), or set MATLAKE_DASK_SCHEDULER to its "
                "address; tls:// needs the certificates in Dask's configuration."
            ) from error
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=CLOSE_SECONDS)


@contextmanager
def _silence(*names: str) -> Iterator[None]:
    """Lost workers and closed connections are told by our own errors, not by Dask's log as well."""
    loggers = {name: logging.getLogger(name) for name in names}
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])


def _close(cluster: Any) -> None:
    """End the workers, by force where they do not end by themselves, as one that is in the middle of a kernel."""
    pids = _pids(cluster)
    with suppress(Exception):
        cluster.close(timeout=CLOSE_SECONDS)
    import psutil  # type: ignore[import-untyped]

    left = []
    for pid, started in pids.items():
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            # A number may have been given to another process since.
            if process.create_time() == started:
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=CLOSE_SECONDS)


def _pids(cluster: Any) -> dict[int, float]:
    """The process numbers of the workers, with the time at which they were started."""
    import psutil

    found: dict[int, float] = {}
    for nanny in list(cluster.workers.values()):
        process: Any = getattr(nanny, "process", None)
        pid = getattr(process, "pid", None)
        if isinstance(pid, int):
            with suppress(psutil.Error):
                found[pid] = psutil.Process(pid).create_time()
    return found
