"""Trial ingests against the local server: the sources as cases, quick settings, tables as comparable rows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.exchange import Database, Row
from tests.servers.records import load

if TYPE_CHECKING:
    from lake.store.lake import Lake

RECORDS = Path(__file__).parent.parent / "data" / "servers"
API_KEY = "f4k3-K3Y-that-must-never-be-seen"
TIMES = {"fetched_at"}
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
QUICK: dict[str, Any] = {
    "backoff_seconds": 0.01, "max_backoff_seconds": 0.05, "timeout_seconds": 5.0,
    "requests_per_second": 1000.0, "concurrent_requests": 2, "attempts": 4, "workers": 1,
    "batch_records": 25, "mp_api_key": API_KEY,
}


@dataclass(frozen=True)
class Case:
    """One way to ask one source: where it lies below the server's root, and options that make small pages."""

    name: str
    source: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ("calculations", "dos", "rejects")


CASES = {case.name: case for case in (
    Case("aflow", "aflow", "/API/aflux/", {"page_size": "10"}),
    Case("mp", "mp", "", {"page_size": "10"}),
    Case("nomad", "nomad", "/prod/v1/api/v1", {"page_size": "10"}),
    Case("nomad_archive", "nomad", "/prod/v1/api/v1", {"page_size": "4", "what": "archive", "elements": "B,N"}),
    Case("optimade", "optimade", "", {"page_size": "10"}),
)}


def databases() -> list[Database]:
    """The four databases over the small real records of the tests."""
    return load(RECORDS, API_KEY)


def open_lake(root: Path | str, **changes: Any) -> Lake:
    """A lake with quick settings."""
    from lake.settings import load_settings
    from lake.store.lake import Lake

    return Lake.open(str(root), load_settings(**{**QUICK, "root": str(root), **changes}))


def contents(lake: Lake, case: Case, without: frozenset[str] = frozenset()) -> dict[str, list[Row]]:
    """The rows of a case's tables by key, without the times and without the columns named."""
    from lake.tables import TABLES

    if case.source == "optimade":
        without |= {"raw_sha256"}  # its replies hold links with the server's port
    result = {}
    for name in case.tables:
        table = TABLES[name]
        columns = [c.name for c in table.columns if c.name not in TIMES | without]
        rows = lake.read(name, columns=columns).to_pylist()
        result[name] = sorted(map(plain, rows), key=lambda row: str(row[table.key[-1]]))
    return result


def plain(value: Any) -> Any:
    """A value whose maps do not depend on the order of their entries, nor its addresses on the server's port."""
    if isinstance(value, str):
        return ADDRESS.sub("http://server", value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return sorted(value)
    return value


def check_sound(lake: Lake) -> None:
    """Check every table: keys unique, numbers finite and within their declared bounds, texts printable.

    Raises:
        AssertionError: naming table, column and value.
    """
    from lake.tables import TABLES

    for name in lake.versions():
        table = TABLES[name]
        rows = lake.read(name).to_pylist()
        keys = [tuple(row[k] for k in table.key) for row in rows]
        assert len(set(keys)) == len(keys), f"{name}: keys that occur twice"
        for row in rows:
            for column in table.columns:
                for value in leaves(row[column.name]):
                    place = f"{name}.{column.name}: {str(value)[:80]!r}"
                    assert not isinstance(value, float) or math.isfinite(value), place
                    assert not isinstance(value, str) or value.isprintable(), place
                    if isinstance(value, int | float) and column.minimum is not None:
                        assert value >= column.minimum, place
                    if isinstance(value, int | float) and column.maximum is not None:
                        assert value <= column.maximum, place
                assert row[column.name] is not None or column.nullable, f"{name}.{column.name} is null"


def leaves(value: Any) -> Iterator[Any]:
    """The plain values within nested lists, maps and records."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield value
