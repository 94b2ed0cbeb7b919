"""Several workers of pytest-xdist: what is made once for a module is made by one of them, long work comes first."""

from __future__ import annotations

import fcntl
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SERVERS = {"prefect_server": "prefect", "s3_server": "s3", "s3_lake": "s3"}
"""Fixtures of the whole session that take long to start, and the group of the tests that use them."""

_held: Counter[str] = Counter()


def pytest_configure(config: pytest.Config) -> None:
    # The order is that of `pytest_collection_modifyitems`, not the number of tests in a group.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests that share a fixture a group of their own, and put first what ends last."""
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (group := _group(item)):
            item.add_marker(pytest.mark.xdist_group(group))
    groups = [_name(item) for item in items]
    sizes = Counter(groups)
    slow = Counter(group for group, item in zip(groups, items, strict=True) if item.get_closest_marker("slow"))

    def rank(index: int) -> tuple[Any, ...]:
        group = groups[index]
        if group is None:
            return 2, items[index].get_closest_marker("slow") is None
        return 0 if group in SERVERS.values() else 1, -slow[group], -sizes[group], group

    items[:] = [items[index] for index in sorted(range(len(items)), key=rank)]


def pytest_collection_finish(session: pytest.Session) -> None:
    # Modules and tests stay to the end: looking through them again and again is a tenth of the time.
    gc.collect()
    gc.freeze()
    if hasattr(session.config, "workerinput") and "numba.core.dispatcher" in sys.modules:
        _compile_once()


def pytest_sessionfinish() -> None:
    # Libraries report what is alive when the interpreter ends.
    gc.unfreeze()


def _group(item: pytest.Item) -> str | None:
    """The group of a test that uses something made for its module or for the session."""
    fixtures = getattr(item, "_fixtureinfo", None)
    if fixtures is None:
        return None
    made_once = False
    for name, definitions in fixtures.name2fixturedefs.items():
        if name in SERVERS:
            return SERVERS[name]
        made_once = made_once or (bool(definitions) and definitions[-1].scope == "module")
    return str(item.path.stem) if made_once else None


def _name(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("xdist_group")
    return None if mark is None else str(mark.args[0] if mark.args else mark.kwargs["name"])


def _compile_once() -> None:
    """Let numba compile a kernel in one worker while the others wait for it and then read it from the cache."""
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.dispatcher import Dispatcher

    compile_here = Dispatcher.compile

    def compile_once(self: Any, sig: Any) -> Any:
        # The threads of a process first, then the processes: the other way round two could wait for each other.
        with global_compiler_lock, _alone_with(self.py_func.__code__.co_filename):
            return compile_here(self, sig)

    Dispatcher.compile = compile_once


@contextmanager
def _alone_with(path: str) -> Iterator[None]:
    """No other worker is here for this file; files that cannot be opened are not waited for."""
    try:
        file = None if _held[path] else open(path, "rb")  # noqa: SIM115 - closed below, by this thread
    except OSError:
        file = None
    _held[path] += 1
    try:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        _held[path] -= 1
        if file is not None:
            file.close()
