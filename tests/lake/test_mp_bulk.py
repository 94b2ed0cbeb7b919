"""Whole collections from Delta tables: a local folder, a bucket, a release among several, BY-NC rows."""

from __future__ import annotations

import gzip
from pathlib import Path
from uuid import uuid4

import orjson
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lake.errors import IncompleteError, SettingsError
from lake.ingest.run import ingest
from lake.store.lake import Lake
from tests.conftest import quick_settings

DATA = Path(__file__).parent.parent / "data" / "mp"
SUMMARIES = orjson.loads(gzip.decompress((DATA / "summary.json.gz").read_bytes()))["data"]
MADE = {"raw_sha256", "fetched_at", "record_sha256", "database_version", "formation_energy_functional",
        "formation_energy_reference"}


def table(version="2026-04-13", rows=SUMMARIES):
    """Documents as emmet writes them to S3: maps instead of objects of any key, a partition for the release."""
    amounts = pa.map_(pa.string(), pa.float64())
    columns = {name: [row.get(name) for row in rows] for name in rows[0] if name not in ("composition", "theoretical")}
    built = pa.table({
        **columns,
        "composition": pa.array([list(row["composition"].items()) for row in rows], amounts),
        "builder_meta": [{"license": "BY-NC" if n == 3 else "BY-C"} for n in range(len(rows))],
        "version": [version] * len(rows),
    })
    return built


@pytest.fixture
def collections(tmp_path):
    place = tmp_path / "bucket"
    for version, rows in (("2025-09-25", SUMMARIES[:5]), ("2026-04-13", SUMMARIES), ("2026-02-28", SUMMARIES[:7])):
        uri = place / "collections" / "summary"
        write_deltalake(uri, table(version, rows), mode="append", partition_by=["version"])
    return place


def contents(lake):
    rows = lake.read("calculations").to_pylist()
    return {r["source_id"]: {k: v for k, v in r.items() if k not in MADE} for r in rows}


@pytest.mark.parametrize("direct", [True, False])
def test_a_table_gives_the_rows_that_the_api_gives(direct, collections, lake, tmp_path):
    base = collections / "collections" / "summary" if direct else collections
    result = ingest(lake, "mp", options={"page_size": "10"}, base_url=str(base))
    assert result.fetched == len(SUMMARIES)
    assert dict(result.reasons) == {"by_nc": 1}
    assert result.pages == 5
    other = Lake.open(str(tmp_path / "other"), quick_settings())
    ingest(other, "mp", saved=[str(DATA / "summary.json.gz")])
    expected = contents(other)
    del expected[SUMMARIES[3]["material_id"]]
    assert contents(lake) == expected
    assert set(lake.read("calculations")["database_version"].to_pylist()) == {"2026-04-13"}
    again = ingest(lake, "mp", options={"page_size": "10"}, base_url=str(base))
    assert (again.taken, again.unchanged, again.rejected) == (0, len(SUMMARIES) - 1, 1)


def test_an_older_release_and_rows_under_by_nc_on_request(collections, lake):
    options = {"version": "2025.09.25", "include_by_nc": "true"}
    assert ingest(lake, "mp", options=options, base_url=str(collections)).taken == 5
    with pytest.raises(SettingsError, match="has 2025-09-25, 2026-02-28, 2026-04-13"):
        ingest(lake, "mp", options={"version": "2024-01-01"}, base_url=str(collections))


def test_filters_that_a_table_can_answer(collections, lake):
    ids = [row["material_id"] for row in SUMMARIES]
    result = ingest(lake, "mp", options={"material_ids": f"{ids[1]},{ids[20]},mp-1"}, base_url=str(collections))
    assert set(contents(lake)) == {ids[1], ids[20]}
    assert result.fetched == 2
    chosen = [r for r in SUMMARIES if "O" in r["elements"] and "Si" not in r["elements"]]
    result = ingest(lake, "mp", options={"elements": "O", "exclude_elements": "Si"}, base_url=str(collections))
    assert result.fetched == len(chosen) > 0
    with pytest.raises(SettingsError, match="via=rest"):
        ingest(lake, "mp", options={"band_gap_min": "1"}, base_url=str(collections))


def test_a_limit_holds(collections, lake):
    assert ingest(lake, "mp", options={"page_size": "4"}, base_url=str(collections), limit=6).fetched == 6


def test_a_table_that_is_not_there_is_named(lake, tmp_path):
    with pytest.raises(IncompleteError, match="collections/summary cannot be read as a Delta table"):
        ingest(lake, "mp", base_url=str(tmp_path / "nowhere"))
    assert lake.read("fetches")["status"].to_pylist() == ["failed"]


def test_an_interrupted_read_resumes_from_its_receipts(collections, lake, monkeypatch):
    from lake.errors import BadReplyError
    from lake.sources.mp import bulk

    whole = bulk._Reader.body

    def cut(self, part):
        if part == 2:
            raise BadReplyError("the connection broke")
        return whole(self, part)

    monkeypatch.setattr(bulk._Reader, "body", cut)
    with pytest.raises(IncompleteError, match="the connection broke"):
        ingest(lake, "mp", options={"page_size": "10"}, base_url=str(collections))
    monkeypatch.undo()
    result = ingest(lake, "mp", options={"page_size": "10"}, base_url=str(collections))
    assert result.resumed_pages == 2
    assert lake.read("calculations").num_rows == len(SUMMARIES) - 1


def test_a_bucket_of_another_s3_server(s3_server, lake):
    import boto3

    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
             "AWS_ENDPOINT_URL": s3_server, "AWS_ALLOW_HTTP": "true"}
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test")
    bucket = "materialsproject-build"
    client.create_bucket(Bucket=bucket)
    write_deltalake(f"s3://{bucket}/collections/summary", table(), partition_by=["version"],
                    storage_options={**names, "AWS_S3_ALLOW_UNSAFE_RENAME": "true"})
    for item in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.put_object_acl(Bucket=bucket, Key=item["Key"], ACL="public-read")
    result = ingest(lake, "mp", options={"via": "s3"}, base_url=s3_server)
    assert (result.taken, result.rejected) == (len(SUMMARIES) - 1, 1)


def test_densities_of_states_in_a_table(lake, tmp_path):
    oxide = orjson.loads(gzip.decompress((DATA / "es_dos_objs.json.gz").read_bytes()))[0]["data"]
    row = {"identifier": "aaaaaaft", "run_type": "GGA", "structure": oxide["structure"], "energies": oxide["energies"],
           "spin_up_densities": oxide["densities"]["1"], "spin_down_densities": oxide["densities"]["-1"],
           "efermi": oxide["efermi"]}
    place = tmp_path / f"total-dos-{uuid4().hex}"
    write_deltalake(place, pa.Table.from_pylist([row, {**row, "identifier": "aaaaaafu"}]), partition_by=["run_type"])
    assert ingest(lake, "mp", options={"endpoint": "dos"}, base_url=str(place)).taken == 2
    rows = lake.read("dos").to_pylist()
    assert {(r["source_id"], r["xc_functional"]) for r in rows} == {("task:mp-149", "pbe"), ("task:mp-150", "pbe")}
