"""Work in tasks: the same functions in this process, on local processes, or on the workers of a Dask scheduler."""

from __future__ import annotations

from lake.tasks.pool import Workers, open_workers, run_tasks
from lake.tasks.task import Task, place

__all__ = ["Task", "Workers", "open_workers", "place", "run_tasks"]
