"""Faults in the tasks of an all-pairs run; in a module of its own, which workers can import."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from analytics.similarity.all_pairs import Found, compare
from lake.store.lake import Lake

FAULTY = (1, 2)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def compare_and_die_once(lake: Lake, **more: Any) -> Found:
    """Take the worker down behind the writing of pairs, before anybody hears of it, the first time only."""
    found = compare(lake, **more)
    marker = Path(f"{lake.root.uri}-marker")
    if (more["left"], more["right"]) == FAULTY and not marker.exists():
        marker.touch()
        _die()
    return found


def compare_and_die(lake: Lake, **more: Any) -> Found:
    """Take the worker down each time that two tiles are compared."""
    if (more["left"], more["right"]) == FAULTY:
        _die()
    return compare(lake, **more)


def compare_or_fail(lake: Lake, **more: Any) -> Found:
    """Fail at two tiles."""
    if (more["left"], more["right"]) == FAULTY:
        raise MemoryError("none is left")
    return compare(lake, **more)
