"""What documents of the Materials Project are, and by which ids the lake knows them."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import BadReplyError, InputError
from lake.sources import find
from lake.sources.mp import functionals
from lake.sources.mp.ids import LAST_NUMBERED, canonical, from_letters, id_in_name, thermo_parts, to_letters

DATA = Path(__file__).parent.parent / "data" / "mp"
SOURCE = find("mp")


def read(name):
    return orjson.loads(gzip.decompress((DATA / name).read_bytes()))


def row_id(record, kind=None, origin="reply.json"):
    kind, records = (kind, [record]) if kind else SOURCE.records(record, origin)
    found = SOURCE.identify(records[0], kind)
    return found and (found.table, found.source_id)


@pytest.mark.parametrize(("given_id", "expected"), [
    ("mp-149", "mp-149"), ("mp-ft", "mp-149"), ("mp-aaaaaaft", "mp-149"), ("aaaaaaft", "mp-149"), (149, "mp-149"),
    (" mp-149 ", "mp-149"), ("mvc-15", "mvc-15"), ("mp-cieeq", "mp-1057384"), ("mp-834-Ag", "mp-834-Ag"),
    ("mp-00149", "mp-149"), (f"mp-{LAST_NUMBERED}", f"mp-{LAST_NUMBERED}"),
    ("mp-3347530", "mp-aaahilze"), ("mp-hilze", "mp-aaahilze"), ("01GXB4HYXWFAGBSMDCT5A5S7JZ",) * 2,
    (None, None), ("", None), ("None", None), ("nan", None), (True, None), (-3, None), (1.5, None), ([], None),
    ("../../x", None), ("'; drop table x; --", None), ("mp-", None), ("x" * 10_000, None), ("mp-149\n-x", None),
])
def test_every_spelling_of_an_id_has_one_form(given_id, expected):
    assert canonical(given_id) == expected


@given(st.integers(0, 10**12))
def test_letters_and_numbers_are_two_spellings(number):
    assert from_letters(to_letters(number)) == number
    assert canonical(f"mp-{number}") == canonical(f"mp-{to_letters(number)}")
    assert canonical(canonical(f"mp-{number}")) == canonical(f"mp-{number}")


@given(st.text(max_size=200) | st.integers() | st.floats() | st.none())
def test_an_id_is_printable_and_short_or_none(value):
    found = canonical(value)
    assert found is None or (found.isascii() and found.isprintable() and len(found) < 200 and "/" not in found)


@pytest.mark.parametrize(("record", "expected"), [
    ({"material_id": "mp-ft", "thermo_type": "GGA_GGA+U"}, ("mp-149", "GGA_GGA+U")),
    ({"thermo_id": "mp-149_GGA_GGA+U"}, ("mp-149", "GGA_GGA+U")),
    ({"thermo_id": "mp-149-GGA_GGA+U_R2SCAN"}, ("mp-149", "GGA_GGA+U_R2SCAN")),
    ({"thermo_id": "mp-aaaaaaft_R2SCAN"}, ("mp-149", "R2SCAN")),
    ({"material_id": "mp-149", "thermo_type": "r2SCAN"}, ("mp-149", "R2SCAN")),
    ({"thermo_id": "nonsense"}, (None, None)),
    ({"material_id": 3.2, "thermo_type": []}, (None, None)),
])
def test_a_thermo_document_is_a_material_on_a_hull(record, expected):
    assert thermo_parts(record) == expected


def test_kinds_and_ids_of_real_documents():
    summary, tasks = read("summary.json.gz"), read("tasks.json.gz")
    assert SOURCE.records(summary, "x")[0] == "summary"
    assert SOURCE.records(summary["data"], "x")[0] == "summary"
    assert SOURCE.records(tasks, "x")[0] == "task"
    assert row_id(tasks[0]) == ("calculations", "task:mp-1057384")
    assert row_id(summary["data"][0]) == ("calculations", summary["data"][0]["material_id"])
    kind, densities = SOURCE.records(read("es_dos_objs.json.gz"), "x")
    assert (kind, len(densities)) == ("dos", 2)
    assert SOURCE.identify(densities[0], kind).source_id == "task:mp-823888"


def test_a_density_of_states_is_named_by_its_file_alone_if_by_nothing_else():
    name = "dos_spin_polarization_mp-865805.json.gz"
    assert row_id(read(name), origin=f"/some/where/{name}") == ("dos", "mp-865805")
    assert row_id(read(name), origin="/mp-149/dos.json") is None
    assert row_id(read("NiO_dos-pmg.json.gz"), origin="NiO_dos-pmg.json.gz") is None
    assert id_in_name("mp-149_to_mp-150.json") is None
    assert row_id({**read(name), "identifier": "aaaaaaft"}) == ("dos", "task:mp-149")
    assert row_id({**read(name), "task_id": "mp-2", "material_id": "mp-ft"}) == ("dos", "mp-149")


@pytest.mark.parametrize(("document", "kind"), [
    ({"data": [], "meta": {"total_doc": 0}}, "summary"), ([], "summary"), ({"data": [1, None]}, "summary"),
    ({"data": [{"material_id": "mp-1", "thermo_type": "R2SCAN"}]}, "thermo"),
    ([{"material_id": "mp-1", "structure": "data_X\n_cell_length_a 3\n"}], "snapshot2018"),
    ([{"material_id": "mp-1", "structure": '{"lattice": {}}'}], "summary"),
    ({"material_id": "mp-1", "dos": {"total": {}}, "band_gap": 1}, "summary"),
    ({"status": "OK", "db_version": "2026-04-13", "access_controlled_batch_ids": []}, "heartbeat"),
])
def test_documents_are_known_by_their_shape(document, kind):
    assert SOURCE.records(document, "x")[0] == kind


@pytest.mark.parametrize("document", [None, 3, "text", {}, {"data": None}, {"data": {}}, [1, 2], [{"auid": "aflow:1"}],
                                      {"energies": []}, [[[]]]])
def test_what_is_no_document_is_refused_with_what_is_expected(document):
    with pytest.raises(InputError, match=r"some\.json holds .*; expected a reply of the Materials Project"):
        SOURCE.records(document, "some.json")


@pytest.mark.parametrize("document", [None, "x", {"error": "blocked"}, {"detail": "x"}, {"message": "no"}])
def test_an_error_with_status_200_is_no_reply(document):
    with pytest.raises(BadReplyError):
        SOURCE.check(orjson.dumps(document), document)
    SOURCE.check(b"", {"data": [], "message": "fine"})


@pytest.mark.parametrize(("run_type", "expected"), [
    ("GGA", ("pbe", False)), ("GGA+U", ("pbe", True)), ("GGA_U", ("pbe", True)), ("PBE", ("pbe", False)),
    ("PBEsol", ("pbesol", False)), ("PS", ("pbesol", False)), ("SCAN", ("scan", False)), ("r2SCAN", ("r2scan", False)),
    ("R2SCAN+U", ("r2scan", True)), ("HSE06", ("hse06", False)), ("LDA", ("lda", False)), ("LDA+U", ("lda", True)),
    ("revPBE+PADE", ("rpbe", False)), ("optB88-vdW", ("optb88-vdw", False)), (None, (None, None)), ("", (None, None)),
])
def test_run_types(run_type, expected):
    assert functionals.of_run_type(run_type) == expected


@pytest.mark.parametrize(("version", "expected"), [
    ("2026-04-13", (2026, 4, 13)), ("2022.10.28", (2022, 10, 28)), ("2021_11_10", (2021, 11, 10)),
    ("v2025.02.12.post1", (2025, 2, 12)), ("2023.11", (2023, 11, 1)), ("2025.06.09-post2", (2025, 6, 9)),
    ("latest", None), (None, None), (2022, None), ("20221028", None),
])
def test_releases(version, expected):
    assert functionals.release(version) == expected
