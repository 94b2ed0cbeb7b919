"""Spoilt records through the whole ingest: rejects with a reason, counts that add up, nobody else harmed."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from lake.errors import IncompleteError
from lake.ingest.run import ingest
from tests.servers import derived, load
from tests.servers.fuzz import IDS, as_json, spoilt
from tests.servers.trial import RECORDS, check_sound, open_lake

# What the good records alone become is made once, by one worker.
pytestmark = pytest.mark.xdist_group("safety-fuzz")

AFLOW, MP, NOMAD, OPTIMADE = load(RECORDS)
N_GOOD = 4
LONG = bool(os.environ.get("TEST_LONG"))

MATERIALS = MP.documents["summary"]


def data(rows):
    return {"data": rows, "meta": {"total_doc": len(rows)}}


# Per kind of document: the source, real records, and the reply around them.
KINDS = {
    "aflux": ("aflow", AFLOW.rows, lambda rows: rows),
    "aflux_dict": ("aflow", AFLOW.rows, lambda rows: {f"{i + 1} of {len(rows)}": r for i, r in enumerate(rows)}),
    "summary": ("mp", MATERIALS, data),
    "tasks": ("mp", MP.documents["tasks"], data),
    "thermo": ("mp", [derived.thermo(row) for row in MATERIALS], data),
    "dos": ("mp", [derived.density(row) for row in MATERIALS], data),
    "snapshot": ("mp", [derived.snapshot(row) for row in MATERIALS], lambda rows: rows),
    "entries": ("nomad", NOMAD.entries, lambda rows: {"owner": "public", "data": rows, "pagination": {}}),
    "archive": ("nomad", NOMAD.archives, lambda rows: {"owner": "public", "data": rows, "pagination": {}}),
    "optimade": ("optimade", OPTIMADE.structures, lambda rows: {"data": rows, "meta": {}, "links": {}}),
}


def take(kind, good, bad):
    """Ingest good and bad records as one file into a new lake; check everything that must hold."""
    source, _, wrap = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reply.json"
        file.write_bytes(as_json(wrap([*good[: N_GOOD // 2], *bad, *good[N_GOOD // 2 :]])))
        lake = open_lake(Path(folder) / "lake", batch_records=1000)
        result = ingest(lake, source, saved=[str(file)])
        assert result.fetched == len(good) + len(bad)
        assert result.fetched == result.new + result.changed + result.unchanged + result.rejected
        assert sum(result.reasons.values()) == result.rejected
        rejects = lake.read("rejects").to_pylist()
        assert all(row["reason"] and row["message"] for row in rejects)
        # A density of an archive, or a crystal of a density, is no record of its own: that of the document counts.
        of_records = [row for row in rejects if not row["record_kind"].endswith(("_dos", "_crystal"))]
        assert {row["reason"] for row in of_records} == set(result.reasons)
        check_sound(lake)
        names = {p.name for p in Path(folder).rglob("*")}
        assert not names & {"passwd", "x"}, "an id became a path"
        return result, [row for table in ("calculations", "dos") for row in lake.read(table).to_pylist()]


def keyed(rows):
    """Rows by table (told by a column of `dos` alone) and id."""
    return {("energies_ev" in row, row["calculation_id"]): row for row in rows}


def good_and_base(kind):
    records = KINDS[kind][1]
    half = min(N_GOOD, len(records) // 2)
    return records[:half], records[half : half + 8]


@cache
def good_alone(kind):
    """The rows of the good records without any others."""
    return take(kind, good_and_base(kind)[0], [])[1]


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_records_are_rejected_and_good_ones_beside_them_are_taken(kind):
    good, base = good_and_base(kind)
    expected = good_alone(kind)
    assert len({row["source_id"] for row in expected}) == len(good)
    wanted = keyed(expected)

    @settings(max_examples=5 if LONG else 2, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(spoilt(base))
    def run(bad):
        _, rows = take(kind, good, bad)
        found = keyed(rows)
        for key, row in wanted.items():
            changing = {"raw_sha256", "fetched_at"}
            assert {k: v for k, v in found[key].items() if k not in changing} == {
                k: v for k, v in row.items() if k not in changing
            }

    run()


def every_text(record, text):
    """A record with every text in it replaced, its id excepted where ``text`` is long."""
    if isinstance(record, dict):
        return {k: v if k in ("auid", "material_id", "task_id", "entry_id", "id") else every_text(v, text)
                for k, v in record.items()}
    if isinstance(record, list):
        return [every_text(item, text) for item in record]
    return text if isinstance(record, str) else record


@pytest.mark.parametrize("kind", KINDS)
def test_ten_megabytes_of_text_harm_nobody(kind):
    good, base = good_and_base(kind)
    long = "x" * 10_000_000
    first = next(name for name, value in base[0].items() if isinstance(value, str))
    result, rows = take(kind, good, [{**base[0], first: long}, {**base[1], "unheard_of": long}, long])
    assert result.rejected >= 1
    assert len(rows) >= len(good)
    assert max(len(str(row)) for row in rows) < 1_000_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [200, 5_000] if LONG else [5_000])
def test_deep_nesting_harms_nobody(kind, depth, tmp_path):
    good, base = good_and_base(kind)
    source, _, wrap = KINDS[kind]
    marker = '"DEEP"'
    body = as_json(wrap([*good, {**base[0], "deep": "DEEP"}])).decode()
    file = tmp_path / "reply.json"
    file.write_text(body.replace(marker, "[" * depth + "]" * depth))
    lake = open_lake(tmp_path / "lake")
    result = ingest(lake, source, saved=[str(file)])
    assert result.fetched == len(good) + 1
    assert lake.read("dos" if kind == "dos" else "calculations").num_rows >= len(good)


TEXTS = ("'; drop table calculations; --", "../../../x", "\u202e\u0007", "\ud83d", "NaN")


@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_texts_from_outside_are_never_sql_or_paths(kind):
    good, base = good_and_base(kind)
    names = ("auid", "material_id", "task_id", "entry_id", "id")
    of_ids = [{**base[0], **{name: text for name in names if name in base[0]}} for text in IDS]
    of_texts = [every_text(record, text) for text in TEXTS for record in base[:2]]
    _, rows = take(kind, good, of_ids + of_texts)
    assert {row["calculation_id"] for row in rows} >= {row["calculation_id"] for row in good_alone(kind)}


BODIES = (
    b"", b"null", b"42", b'"text"', b"[", b"{}", b"[]", b"\x00\xff\xfe", b"<html></html>", b"DB Fail!\nnull",
    b'{"data": null}', b'{"data": 7, "meta": {}}', b"[[[]]]", b"\x1f\x8b\x08\x00broken", b"[" * 100_000,
    b'{"data": [', b"\x28\xb5\x2f\xfdbroken", b"BZhbroken", b'{"error": "database is down"}',
)


@pytest.mark.parametrize("source", ["aflow", "mp", "nomad", "optimade"])
def test_files_that_are_no_replies_are_named_and_cost_no_other(source, tmp_path):
    kind = {"aflow": "aflux", "mp": "summary", "nomad": "entries", "optimade": "optimade"}[source]
    good, _ = good_and_base(kind)
    for number, body in enumerate(BODIES):
        (tmp_path / f"bad-{number:02}.json").write_bytes(body)
    (tmp_path / "good.json").write_bytes(as_json(KINDS[kind][2](good)))
    lake = open_lake(tmp_path / "lake")
    with pytest.raises(IncompleteError) as caught:
        ingest(lake, source, saved=[str(path) for path in sorted(tmp_path.glob("*.json"))])
    result = caught.value.result
    assert result.balanced
    taken = {Path(row["origin"]).name for row in lake.read("fetches", where="status = 'taken'").to_pylist()}
    named = {f"bad-{number:02}.json" for number in range(len(BODIES)) if f"bad-{number:02}" in str(result.missing)}
    assert "good.json" in taken
    assert len(taken | named) == len(BODIES) + 1, "a file was neither taken nor named"
    assert len(named) > len(BODIES) // 2
    assert lake.read("calculations").num_rows == len(good)
