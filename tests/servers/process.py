"""One ingest in its own process, so that it can be killed, run beside another, or measured."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

from tests.servers.trial import Case

PRELOAD = [
    "tests.servers.process", "lake.ingest.run", "lake.ingest.walker", "lake.store.lake",
    "lake.crystal.columns", "duckdb", "deltalake", "moyopy", "ijson", "orjson", "httpx", "pyarrow.parquet",
    "lake.sources.aflow", "lake.sources.mp", "lake.sources.nomad", "lake.sources.optimade",
]


def context() -> ForkServerContext:
    """Processes forked from a small server that has imported everything and started nothing."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(PRELOAD)
    return forkserver


def start(root: str, case: Case, base_url: str, **changes: Any) -> BaseProcess:
    """Start an ingest in its own process; exit code 0 = complete, 3 = incomplete."""
    process = context().Process(target=_ingest, args=(root, case, base_url, changes), daemon=True)
    process.start()
    return process


def _ingest(root: str, case: Case, base_url: str, changes: Mapping[str, Any]) -> None:
    import sys

    from lake.errors import IncompleteError
    from lake.ingest.run import ingest
    from tests.servers.trial import open_lake

    try:
        lake = open_lake(root, **changes)
        ingest(lake, case.source, options=dict(case.options), base_url=base_url + case.path)
    except IncompleteError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
