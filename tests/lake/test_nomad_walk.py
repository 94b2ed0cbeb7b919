"""The walk over a NOMAD: queries, cursors, archives that do not come, an Oasis, old servers."""

from __future__ import annotations

import json

import pytest

from lake.errors import IncompleteError, SettingsError
from lake.ingest.run import ingest
from lake.sources import find
from lake.sources.nomad.query import api_url, build_query, read_options
from tests.servers import Nomad, Server
from tests.servers.exchange import Answer, json_answer
from tests.servers.trial import databases, open_lake

ROOT = "/prod/v1/api/v1"
ARCHIVES = {"what": "archive", "elements": "B,N", "page_size": "7"}


@pytest.fixture(scope="module")
def held():
    return databases()[2]


def archive_ids(held):
    return {row["entry_id"] for row in held.archives}


def taken_ids(lake, table="calculations"):
    return {row["source_id"] for row in lake.read(table).to_pylist()}


@pytest.mark.parametrize(("base", "api"), [
    ("", "/api/v1"), ("/oasis", "/oasis/api/v1"), ("/oasis/api", "/oasis/api/v1"), ("/oasis/api/v1", "/oasis/api/v1"),
    ("/oasis/api/v1/", "/oasis/api/v1"), ("/oasis/gui/search", "/oasis/api/v1"),
])
def test_an_oasis_by_any_of_its_addresses(base, api, held, tmp_path):
    lake = open_lake(tmp_path)
    with Server([held]) as server:
        result = ingest(lake, "nomad", options={"page_size": "30"}, base_url=server.url + base)
        assert {asked.question.path for asked in server.log} == {f"{api}/entries/query"}
    assert result.taken == result.fetched == len(taken_ids(lake))
    assert all(row["source_url"].startswith(server.url) for row in lake.read("calculations").to_pylist())


def test_api_urls():
    assert api_url(None) == "https://nomad-lab.eu/prod/v1/api/v1"
    with pytest.raises(SettingsError, match="no URL"):
        api_url("nomad-lab.eu")


def test_archives_with_their_densities(held, tmp_path):
    lake = open_lake(tmp_path)
    with Server([held]) as server:
        ingest(lake, "nomad", options=ARCHIVES, base_url=server.url + ROOT)
        assert len(server.log) == -(-len(archive_ids(held)) // 7)
    assert taken_ids(lake) == taken_ids(lake, "dos") == archive_ids(held)


def test_an_archive_that_never_comes_is_named_and_its_entry_taken(held, tmp_path):
    lost = sorted(archive_ids(held))[3]
    made = [{"entry_id": r["entry_id"], "results": r["archive"]["results"]} for r in held.archives]
    database = Nomad([*held.entries, *made], [r for r in held.archives if r["entry_id"] != lost])
    lake = open_lake(tmp_path)
    with Server([database]) as server, pytest.raises(IncompleteError, match=lost) as caught:
        ingest(lake, "nomad", options={"what": "archive", "elements": "B,N"}, base_url=server.url + ROOT)
    assert caught.value.result.missing
    assert taken_ids(lake) == archive_ids(held)
    assert taken_ids(lake, "dos") == archive_ids(held) - {lost}


def test_an_entry_that_was_never_processed_has_no_archive_to_miss(held, tmp_path):
    lost = sorted(archive_ids(held))[0]
    made = {"entry_id": lost, "processed": False, "results": held.archives[0]["archive"]["results"]}
    database = Nomad([made], [r for r in held.archives if r["entry_id"] != lost])
    lake = open_lake(tmp_path)
    with Server([database]) as server:
        result = ingest(lake, "nomad", options={"what": "archive"}, base_url=server.url + ROOT)
    assert result.fetched == len(archive_ids(held))


class Forgetful(Nomad):
    """Leaves one archive out of the first page that should hold it."""

    def answer(self, question, view):
        answer = super().answer(question, view)
        if "archive" in question.path and not getattr(self, "forgot", False):
            self.forgot = True
            document = json.loads(answer.body)
            document["data"] = document["data"][1:]
            return json_answer(document)
        return answer


def test_an_archive_left_out_once_is_asked_for_by_name(held, tmp_path):
    lake = open_lake(tmp_path)
    with Server([Forgetful(held.entries, held.archives)]) as server:
        ingest(lake, "nomad", options=ARCHIVES, base_url=server.url + ROOT)
    assert taken_ids(lake, "dos") == archive_ids(held)


class Old(Nomad):
    """A server that does not know today's names of quantities."""

    def answer(self, question, view):
        if "energy_ref" in json.dumps(question.body):
            return json_answer({"detail": [{"loc": ["required"], "msg": "energy_ref is no quantity"}]}, 422)
        return super().answer(question, view)


def test_an_old_server_is_asked_for_whole_sections(held, tmp_path):
    lake = open_lake(tmp_path)
    with Server([Old(held.entries, held.archives)]) as server:
        ingest(lake, "nomad", options=ARCHIVES, base_url=server.url + ROOT)
    assert taken_ids(lake, "dos") == archive_ids(held)


class Stuck(Nomad):
    """A server whose cursor stops moving."""

    def answer(self, question, view):
        document = json.loads(super().answer(question, view).body)
        document["pagination"]["next_page_after_value"] = "0"
        return json_answer(document)


def test_a_cursor_that_stops_ends_the_walk(held, tmp_path):
    with Server([Stuck(held.entries, held.archives)]) as server:
        with pytest.raises(IncompleteError):
            ingest(open_lake(tmp_path), "nomad", options={"page_size": "5"}, base_url=server.url + ROOT)
        assert len(server.log) < 100


def test_a_limit_stops_early_and_nothing_is_missing(held, tmp_path):
    lake = open_lake(tmp_path)
    with Server([held]) as server:
        result = ingest(lake, "nomad", options={"page_size": "10"}, base_url=server.url + ROOT, limit=13)
        assert len(server.log) == 2
    assert result.fetched == 13


def test_a_tree_or_owner_that_is_refused_is_told(held, tmp_path):
    class Closed(Nomad):
        def answer(self, question, view):
            return Answer(401, b'{"detail": "login"}', {})

    with Server([Closed(held.entries)]) as server, pytest.raises(IncompleteError, match="401"):
        ingest(open_lake(tmp_path), "nomad", options={"owner": "visible"}, base_url=server.url + ROOT)


def test_options_become_one_query():
    assert build_query({}) == {}
    assert build_query({"elements": "Ti, O"}) == {"results.material.elements": {"all": ["Ti", "O"]}}
    query = build_query({"query": '{"upload_id": "x"}', "program": "VASP", "functional": "pbe", "dos": "true"})
    assert query["and"][0] == {"upload_id": "x"}
    assert query["and"][1] == {"results.method.simulation.program_name": {"any": ["VASP"]}}
    names = query["and"][2]["results.method.simulation.dft.xc_functional_names"]["all"]
    assert set(names) == {"GGA_X_PBE", "GGA_C_PBE"}
    assert all("dos_electronic" in name for name in query["and"][3]["quantities:any"])
    assert build_query({"functional": "HYB_GGA_XC_B97"}) == {
        "results.method.simulation.dft.xc_functional_names": {"all": ["HYB_GGA_XC_B97"]}}


@pytest.mark.parametrize("options", [
    {"what": "all"}, {"owner": "me"}, {"page_size": "0"}, {"page_size": "10001"}, {"page_size": "x"},
    {"query": "{"}, {"query": "[]"}, {"elements": " , "}, {"dos": "yes"},
])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(SettingsError, match=next(iter(options))):
        read_options(options, None, None)


def test_token_goes_into_the_header_only():
    from lake.settings import load_settings

    source = find("nomad")
    assert source.headers(load_settings(nomad_token="secret")) == {"Authorization": "Bearer secret"}
    assert source.headers(load_settings()) == {}
