"""The store: upserts by key, commits of several writers at once, readers that agree, the catalogue."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake.errors import SettingsError, TableError
from lake.store import raw
from lake.store.delta import Change, compact, delete_keys
from lake.store.lake import Lake
from lake.store.root import Root
from lake.tables import CALCULATIONS

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def rows(ids: list[str], mark: str = "1", kind: str = "summary", source: str = "mp", **values: object) -> pa.Table:
    """Rows of `calculations` that a test needs no more of than their ids."""
    return pa.Table.from_pylist(
        [
            {
                "calculation_id": f"{source}/{i}", "source": source, "source_id": i, "record_kind": kind,
                "record_sha256": [(kind, mark)], "fetched_at": NOW, **values,
            }
            for i in ids
        ],
        schema=CALCULATIONS.schema,
    )


def full_row() -> pa.Table:
    """A row with something in every kind of column."""
    return rows(
        ["mp-1"], band_gap_ev=1.25, elements=["Fe", "O"], hubbard_u_ev=[("Fe", 5.3)], n_sites=2,
        lattice_vectors_angstrom=[[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]], spin_polarized=True,
        fractional_positions=[[0.0, 0, 0], [0.5, 0.5, 1 / 3]], k_grid=[4, 4, 2], redistributable=False,
    )


def test_upsert_counts_and_is_idempotent(any_lake: Lake) -> None:
    assert any_lake.upsert("calculations", rows(["a", "b"])) == Change(2, 0, 0)
    version = any_lake.versions()["calculations"]
    assert any_lake.upsert("calculations", rows(["a", "b"])) == Change(0, 0, 2)
    assert any_lake.versions()["calculations"] == version
    assert any_lake.upsert("calculations", rows(["b", "c"], "2", band_gap_ev=1.0)) == Change(1, 1, 0)
    found = any_lake.read("calculations", ["source_id", "band_gap_ev"]).sort_by("source_id").to_pylist()
    assert [(r["source_id"], r["band_gap_ev"]) for r in found] == [("a", None), ("b", 1.0), ("c", 1.0)]


def test_same_kind_replaces_other_kind_fills(lake: Lake) -> None:
    lake.upsert("calculations", rows(["a"], "1", band_gap_ev=2.0))
    lake.upsert("calculations", rows(["a"], "2", code="vasp"))
    row = lake.read("calculations").to_pylist()[0]
    assert (row["band_gap_ev"], row["code"]) == (None, "vasp")
    lake.upsert("calculations", rows(["a"], "3", kind="task", band_gap_ev=3.0))
    row = lake.read("calculations").to_pylist()[0]
    assert (row["band_gap_ev"], row["code"]) == (3.0, "vasp")
    assert dict(row["record_sha256"]) == {"summary": "2", "task": "3"}
    assert lake.upsert("calculations", rows(["a"], "2", code="vasp")) == Change(0, 0, 1)


def test_rows_not_unique_by_key_are_refused(lake: Lake) -> None:
    with pytest.raises(TableError, match="not unique by calculation_id"):
        lake.upsert("calculations", rows(["a", "a"]))


def test_concurrent_writers_lose_and_double_nothing(any_lake: Lake) -> None:
    # The S3 server of the tests is slow: TEST_LONG=1 (make test-long) writes as often as into a folder.
    steps = 4 if any_lake.root.is_local or os.environ.get("TEST_LONG") else 2

    def write(writer: int) -> Change:
        change = Change()
        for step in range(steps):
            change += any_lake.upsert("calculations", rows([f"{writer}-{step}", f"shared-{step}"]))
        return change

    with ThreadPoolExecutor(3) as pool:
        changes = list(pool.map(write, range(3)))
    ids = any_lake.read("calculations", ["source_id"]).column(0).to_pylist()
    own = {f"{writer}-{step}" for writer in range(3) for step in range(steps)}
    assert sorted(ids) == sorted(own | {f"shared-{step}" for step in range(steps)})
    assert sum(c.new for c in changes) == 4 * steps
    assert sum(c.unchanged for c in changes) == 2 * steps


def test_readers_agree(any_lake: Lake) -> None:
    import dask.dataframe as dd
    import pandas as pd
    import polars as pl
    import pyarrow.dataset as ds

    any_lake.upsert("calculations", full_row())
    any_lake.upsert("calculations", rows(["x"], source="aflow", formation_energy_ev_per_atom=-0.5))
    names = [c.name for c in CALCULATIONS.columns]
    expected = any_lake.read("calculations").sort_by("calculation_id")

    polars = any_lake.scan("calculations").sort("calculation_id").collect().to_arrow()
    assert polars.cast(CALCULATIONS.schema).to_pylist() == expected.to_pylist()

    with any_lake.connect() as connection:
        duck = connection.sql("from calculations order by calculation_id").to_arrow_table()
    assert duck.cast(CALCULATIONS.schema).to_pylist() == expected.to_pylist()

    files = any_lake.files("calculations")
    filesystem = None if any_lake.root.is_local else pa.fs.PyFileSystem(pa.fs.FSSpecHandler(any_lake.root.filesystem))
    if filesystem is not None:
        files = [f.removeprefix("s3://") for f in files]
    partitioning = ds.partitioning(pa.schema([("source", pa.string())]), flavor="hive")
    dataset = ds.dataset(files, format="parquet", partitioning=partitioning, filesystem=filesystem)
    arrow = dataset.to_table(columns=names).sort_by("calculation_id")
    assert arrow.cast(CALCULATIONS.schema).to_pylist() == expected.to_pylist()

    pandas = dataset.to_table(columns=["calculation_id", "band_gap_ev"]).to_pandas().sort_values("calculation_id")
    assert pandas["calculation_id"].tolist() == expected.column("calculation_id").to_pylist()
    assert [None if pd.isna(v) else v for v in pandas["band_gap_ev"]] == expected.column("band_gap_ev").to_pylist()

    parts = pl.read_parquet(any_lake.files("calculations"), storage_options=any_lake.root.storage_options or None,
                            columns=["calculation_id", "band_gap_ev"], missing_columns="insert")
    assert sorted(parts["calculation_id"].to_list()) == expected.column("calculation_id").to_pylist()

    options = {} if any_lake.root.is_local else {"storage_options": any_lake.root.filesystem.storage_options}
    lazy = dd.read_parquet(any_lake.files("calculations"), columns=["calculation_id", "band_gap_ev"], **options)
    dask = lazy.compute(scheduler="synchronous").sort_values("calculation_id")
    assert dask["calculation_id"].tolist() == expected.column("calculation_id").to_pylist()


def test_catalogue_is_a_plain_duckdb_file(lake: Lake) -> None:
    lake.upsert("calculations", full_row())
    lake.refresh()
    with duckdb.connect(str(lake.catalogue_path), read_only=True) as reader:
        assert reader.sql("select source_id, hubbard_u_ev['Fe'] from calculations").fetchall() == [("mp-1", 5.3)]
        assert reader.sql("select count(*) from dos").fetchall() == [(0,)]
        plan = reader.sql("explain select band_gap_ev from calculations where source = 'mp'").fetchall()[0][1]
        assert "band_gap_ev" in plan
        assert "lattice_vectors" not in plan
        lake.upsert("calculations", rows(["mp-2"]))
        lake.refresh()  # an open reader neither blocks the refresh nor sees half of it
        assert reader.sql("select count(*) from calculations").fetchall() == [(1,)]
    with duckdb.connect(str(lake.catalogue_path), read_only=True) as reader:
        assert reader.sql("select count(*) from calculations").fetchall() == [(2,)]


def test_moved_lake_is_refreshed(lake: Lake, tmp_path: Path) -> None:
    lake.upsert("calculations", rows(["a"]))
    lake.refresh()
    Path(lake.root.uri).rename(tmp_path / "moved here")
    moved = Lake.open(str(tmp_path / "moved here"), lake.settings)
    moved.refresh()
    with duckdb.connect(str(moved.catalogue_path), read_only=True) as reader:
        assert reader.sql("select count(*) from calculations").fetchall() == [(1,)]


def test_time_travel(lake: Lake) -> None:
    lake.upsert("calculations", rows(["a"]))
    first = lake.versions()["calculations"]
    lake.upsert("calculations", rows(["b"]))
    assert lake.read("calculations", version=first).num_rows == 1
    assert lake.scan("calculations", version=first).collect().height == 1
    with pytest.raises(TableError):
        lake.read("calculations", version=99)


def test_compaction_keeps_the_rows(any_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(4):
        any_lake.upsert("calculations", rows([f"mp-{step}"]))
    any_lake.upsert("calculations", rows(["a"], source="aflow"))
    before = any_lake.read("calculations").sort_by("calculation_id")
    compact(any_lake.root, "calculations", "mp")
    assert len(any_lake.files("calculations")) == 5  # too few to be worth a commit
    monkeypatch.setattr("lake.store.delta.FILES_BEFORE_COMPACTION", 4)
    compact(any_lake.root, "calculations", "mp")
    assert len(any_lake.files("calculations")) == 2
    assert any_lake.read("calculations").sort_by("calculation_id").equals(before)


def test_delete_keys_needs_no_escaping_by_the_caller(lake: Lake) -> None:
    lake.upsert("calculations", rows(["it's", "b"]))
    assert delete_keys(lake.root, "calculations", "mp", ["mp/it's", "') or true --"]) == 1
    assert lake.read("calculations", ["source_id"]).to_pylist() == [{"source_id": "b"}]


def test_raw_replies_are_kept_once_and_checked(any_lake: Lake) -> None:
    name = raw.keep(any_lake.root, "mp", b"reply")
    assert raw.keep(any_lake.root, "mp", b"reply") == name
    assert raw.fetch(any_lake.root, "mp", name) == b"reply"
    any_lake.root.write(b"\x28\xb5\x2f\xfd", "raw", "mp", name[:2], f"{name}.zst")
    with pytest.raises(TableError, match="damaged"):
        raw.fetch(any_lake.root, "mp", name)


@pytest.mark.parametrize("uri", ["s3://", "gs://bucket/x", "a[b]", "what?"])
def test_unusable_roots_say_why(uri: str, lake: Lake) -> None:
    with pytest.raises(SettingsError, match="root"):
        Root.of(uri, lake.settings)


def test_no_duckdb_extension_is_reached_for(lake: Lake) -> None:
    lake.upsert("calculations", full_row())
    lake.refresh()
    code = """
        import duckdb, sys
        c = duckdb.connect(sys.argv[1], read_only=True, config={
            "autoinstall_known_extensions": False, "autoload_known_extensions": False})
        assert c.sql("select count(*) from calculations").fetchall() == [(1,)]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(lake.catalogue_path)], check=True, timeout=60)
