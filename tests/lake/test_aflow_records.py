"""What AFLOW sends and what people save: told apart by shape, attributed to an auid, error texts refused."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import orjson
import pytest

from lake.errors import BadReplyError, InputError
from lake.sources import find
from lake.sources.aflow.texts import decode

DATA = Path(__file__).parent.parent / "data" / "aflow"
SOURCE = find("aflow")
AUID = "aflow:fbc2cf03b9659c90"


def read(name):
    return orjson.loads((DATA / name).read_bytes())


def dosdata():
    packed = (DATA / "entry" / "Ag1Co1O2_ICSD_246157_dosdata.json.xz").read_bytes()
    return orjson.loads(lzma.decompress(packed))


def doscar():
    return lzma.decompress((DATA / "entry" / "DOSCAR.static.xz").read_bytes())


@pytest.mark.parametrize(("name", "kind", "count"), [
    ("aflux.json", "aflux", 11), ("data0.json", "aflux", 20), ("icsd_example.json", "aflowlib", 1),
])
def test_replies_of_every_shape_give_their_records(name, kind, count):
    found, rows = SOURCE.records(read(name), name)
    assert (found, len(rows)) == (kind, count)
    assert all(SOURCE.identify(row, found).table == "calculations" for row in rows)
    assert all(SOURCE.identify(row, found).source_id == row["auid"] for row in rows)


@pytest.mark.parametrize("empty", [[], {}])
def test_a_search_without_matches_has_no_records(empty):
    assert SOURCE.records(empty, "x") == ("aflux", [])


@pytest.mark.parametrize("document", ["DB Fail!", 7, None, {"a": 1}, ["Welcome to Aflux", "help"]])
def test_unknown_documents_are_named_with_what_is_expected(document):
    with pytest.raises(InputError, match=r"reply\.json holds .*expected an AFLUX reply"):
        SOURCE.records(document, "reply.json")


@pytest.mark.parametrize("auid", [
    None, 7, "", "aflow:", "aflow:xyz", "aflow:ed51b7b3938f117", "aflow:ed51b7b3938f117f0", "../../etc/passwd",
    "aflow:ed51b7b3938f117f'; drop table x", "a" * 10_000_000, ["aflow:ed51b7b3938f117f"],
])
def test_malformed_ids_are_none(auid):
    assert SOURCE.identify({"auid": auid}, "aflux") is None


def test_an_id_with_a_line_feed_of_the_old_api_is_read():
    assert SOURCE.identify({"auid": "aflow:ed51b7b3938f117f\n"}, "aflux").source_id == "aflow:ed51b7b3938f117f"


@pytest.mark.parametrize("body", [b"DB Fail!\nnull", b"Lux Fail! Syntax", b"Count Fail!null", b"null", b'"Lux Fail"'])
def test_error_texts_with_status_200_are_no_reply(body):
    try:
        document = orjson.loads(body)
    except ValueError:
        document = None
    with pytest.raises(BadReplyError, match="instead of entries"):
        SOURCE.check(body, document)


def test_real_replies_pass_the_check():
    for name in ("aflux.json", "data0.json", "icsd_example.json"):
        SOURCE.check((DATA / name).read_bytes(), read(name))
    SOURCE.check(doscar(), decode(doscar()))


def test_a_cut_doscar_is_asked_for_again():
    cut = doscar()[:100_000]
    with pytest.raises(BadReplyError, match="it is cut"):
        SOURCE.check(cut, decode(cut))


def test_a_doscar_is_known_by_its_shape_and_json_is_left_alone():
    found = decode(doscar())["doscar"]
    assert (found["n_atoms"], found["points"], len(found["columns"])) == (8, 5000, 3)
    assert found["efermi"] == pytest.approx(1.92826065)
    assert decode(b'{"a": 1}') is None
    assert decode(b"") is None
    assert decode(b"8 8 1 0\n") is None


def test_an_aflowlib_out_is_an_entry():
    text = b"aurl=aflowlib.duke.edu:AFLOWDATA/ICSD_WEB/HEX/Be1O1_ICSD_15620 | auid=aflow:ed51b7b3938f117f | Egap=7.4"
    kind, rows = SOURCE.records(decode(text), "aflowlib.out")
    assert kind == "aflowlib"
    assert rows[0]["auid"] == "aflow:ed51b7b3938f117f"
    assert rows[0]["Egap"] == "7.4"


def test_a_live_density_is_attributed_by_its_address_alone():
    kind, rows = SOURCE.records(dosdata(), f"https://aflowlib.duke.edu/x/y_dosdata.json.xz#{AUID}")
    assert kind == "dosdata"
    assert SOURCE.identify(rows[0], kind).table == "dos"
    assert SOURCE.identify(rows[0], kind).source_id == AUID


def test_a_saved_density_is_attributed_by_the_entry_beside_it(tmp_path):
    shutil.copy(DATA / "entry" / "aflowlib.json", tmp_path)
    for document, name in ((dosdata(), "a_dosdata.json.xz"), (decode(doscar()), "DOSCAR.static.xz")):
        kind, rows = SOURCE.records(document, str(tmp_path / name))
        assert SOURCE.identify(rows[0], kind).source_id == AUID


def test_a_density_beside_another_entry_or_none_has_no_id(tmp_path):
    kind, rows = SOURCE.records(dosdata(), str(tmp_path / "a_dosdata.json"))
    assert SOURCE.identify(rows[0], kind) is None
    (tmp_path / "aflowlib.json").write_bytes((DATA / "icsd_example.json").read_bytes())
    kind, rows = SOURCE.records(dosdata(), str(tmp_path / "a_dosdata.json"))
    assert SOURCE.identify(rows[0], kind) is None
