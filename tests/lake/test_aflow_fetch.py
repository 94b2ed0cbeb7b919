"""The walk over AFLUX against a small database in memory: nothing lost, whatever the server does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import IncompleteError, SettingsError
from lake.sources import find
from lake.sources.aflow.densities import density_file
from lake.sources.aflow.query import read_options
from lake.sources.aflow.seen import Seen
from lake.sources.base import Page
from tests.conftest import examples

SOURCE = find("aflow")


def entry(number, enthalpy, **more):
    auid = f"aflow:{number * 0x9E3779B97F4A7C15 % 2**64:016x}"
    aurl = f"aflowlib.duke.edu:AFLOWDATA/ICSD_WEB/HEX/X{number}"
    return {"auid": auid, "aurl": aurl, "compound": "Be2O2", "enthalpy_formation_atom": enthalpy, **more}


class Aflux:
    """A walker whose server holds some rows.

    Args:
        rows: the entries.
        cap: rows a page at most; whatever is asked for.
        heavy: searches that match more rows fail.
        knows_absence: whether ``keyword(!*)`` is understood, or matches nothing.
        as_dict: replies of the old shape.
        lost: by how much the stated total is too high.
        drift: called with the number of the request before it is answered; may change ``rows``.
    """

    limit = None

    def __init__(self, rows, cap=None, heavy=None, knows_absence=True, as_dict=False, lost=0, drift=None, files=None):
        self.rows, self.cap, self.heavy, self.knows_absence = list(rows), cap, heavy, knows_absence
        self.as_dict, self.lost, self.drift, self.files = as_dict, lost, drift, files or {}
        self.failed, self.asked, self.dead = {}, [], False

    def get(self, request):
        self.asked.append(unquote(request.url))
        if self.drift:
            self.drift(len(self.asked), self.rows)
        document = None if self.dead else self.answer(request.url)
        if document is None:
            self.fail(request, "answered 500")
            raise IncompleteError("answered 500")
        kind, records = SOURCE.records(document, request.url)
        return Page(request, orjson.dumps(document), document, records, kind, request.url, datetime.now(UTC))

    def get_many(self, requests):
        for request in requests:
            try:
                yield self.get(request)
            except IncompleteError:
                continue

    def fail(self, request, message):
        self.failed[request.url] = message

    def forget(self, request):
        self.failed.pop(request.url, None)

    def answer(self, url):
        parts = urlsplit(url)
        if "aflux" not in parts.path:
            return self.files.get(parts.path.rpartition("/")[2])
        query = unquote(parts.query)
        rows = [row for row in self.rows if self.matches(row, query)]
        if self.heavy is not None and len(rows) > self.heavy:
            return None
        key = "enthalpy_formation_atom" if query.startswith("enthalpy") else "auid"
        rows.sort(key=lambda row: (row[key] is None, row[key] or 0, row["auid"]))
        number, size = map(int, re.search(r"\$paging\((\d+),(\d+)\)", query).groups())
        size = min(size, self.cap or size)
        page = rows[(number - 1) * size : number * size]
        if not self.as_dict:
            return page
        return {f"{i + 1} of {len(rows) + self.lost}": row for i, row in enumerate(page)}

    def matches(self, row, query):
        enthalpy = row["enthalpy_formation_atom"]
        window = re.search(r"enthalpy_formation_atom\(([-\d.]+)\*,\*([-\d.]+)\)", query)
        if window:
            return enthalpy is not None and float(window[1]) <= enthalpy <= float(window[2])
        if "enthalpy_formation_atom(!*)" in query:
            return self.knows_absence and enthalpy is None
        prefix = re.search(r"auid\('([^']*)'\*\)", query)
        return row["auid"].startswith(prefix[1]) if prefix else True


def walk(server, **options):
    return list(SOURCE.walk(server, {"page_size": "10"} | options, None))


def found(pages):
    return {record["auid"] for page in pages for record in page.records}


ROWS = [entry(i, None if i % 7 == 0 else -4.0 + 0.03 * i) for i in range(150)] + [entry(200, -400.0), entry(201, 55.5)]
ALL = {row["auid"] for row in ROWS}


@pytest.mark.parametrize("by", ["enthalpy", "auid"])
@pytest.mark.parametrize("server", [
    {}, {"cap": 4}, {"heavy": 12}, {"as_dict": True}, {"knows_absence": False}, {"heavy": 25, "cap": 3},
])
def test_everything_is_found_whatever_the_server_can(by, server):
    aflux = Aflux(ROWS, **server)
    pages = walk(aflux, by=by)
    assert found(pages) == ALL
    assert not aflux.failed


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-30, 30), st.just(-1.0)), max_size=60),
    st.sampled_from(["enthalpy", "auid"]), st.integers(1, 12), st.sampled_from([None, 1, 5]),
)
def test_any_distribution_is_covered_once_and_wholly(enthalpies, by, size, cap):
    rows = [entry(i, e) for i, e in enumerate(enthalpies)]
    aflux = Aflux(rows, cap=cap)
    assert found(walk(aflux, by=by, page_size=str(size))) == {row["auid"] for row in rows}
    assert not aflux.failed


@pytest.mark.parametrize("by", ["enthalpy", "auid"])
def test_a_database_that_drifts_loses_nothing_that_was_there_all_the_time(by):
    victims = [row for row in ROWS if row["enthalpy_formation_atom"] is not None][:12]

    def drift(request, rows):
        if request % 3 == 0 and victims:
            rows.remove(victims.pop())

    steady = ALL - {row["auid"] for row in victims}
    aflux = Aflux(ROWS, cap=5, drift=drift)
    assert steady <= found(walk(aflux, by=by)) or aflux.failed


def test_a_total_that_is_never_reached_is_named():
    aflux = Aflux(ROWS[:20], as_dict=True, lost=3)
    assert found(walk(aflux, by="auid")) == {row["auid"] for row in ROWS[:20]}
    assert any("3 entries of auid" in message for message in aflux.failed.values())


def test_a_dead_server_is_given_up_soon_and_named():
    aflux = Aflux(ROWS)
    aflux.dead = True
    with pytest.raises(IncompleteError, match="in a row"):
        walk(aflux)
    assert len(aflux.asked) <= 10
    assert any("is missing" in message for message in aflux.failed.values())


def test_a_database_that_ignores_paging_ends():
    class Deaf(Aflux):
        def answer(self, url):
            return [row for row in self.rows if self.matches(row, unquote(urlsplit(url).query))]

    aflux = Deaf(ROWS)
    assert found(walk(aflux)) == ALL
    assert len(aflux.asked) < 400


def test_the_search_is_one_percent_encoded_text():
    aflux = Aflux([])
    walk(aflux, matchbook="species((Na:K),Cl),nspecies(2)", catalog="ICSD")
    query = aflux.asked[0].partition("?")[2]
    assert query.startswith("enthalpy_formation_atom(-1000000000000000*,*-10),species((Na:K),Cl),nspecies(2),")
    assert "),catalog(ICSD),auid,aurl," in query
    assert query.endswith("$paging(1,10),format(json)")
    assert "positions_fractional" in query
    url = read_options({"matchbook": "species('Na')"}, None, None).request("", 1, 5).url
    assert url.startswith("https://aflow.org/API/aflux/?species%28%27Na%27%29%2Cauid%2C")


@pytest.mark.parametrize(("given", "api", "files"), [
    ("http://localhost:1", "http://localhost:1/API/aflux/", "http://localhost:1"),
    ("http://localhost:1/API/aflux", "http://localhost:1/API/aflux/", "http://localhost:1"),
    ("http://localhost:1/mirror/", "http://localhost:1/mirror/API/aflux/", "http://localhost:1/mirror"),
    ("https://aflow.org/API/aflux/v1.0/", "https://aflow.org/API/aflux/v1.0/", "https://aflow.org"),
])
def test_another_server_is_asked_in_the_same_way(given, api, files):
    query = read_options({}, given, None)
    assert (query.api_url, query.entries_url) == (api, files)


@pytest.mark.parametrize("options", [
    {"matchbook": "$paging(0)"}, {"matchbook": "Egap(*),format(html)"}, {"matchbook": "species((Na)"}, {"by": "luck"},
    {"page_size": "0"}, {"page_size": "x"}, {"dos": "maybe"}, {"catalog": "ICSD),$paging(0"},
    {"catalog": "ICSD", "matchbook": "catalog(LIB2)"},
])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(SettingsError, match=next(iter(options))):
        read_options(options, None, None)


def test_a_matchbook_with_its_own_enthalpies_is_not_windowed():
    assert read_options({"matchbook": "enthalpy_formation_atom(-1*,*0)"}, None, None).partition == "auid"
    assert read_options({"matchbook": "auid('aflow:00'*)", "by": "auid"}, None, None).partition == "enthalpy"
    both = {"matchbook": "auid('aflow:00'*),enthalpy_formation_atom(*)"}
    assert read_options(both, None, None).partition == "none"


def test_densities_are_fetched_where_entries_have_them():
    dos = {"tDOS_data": {"energy": [0, 1], "tDOS": [1, 1]}, "composition": [2], "Efermi": 0}
    rows = [
        entry(1, -1.0, files=["X1_dosdata.json.xz", "DOSCAR.static.xz"]),
        entry(2, -1.1, files="CONTCAR.relax.vasp,OUTCAR.static.xz"),
        entry(3, -1.2, files=["X3_dosdata.json.xz"]),
    ]
    aflux = Aflux(rows, files={"X1_dosdata.json.xz": dos})
    pages = [page for page in walk(aflux, dos="true") if page.kind == "dosdata"]
    assert [page.records[0]["auid"] for page in pages] == [rows[0]["auid"]]
    assert pages[0].origin.startswith("https://aflowlib.duke.edu/AFLOWDATA/ICSD_WEB/HEX/X1/X1_dosdata.json.xz#aflow:")
    assert [url for url in aflux.failed if "X3_dosdata" in url], "a density that is listed and cannot be had is missing"
    assert not [url for url in aflux.asked if "/X2/" in url]


def test_a_row_that_does_not_list_its_files_is_looked_up():
    row = entry(1, -1.0)
    dos = {"tDOS_data": {"energy": [0, 1], "tDOS": [1, 1]}, "composition": [2], "Efermi": 0}
    aflux = Aflux([row], files={"aflowlib.json": row | {"files": ["a_dosdata.json.xz"]}, "a_dosdata.json.xz": dos})
    kinds = [page.kind for page in walk(aflux, dos="true")]
    assert kinds == ["aflux", "aflowlib", "dosdata"]


def test_which_file_holds_the_density():
    assert density_file(["DOSCAR.static.xz", "x_dosdata.json.xz"]) == "x_dosdata.json.xz"
    assert density_file(["DOSCAR.static.xz", "DOSCAR.bands.xz"]) == "DOSCAR.static.xz"
    assert density_file(["../x_dosdata.json.xz", "EIGENVAL.bands.xz"]) is None


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1)))
def test_seen_is_a_set(keys):
    seen, plain = Seen(), set()
    seen.FRESH = 3
    for key in keys:
        assert (key in seen) == (key in plain)
        assert seen.add([key]) == (key not in plain)
        plain.add(key)
    assert len(seen) == len(plain)
