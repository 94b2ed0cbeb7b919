"""The empty catalogue in the cache: the same views and macros as by running the statements, whatever lies there."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake.store import catalogue, template
from lake.store.lake import Lake
from lake.tables import TABLES
from tests.conftest import quick_settings


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.open(str(tmp_path / "lake"), quick_settings(cache_dir=str(tmp_path / "cache")))
    row = {"fetch_id": "1", "source": "mp", "request": "", "origin": "here", "cursor": "", "bytes": 1, "records": 2,
           "rejected": 0, "status": "taken", "fingerprint": "x", "fetched_at": datetime.now(UTC)}
    lake.upsert("fetches", pa.Table.from_pylist([row], schema=TABLES["fetches"].schema))
    return lake


def contents(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str]]]:
    """Every view with its text and columns, every macro with its definition: their words, as EXCLUDE has no order."""
    found = connection.execute(
        "select view_name, sql from duckdb_views() where not internal union all "
        "select function_name || array_to_string(parameters, ','), macro_definition from duckdb_functions() "
        "where not internal union all "
        "select table_name || '.' || column_name, data_type from duckdb_columns() where not internal"
    ).fetchall()
    return sorted((name, sorted(re.findall(r"[^\s(),]+", text))) for name, text in found)


def by_statements(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    with monkeypatch.context() as patched:
        patched.setattr(catalogue, "copy_definitions", lambda *_: False)
        return contents(lake.connect())


def saved(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "matlake").iterdir())


def test_a_copy_is_what_the_statements_make(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_statements(lake, monkeypatch)
    assert not (tmp_path / "cache").exists()
    for _ in range(2):
        connection = lake.connect()
        assert contents(connection) == expected
        assert connection.execute("select fetch_id, source from fetches").fetchall() == [("1", "mp")]
        assert connection.execute("show databases").fetchall() == [("memory",)]
    [path] = saved(tmp_path)
    assert path.name.startswith("definitions-")
    with duckdb.connect(str(lake.refresh()), read_only=True) as connection:
        there = contents(connection)
        assert [part for part in expected if part not in there] == []
        assert connection.execute("select records from fetches").fetchall() == [(2,)]


def test_other_definitions_are_another_file(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.connect()
    more = catalogue._shipped_definitions() | {"extra": "create or replace view extra as select 42 as answer"}
    monkeypatch.setattr(catalogue, "_shipped_definitions", lambda: more)
    assert lake.connect().execute("select answer from extra").fetchall() == [(42,)]
    assert len(saved(tmp_path)) == 2
    monkeypatch.setattr(template, "KEPT_SECONDS", -1)
    more["extra"] = more["extra"].replace("42", "43")
    assert lake.connect().execute("select answer from extra").fetchall() == [(43,)]
    assert len(saved(tmp_path)) == 1


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_a_broken_copy_costs_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None,
) -> None:
    expected = by_statements(lake, monkeypatch)
    lake.connect()
    [path] = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:5_000] if content is None else content)
    for _ in range(2):
        assert contents(lake.connect()) == expected
    assert [p.stat().st_size > 10_000 for p in saved(tmp_path)] == [True]


def test_it_works_without_a_cache(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_statements(lake, monkeypatch)
    (tmp_path / "cache").write_text("no folder")
    assert contents(lake.connect()) == expected


def test_many_at_once(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_statements(lake, monkeypatch)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: contents(lake.connect()), range(8)))
    assert found == [expected] * 8
    assert len(saved(tmp_path)) == 1
