"""With which code and libraries something was computed."""

from __future__ import annotations

import json
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lake

LIBRARIES = ("torch", "numpy", "scikit-learn", "numba", "vesin", "safetensors", "pyarrow", "duckdb")


@lru_cache(maxsize=1)
def code_version() -> str:
    """The version of matlake; in a checkout also the commit, with ``+`` where files differ from it."""
    folder = Path(lake.__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return lake.__version__
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return lake.__version__
    changed = "+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else ""
    return f"{lake.__version__} ({commit}{changed})"


@lru_cache(maxsize=1)
def library_versions_json() -> str:
    """Versions of Python and of the libraries that compute, as JSON."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return json.dumps(found, sort_keys=True)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where there is no git, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True,  # noqa: S607
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
