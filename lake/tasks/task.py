"""One task, what comes back of it, and where it is to be done."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lake.errors import MatlakeError, SettingsError, WorkerError
from lake.settings import Settings

HERE = "here"
PROCESSES = "processes"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://", "inproc://")


@dataclass(frozen=True)
class Task:
    """A function of an importable module, to be called with some arguments.

    Arguments and result travel between machines: they should be small. The function may be called more than once
    for one task (when a worker is lost), so that doing it twice must be the same as doing it once.

    Attributes:
        name: tells a person what it is; shown in messages and to everybody who sees the scheduler.
        function: a function of a module that the workers can import.
        arguments: its arguments by name; never shown.
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """The result of a task, or its error."""

    result: Any = field(default=None, repr=False)
    error: MatlakeError | None = field(default=None, repr=False)


def perform(task: Task) -> Outcome:
    """Do a task; every error comes back as one of matlake's, with the task's name where it was another one."""
    try:
        return Outcome(task.function(**task.arguments))
    except KeyboardInterrupt:
        raise
    except MatlakeError as error:
        return Outcome(error=_portable(error))
    except BaseException as error:  # noqa: BLE001 - a task that calls sys.exit must not end the worker
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(error=WorkerError(
            f"The task {task.name!r} failed: {type(error).__name__}: {error} ({where.name}, line {where.lineno} of "
            f"{os.path.basename(where.filename)})."
        ))


def _portable(error: MatlakeError) -> MatlakeError:
    """The error itself where it survives the way to another process, else one with its message."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001
        return WorkerError(str(error))
    return error


def place(settings: Settings, where: str | None = None) -> str:
    """Where tasks are done: ``here``, ``processes``, or the address of a scheduler.

    Args:
        settings: say it where ``where`` does not: an address, or how many local processes.
        where: ``here``, ``processes``, ``scheduler`` (the address of the settings) or an address.

    Raises:
        SettingsError: none of these, or no address is set.
    """
    if where is None:
        return settings.dask_scheduler or (HERE if processes(settings) == 1 else PROCESSES)
    if where in (HERE, PROCESSES) or where.startswith(SCHEMES):
        return where
    if where != "scheduler":
        raise SettingsError(
            f"Work cannot be done at {where!r:.80}: {HERE}, {PROCESSES}, scheduler, or the address of a Dask scheduler "
            "such as tcp://host:8786 is needed."
        )
    if settings.dask_scheduler is None:
        raise SettingsError("No scheduler is set: give its address in MATLAKE_DASK_SCHEDULER, such as tcp://host:8786.")
    return settings.dask_scheduler


def processes(settings: Settings) -> int:
    """How many local processes there are to be."""
    if settings.dask_workers:
        return settings.dask_workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
