"""Saved replies in every form end as the same rows; what is broken is named, and nothing beside it is lost."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from lake.errors import InputError, SettingsError
from lake.ingest import files
from lake.ingest.result import IncompleteIngestError
from lake.ingest.run import ingest
from lake.store.lake import Lake

SAMPLE = Path(__file__).parents[2] / "samples/aflow/aflux/page-001.json.gz"
WITHOUT = {"fetched_at", "raw_sha256"}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return json.loads(gzip.decompress(SAMPLE.read_bytes()))[:25]


def contents(lake: Lake) -> list[dict[str, Any]]:
    rows = lake.read("calculations").sort_by("calculation_id").to_pylist()
    return [{name: value for name, value in row.items() if name not in WITHOUT} for row in rows]


def as_json(records: list[dict[str, Any]]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(r).encode() for r in records)


def as_dict_reply(records: list[dict[str, Any]]) -> bytes:
    return json.dumps({f"{i + 1} of {len(records)}": r for i, r in enumerate(records)}).encode()


def as_csv(records: list[dict[str, Any]]) -> bytes:
    import csv
    import io

    text = io.StringIO()
    names = sorted({name for record in records for name in record})
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for record in records:
        writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in record.items()})
    return text.getvalue().encode()


def as_parquet(records: list[dict[str, Any]]) -> bytes:
    import io

    import pyarrow.parquet as pq

    names = sorted({name for record in records for name in record})
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: [record.get(name) for record in records] for name in names}), buffer)
    return buffer.getvalue()


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "page.json": as_json,
    "page.jsonl": as_lines,
    "old.json": as_dict_reply,
    "page.json.gz": lambda r: gzip.compress(as_json(r)),
    "page.json.xz": lambda r: lzma.compress(as_json(r)),
    "page.json.zst": lambda r: zstandard.compress(as_json(r)),
    "page.jsonl.bz2": lambda r: bz2.compress(as_lines(r)),
    "page.csv": as_csv,
    "page.csv.gz": lambda r: gzip.compress(as_csv(r)),
    "page.parquet": as_parquet,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(
    name: str, records: list[dict[str, Any]], tmp_path: Path, lake: Lake
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(FORMS[name](records))
    result = ingest(lake, "aflow", saved=[str(tmp_path / "in")])
    assert (result.fetched, result.new, result.rejected) == (25, 25, 0)
    reference = Lake.open(str(tmp_path / "reference"), lake.settings)
    (tmp_path / "plain.json").write_bytes(as_json(records))
    ingest(reference, "aflow", saved=[str(tmp_path / "plain.json")])
    ours, theirs = contents(lake), contents(reference)
    if "csv" in name or "parquet" in name:  # the fields of a table are all there, so it is another view
        for row in ours + theirs:
            row.pop("record_sha256")
    assert ours == theirs


def test_large_documents_are_read_record_by_record(
    records: list[dict[str, Any]], tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.json").write_bytes(as_json(records))
    (tmp_path / "page.jsonl.gz").write_bytes(gzip.compress(as_lines(records)))
    monkeypatch.setattr(files, "WHOLE_BYTES", 1_000)
    monkeypatch.setattr(files, "CHUNK_RECORDS", 10)
    first = ingest(lake, "aflow", saved=[str(tmp_path / "page.json")])
    assert (first.pages, first.new) == (3, 25)
    second = ingest(lake, "aflow", saved=[str(tmp_path / "page.jsonl.gz")])
    assert (second.pages, second.unchanged) == (3, 25)


def test_rerun_commits_nothing(records: list[dict[str, Any]], tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "page.json").write_bytes(as_json([*records, {"auid": "rubbish"}, 7]))
    first = ingest(lake, "aflow", saved=[str(tmp_path / "page.json")])
    assert first.rejected == 2
    again = ingest(lake, "aflow", saved=[str(tmp_path / "page.json")])
    assert (again.unchanged, again.rejected) == (25, 2)
    assert again.versions == first.versions


def test_unreadable_files_are_named_and_the_others_taken(
    records: list[dict[str, Any]], tmp_path: Path, lake: Lake
) -> None:
    (tmp_path / "a-cut.json.gz").write_bytes(gzip.compress(as_json(records))[:-200])
    (tmp_path / "b-good.json").write_bytes(as_json(records))
    (tmp_path / "c-web.json").write_bytes(b"<html>busy</html>")
    (tmp_path / "d-empty.json").write_bytes(b"")
    with pytest.raises(IncompleteIngestError) as caught:
        ingest(lake, "aflow", saved=[str(tmp_path)])
    message = str(caught.value)
    assert all(name in message for name in ("a-cut.json.gz", "c-web.json", "d-empty.json"))
    assert caught.value.result.new == 25
    failed = lake.read("fetches", ["status", "message"], "status = 'failed'")
    assert failed.num_rows == 3


def test_limit_is_exact(records: list[dict[str, Any]], tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "1.json").write_bytes(as_json(records[:10]))
    (tmp_path / "2.json").write_bytes(as_json(records[10:]))
    result = ingest(lake, "aflow", saved=[str(tmp_path)], limit=13)
    assert (result.fetched, result.new) == (13, 13)


def test_a_corrected_record_leaves_the_rejects(
    records: list[dict[str, Any]], tmp_path: Path, lake: Lake
) -> None:
    spoilt = records[0] | {"Egap": "wide"}
    (tmp_path / "page.json").write_bytes(as_json([spoilt]))
    assert ingest(lake, "aflow", saved=[str(tmp_path / "page.json")]).rejected == 1
    reject = lake.read("rejects").to_pylist()[0]
    assert reject["reason"] == "bad_value"
    assert "band_gap_ev" in reject["message"]
    assert records[0]["auid"] in reject["calculation_id"]
    (tmp_path / "page.json").write_bytes(as_json(records[:1]))
    assert ingest(lake, "aflow", saved=[str(tmp_path / "page.json")]).new == 1
    assert lake.read("rejects").num_rows == 0


def test_a_bad_version_of_a_record_leaves_the_good_row(
    records: list[dict[str, Any]], tmp_path: Path, lake: Lake
) -> None:
    (tmp_path / "page.json").write_bytes(as_json(records[:1]))
    ingest(lake, "aflow", saved=[str(tmp_path / "page.json")])
    before = contents(lake)
    (tmp_path / "page.json").write_bytes(as_json([records[0] | {"Egap": -1}]))
    assert ingest(lake, "aflow", saved=[str(tmp_path / "page.json")]).reasons == {"out_of_range": 1}
    assert contents(lake) == before


def test_errors_say_what_to_do(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(SettingsError, match="no source 'icsd'"):
        ingest(lake, "icsd")
    with pytest.raises(SettingsError, match="no option colour"):
        ingest(lake, "aflow", options={"colour": "blue"})
    for address in ({"base_url": "https://me:secret@example.org"}, {"saved": ["https://me:secret@example.org/a.json"]}):
        with pytest.raises(SettingsError, match=r"example\.org holds a user name") as caught:
            ingest(lake, "aflow", **address)
        assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="does not exist"):
        ingest(lake, "aflow", saved=[str(tmp_path / "nothing.json")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no \.json"):
        ingest(lake, "aflow", saved=[str(tmp_path / "empty")])


def test_the_same_on_s3(records: list[dict[str, Any]], tmp_path: Path, s3_lake: Lake, lake: Lake) -> None:
    (tmp_path / "page.json").write_bytes(as_json(records))
    assert ingest(s3_lake, "aflow", saved=[str(tmp_path / "page.json")]).new == 25
    assert ingest(s3_lake, "aflow", saved=[str(tmp_path / "page.json")]).unchanged == 25
    ingest(lake, "aflow", saved=[str(tmp_path / "page.json")])
    assert contents(s3_lake) == contents(lake)
    with s3_lake.connect() as connection:
        assert connection.sql("select count(*) from calculations").fetchall() == [(25,)]
    assert s3_lake.refresh().exists()
