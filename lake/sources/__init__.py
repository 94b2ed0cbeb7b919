"""The sources: one folder each, found by looking, so that a new one edits nothing else."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import cast

from lake.errors import SettingsError
from lake.sources.base import Source


@cache
def names() -> tuple[str, ...]:
    """The names of all sources, alphabetical."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg))


@cache
def find(name: str) -> Source:
    """The source of a name.

    Raises:
        SettingsError: there is no such source.
    """
    if name not in names():
        raise SettingsError(f"There is no source {name!r}. Sources: {', '.join(names())}.")
    return cast(Source, import_module(f"{__name__}.{name}").SOURCE)
