"""The walk over an OPTIMADE provider: links of all kinds, totals that lie, fields that are refused."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from lake.errors import IncompleteError, RefusedError, SettingsError
from lake.ingest.run import ingest
from lake.sources.base import Request
from lake.sources.optimade.query import next_link, read_options, structures_url
from tests.servers import Optimade, Server
from tests.servers.exchange import json_answer
from tests.servers.trial import databases, open_lake

PAGES = {"page_size": "13"}


@pytest.fixture(scope="module")
def structures():
    return databases()[3].structures


def taken_ids(lake):
    return {row["source_id"] for row in lake.read("calculations").to_pylist()}


def all_ids(structures):
    return {f"exmpl/{row['id']}" for row in structures}


class Changed(Optimade):
    """A provider whose documents are changed by a function before they go out."""

    change = staticmethod(lambda document, question: document)

    def answer(self, question, view):
        answer = super().answer(question, view)
        return json_answer(self.change(json.loads(answer.body), question), answer.status)


def changed(structures, change):
    made = Changed(structures)
    made.change = change
    return made


def run(server, lake, **options):
    return ingest(lake, "optimade", options={**PAGES, **options}, base_url=server.url)


@pytest.mark.parametrize("as_object", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_links_of_every_form(as_object, relative, structures, tmp_path):
    def change(document, question):
        link = document["links"]["next"]
        if relative and link:
            parts = urlsplit(link["href"] if as_object else link)
            document["links"]["next"] = {"href": f"{parts.path}?{parts.query}"} if as_object else f"?{parts.query}"
        return document

    database = changed(structures, change)
    database.link_as_object = as_object
    lake = open_lake(tmp_path)
    with Server([database]) as server:
        result = run(server, lake)
    assert result.fetched == len(structures)
    assert taken_ids(lake) == all_ids(structures)


def test_a_filter_passes_through(structures, tmp_path):
    wanted = {f"exmpl/{r['id']}" for r in structures if "O" in r["attributes"]["elements"]}
    lake = open_lake(tmp_path)
    with Server([Optimade(structures)]) as server:
        run(server, lake, filter='elements HAS "O"')
    assert taken_ids(lake) == wanted


def test_a_link_to_another_host_is_refused(structures, tmp_path):
    def away(document, question):
        if document["links"]["next"]:
            document["links"]["next"] = "http://elsewhere.example.org/v1/structures?page_offset=13"
        return document

    lake = open_lake(tmp_path)
    with Server([changed(structures, away)]) as server, pytest.raises(IncompleteError, match="elsewhere"):
        run(server, lake)
    assert lake.read("calculations").num_rows == 13


def test_links_in_a_circle_end(structures, tmp_path):
    def back(document, question):
        document["links"]["next"] = f"http://{question.host}/v1/structures?page_limit=13&page_offset=13"
        return document

    with Server([changed(structures, back)]) as server:
        with pytest.raises(IncompleteError, match="leads back"):
            run(server, open_lake(tmp_path))
        assert len(server.log) < 10


def test_more_without_a_link_is_told(structures, tmp_path):
    def cut(document, question):
        document["links"]["next"] = None
        return document

    with Server([changed(structures, cut)]) as server, pytest.raises(IncompleteError, match=r"links\.next is missing"):
        run(server, open_lake(tmp_path))


def test_a_total_that_is_too_low_is_no_end(structures, tmp_path):
    def lie(document, question):
        document["meta"]["data_returned"] = 1
        return document

    lake = open_lake(tmp_path)
    with Server([changed(structures, lie)]) as server:
        assert run(server, lake).fetched == len(structures)


def test_a_structure_that_a_page_left_out_is_asked_for(structures, tmp_path):
    lost = structures[20]["id"]

    def forget(document, question):
        if isinstance(document["data"], list) and question.params.get("response_fields") != "id" and \
                not question.path.endswith(lost):
            document["data"] = [row for row in document["data"] if row["id"] != lost]
        return document

    lake = open_lake(tmp_path)
    with Server([changed(structures, forget)]) as server:
        run(server, lake)
    assert taken_ids(lake) == all_ids(structures)


def test_structures_without_an_id_are_rejected_and_not_missing(structures, tmp_path):
    lake = open_lake(tmp_path)
    with Server([Optimade([*structures[:15], {**structures[15], "id": ""}])]) as server:
        result = run(server, lake)
    assert (result.fetched, dict(result.reasons)) == (16, {"no_id": 1})


def test_fields_that_a_server_refuses_are_left_to_it(structures, tmp_path):
    class Strict(Optimade):
        def answer(self, question, view):
            if "space_group_it_number" in question.params.get("response_fields", ""):
                return self._wrong(400, "Unrecognised OPTIMADE field(s) in response_fields")
            return super().answer(question, view)

    lake = open_lake(tmp_path)
    with Server([Strict(structures)]) as server:
        assert run(server, lake).fetched == len(structures)


def test_a_wrong_filter_is_told(structures, tmp_path):
    with Server([Optimade(structures)]) as server, pytest.raises(IncompleteError, match="cannot be read"):
        run(server, open_lake(tmp_path), filter="elements HAS O")


def test_a_limit_stops_early(structures, tmp_path):
    lake = open_lake(tmp_path)
    with Server([Optimade(structures)]) as server:
        assert ingest(lake, "optimade", base_url=server.url, limit=5).fetched == 5
        assert len(server.log) == 1


@pytest.mark.parametrize(("base", "url"), [
    ("https://a.org", "https://a.org/v1/structures"), ("https://a.org/x/", "https://a.org/x/v1/structures"),
    ("https://a.org/x/v1", "https://a.org/x/v1/structures"), ("https://a.org/v1.2.0", "https://a.org/v1.2.0/structures"),
    ("https://a.org/v1/structures", "https://a.org/v1/structures"),
])
def test_base_urls(base, url):
    assert structures_url(base) == url


def test_providers_by_name_and_by_address():
    assert read_options({"provider": "nomad"}, None, None).structures_url.startswith("https://nomad-lab.eu/")
    by_name = read_options({"provider": "alexandria-pbesol"}, None, None)
    by_address = read_options({}, "https://alexandria.icams.rub.de/pbesol/v1", None)
    assert by_name == by_address
    assert "_alexandria_band_gap" in by_name.fields[0]
    for options, told in (({}, "needs a provider"), ({"provider": "x"}, "not known"),
                          ({"provider": "mp", "page_size": "0"}, "page_size")):
        with pytest.raises(SettingsError, match=told):
            read_options(options, None, None)
    with pytest.raises(SettingsError, match="no URL"):
        read_options({}, "oqmd.org", None)


def test_a_link_stays_on_https():
    request = Request("https://a.org/v1/structures")
    assert next_link({"links": {"next": "http://a.org/v1/structures?page=2"}}, request) == (
        "https://a.org/v1/structures?page=2")
    assert next_link({"links": {"next": {"href": ""}}}, request) is None
    assert next_link({"links": None}, request) is None
    with pytest.raises(RefusedError, match="another host"):
        next_link({"links": {"next": "//b.org/x"}}, request)
