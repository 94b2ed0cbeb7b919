"""A Prefect of the tests' own: its home, its server, and command lines against that server."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Read when Prefect is imported first, so before any test module can do that.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="matlake-prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)
# Consoles read their width when they are made.
os.environ["COLUMNS"] = "100"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"

CHECKOUT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The API URL of a server on loopback with an empty database."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session")
def entry_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that says which plugins matlake has, as its installation would."""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["entry-points"]
    site = tmp_path_factory.mktemp("site")
    info = site / "matlake-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: matlake\nVersion: 0\n")
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in found.items()) for group, found in declared.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


@pytest.fixture(scope="session")
def prefect(prefect_server: str, entry_points: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run `prefect …` in the checkout, against the tests' server, not interactive, for 90 s at most."""
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect-home")),
        "PREFECT_API_URL": prefect_server,
        "PYTHONPATH": os.pathsep.join([str(entry_points), str(CHECKOUT)]),
        "COLUMNS": "200",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *words], cwd=CHECKOUT, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
        )

    return run
