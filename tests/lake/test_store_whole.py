"""Writes as a whole: replace, append, and files that become visible together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from lake.errors import TableError
from lake.store.lake import Lake
from lake.tables import TABLES

GRID = "dos-reference"


def pairs(n: int, grid: str = GRID, similarity: float = 0.9) -> pa.Table:
    columns = {
        "grid_id": [grid] * n, "left_id": [f"a/{i}" for i in range(n)], "right_id": [f"b/{i}" for i in range(n)],
        "similarity": [similarity] * n, "aligned_similarity": [None] * n, "aligned_shift_ev": [None] * n,
    }
    return pa.table(columns, TABLES["similarities"].schema)


def rows(lake: Lake, grid: str = GRID) -> int:
    return lake.read("similarities", where=f"grid_id = '{grid}'").num_rows


def test_parts_are_seen_only_when_published(any_lake: Lake) -> None:
    where = {"grid_id": GRID}
    parts = [any_lake.write_part("similarities", where, f"run-{k}.parquet", pairs(5)) for k in range(3)]
    assert rows(any_lake) == 0
    version = any_lake.publish("similarities", where, parts)
    assert rows(any_lake) == 15
    assert any_lake.publish("similarities", where, parts) == version
    other = any_lake.write_part("similarities", {"grid_id": "dos-paper"}, "run-0.parquet", pairs(4, "dos-paper"))
    any_lake.publish("similarities", {"grid_id": "dos-paper"}, [other])
    assert (rows(any_lake), rows(any_lake, "dos-paper")) == (15, 4)
    latest = any_lake.write_part("similarities", where, "next-0.parquet", pairs(2))
    any_lake.publish("similarities", where, [latest])
    assert (rows(any_lake), rows(any_lake, "dos-paper")) == (2, 4)
    assert any_lake.read("similarities", version=version).num_rows == 15
    any_lake.publish("similarities", where, [])
    assert (rows(any_lake), rows(any_lake, "dos-paper")) == (0, 4)


def test_published_parts_carry_statistics_and_stay_through_a_replacement(lake: Lake) -> None:
    part = lake.write_part("similarities", {"grid_id": GRID}, "run-0.parquet", pairs(3))
    assert (part.rows, part.minima["left_id"], part.maxima["right_id"]) == (3, "a/0", "b/2")
    lake.publish("similarities", {"grid_id": GRID}, [part])
    lake.replace("similarities", pairs(7, "dos-paper"), {"grid_id": "dos-paper"})
    assert (rows(lake), rows(lake, "dos-paper")) == (3, 7)
    lake.replace("similarities", pairs(0), {"grid_id": GRID})
    assert (rows(lake), rows(lake, "dos-paper")) == (0, 7)


def test_rows_of_another_value_are_refused(lake: Lake) -> None:
    with pytest.raises(TableError, match="are meant for grid_id = 'dos-paper'"):
        lake.replace("similarities", pairs(2), {"grid_id": "dos-paper"})
    assert lake.versions() == {}


def test_two_appends_at_once_see_each_other(lake: Lake) -> None:
    schema = TABLES["grids"].schema

    def add(_: int) -> None:
        def make(delta: object) -> pa.Table:
            number = lake.read("grids").num_rows
            return pa.table([[f"g{number}"], ["dos"], [""], ["{}"], [1], [1]], schema=schema)

        lake.append("grids", make)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(8)))
    names = lake.read("grids", ["grid_id"]).column(0).to_pylist()
    assert sorted(names) == [f"g{i}" for i in range(8)]


def test_the_past_can_be_connected_to(lake: Lake) -> None:
    first = lake.replace("similarities", pairs(3), {"grid_id": GRID})
    lake.replace("similarities", pairs(5), {"grid_id": GRID})
    with lake.connect({"similarities": first}) as connection:
        assert connection.sql("select count(*) from similarities").fetchall() == [(3,)]


def test_upsert_of_an_unpartitioned_table_changes_what_differs(any_lake: Lake) -> None:
    def grid(parameters: str) -> pa.Table:
        return pa.table([["g"], ["dos"], [""], [parameters], [1], [1]], schema=TABLES["grids"].schema)

    assert any_lake.upsert("grids", grid("{}")).new == 1
    assert any_lake.upsert("grids", grid("{}")).unchanged == 1
    assert any_lake.upsert("grids", grid("[]")).changed == 1


def test_rows_of_several_partitions_are_refused(lake: Lake) -> None:
    with pytest.raises(TableError, match="several partitions: dos-reference, dos-paper"):
        lake.upsert("similarities", pa.concat_tables([pairs(1), pairs(1, "dos-paper")]))
