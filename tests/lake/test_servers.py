"""The local server itself: each API answers as the real one does, each fault happens as often as said."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.servers import FAULTS, PATHS, Aflow, MaterialsProject, Nomad, Optimade, Server, load
from tests.servers.aflux_query import LuxError, condition, split

CLIENT = httpx.Client()
RECORDS = Path(__file__).parent.parent / "data" / "servers"


@pytest.fixture(scope="module")
def databases():
    return load(RECORDS)


@pytest.fixture
def server(databases):
    with Server(databases) as running:
        yield running


def aflux(server, query):
    return CLIENT.get(f"{server.url}{PATHS['aflow']}?{quote(query)}").json()


def test_aflux_pages_through_an_enthalpy_window(server, databases):
    low, high = -2.0, -0.5
    expected = {
        r["auid"] for r in databases[0].rows if low <= r["enthalpy_formation_atom"] <= high
    }
    found, page = [], 1
    while rows := aflux(server, f"enthalpy_formation_atom({low}*,*{high}),Egap,$paging({page},7)"):
        assert len(rows) <= 7
        found += rows
        page += 1
    assert {r["auid"] for r in found} == expected
    assert len(found) == len(expected)
    assert set(found[0]) == {"compound", "auid", "aurl", "enthalpy_formation_atom", "Egap"}
    energies = [r["enthalpy_formation_atom"] for r in found]
    assert energies == sorted(energies)


def test_aflux_knows_auid_prefixes_ranges_and_lists(server, databases):
    ids = sorted(r["auid"] for r in databases[0].rows)
    assert {r["auid"] for r in aflux(server, "auid('aflow:0'*),$paging(1,100)")} == {
        i for i in ids if i.startswith("aflow:0")
    }
    between = aflux(server, f"auid('{ids[3]}'*,*'{ids[9]}'),$paging(1,100)")
    assert [r["auid"] for r in between] == ids[3:10]
    listed = aflux(server, f"auid('{ids[1]}':'{ids[5]}'),$paging(1,100)")
    assert [r["auid"] for r in listed] == [ids[1], ids[5]]


def test_aflux_without_sizes_gives_64_rows_at_most_and_paging_0_is_page_1(server):
    assert aflux(server, "auid,$paging(0)") == aflux(server, "auid,$paging(1)")


@pytest.mark.parametrize(("arguments", "value", "holds"), [
    ("*", None, False), ("*", 0, True), ("!'ICSD'", "LIB2", True), ("'ICSD'", "ICSD", True),
    ("1.5*", 1.5, True), ("*1.5", 1.6, False),
    ("(Na:K),Cl", ["Na", "Cl"], True), ("(Na:K),Cl", ["Li", "Cl"], False),
    ("'aflow:a'*,*'aflow:b'", "aflow:a9", True), ("2", 2, True), ("*'Br'*", "NaBrO3", True),
])
def test_aflux_conditions(arguments, value, holds):
    assert condition(arguments)(value) is holds


def test_aflux_refuses_what_is_no_query(server):
    with pytest.raises(LuxError):
        split("Egap((1*")
    reply = CLIENT.get(f"{server.url}{PATHS['aflow']}?{quote('Egap((1*')}")
    assert (reply.status_code, reply.text[:8]) == (200, "Lux Fail")


def test_aflux_in_the_older_layout(databases):
    old = Aflow(databases[0].rows, layout="dict", numbers_as_text=True)
    with Server([old]) as server:
        rows = aflux(server, "auid,Egap,species,$paging(2,10)")
    assert next(iter(rows)) == "11 of 60"
    assert isinstance(rows["11 of 60"]["Egap"], str)


def mp(server, route="summary", key="any", **params):
    headers = {"X-API-KEY": key} if key else {}
    return CLIENT.get(f"{server.url}/materials/{route}/", params=params, headers=headers)


def mp_ids(server, **params):
    return [row["material_id"] for row in mp(server, **params).json()["data"]]


def test_mp_pages_by_skip_and_by_page(server):
    skipped = [i for s in range(0, 60, 25) for i in mp_ids(server, _limit=25, _skip=s)]
    paged = [i for p in (1, 2, 3) for i in mp_ids(server, _per_page=25, _page=p)]
    assert skipped == paged
    assert len(set(skipped)) == 60
    assert mp(server).json()["meta"]["total_doc"] == 60


def test_mp_fields_filters_and_refusals(server):
    row = mp(server, _fields="material_id,symmetry.number", _limit=1).json()["data"][0]
    assert set(row) == {"material_id", "symmetry"}
    assert list(row["symmetry"]) == ["number"]
    two = mp(server, material_ids=",".join([row["material_id"], "mp-0"])).json()
    assert two["meta"]["total_doc"] == 1
    assert mp(server, nonsense=1).status_code == 400
    assert mp(server, _limit=1001).status_code == 400
    assert mp(server, key="").status_code == 401
    assert CLIENT.get(f"{server.url}/heartbeat").json()["db_version"]
    with Server([MaterialsProject({}, api_key="right")]) as guarded:
        assert mp(guarded, key="wrong").status_code == 403


def nomad(server, route="entries", **body):
    return CLIENT.post(f"{server.url}{PATHS['nomad']}/{route}/query", json=body)


def test_nomad_walks_by_page_after_value_and_drops_missing_archives(databases):
    database = Nomad(databases[2].entries, databases[2].archives)
    with Server([database]) as server:
        for route, expected in (("entries", 84), ("entries/archive", 24)):
            ids, after = [], None
            while True:
                pagination = {"page_size": 20} | ({"page_after_value": after} if after else {})
                reply = nomad(server, route, pagination=pagination).json()
                assert reply["pagination"]["total"] == 84
                ids += [r["entry_id"] for r in reply["data"]]
                after = reply["pagination"].get("next_page_after_value")
                if not after:
                    break
            assert len(ids) == len(set(ids)) == expected


def test_nomad_prunes_filters_and_refuses(server):
    tree = {"metadata": {"entry_id": "*"}, "run": {"calculation[-1]": {"energy": {"total": "*"}}}}
    query = {"results.material.elements": {"all": ["B", "N"]}, "quantities:all":
             ["results.properties.electronic.dos_electronic_new"]}
    reply = nomad(server, "entries/archive", required=tree, query=query, pagination={"page_size": 100}).json()
    archive = reply["data"][0]["archive"]
    assert len(reply["data"]) == 24
    assert list(archive["run"][0]) == ["calculation"]
    assert list(archive["run"][0]["calculation"][0]) == ["energy"]
    wrong = nomad(server, "entries/archive", required={"run": {"calculation[-1]": "everything"}})
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"][:2] == ["body", "required"]
    assert nomad(server, pagination={"page_size": 10_001}).status_code == 422
    kept = nomad(server, required={"include": ["results.material.elements"]}).json()["data"][0]
    assert set(kept) == {"entry_id", "results"}
    assert list(kept["results"]) == ["material"]


@pytest.mark.parametrize("as_object", [False, True])
def test_optimade_follows_its_links(databases, as_object):
    with Server([Optimade(databases[3].structures, link_as_object=as_object)]) as server:
        url, ids = f"{server.url}/v1/structures?page_limit=25&filter=nelements%3E%3D1", []
        while url:
            reply = CLIENT.get(url).json()
            ids += [r["id"] for r in reply["data"]]
            link = reply["links"]["next"]
            url = link["href"] if isinstance(link, dict) else link
        assert len(set(ids)) == len(ids) == 60
        assert CLIENT.get(f"{server.url}/v1/structures?filter=nonsense").status_code == 400
        assert CLIENT.get(f"{server.url}/v1/structures?page_limit=501").status_code == 403


STATUS = {"429": 429, "429_seconds": 429, "429_date": 429, "500": 500, "502": 502, "503": 503, "504": 504}


@pytest.mark.parametrize("name", STATUS)
def test_a_status_fault_hits_each_request_once(databases, name):
    with Server(databases, [FAULTS[name]()]) as server:
        first, second = mp(server), mp(server)
        other = mp(server, _skip=10)
    assert (first.status_code, second.status_code, other.status_code) == (STATUS[name], 200, STATUS[name])
    assert ("retry-after" in first.headers) == ("_" in name)
    assert sorted(server.counts.values()) == [1, 2]


@pytest.mark.parametrize(("name", "error"), [
    ("reset", httpx.TransportError), ("cut_transfer", httpx.TransportError), ("cut_json", ValueError),
    ("html", ValueError), ("db_fail", ValueError), ("empty_body", ValueError),
])
def test_a_broken_reply_comes_once(databases, name, error):
    with Server(databases, [FAULTS[name]()]) as server:
        with pytest.raises(error):
            mp(server).json()
        assert mp(server).json()["meta"]["total_doc"] == 60


def test_faults_can_last_and_can_be_rare(databases):
    lasting = FAULTS["500"]()
    lasting.times = None
    with Server(databases, [lasting]) as server:
        assert {mp(server).status_code for _ in range(5)} == {500}
    rare = FAULTS["500"]()
    rare.rate = 0.5
    with Server(databases, [rare]) as server:
        statuses = [mp(server, _skip=i).status_code for i in range(40)]
    assert 8 < statuses.count(500) < 32
    with Server(databases, [rare]) as server:
        assert statuses == [mp(server, _skip=i).status_code for i in range(40)]


def test_drift_shifts_offsets(databases):
    drift = FAULTS["drift_removes"]()
    with Server(databases, [drift]) as server:
        ids = [i for s in range(0, 60, 10) for i in mp_ids(server, _limit=10, _skip=s)]
    steady = {r["material_id"] for r in databases[1].documents["summary"]} - drift.drifted
    assert len(drift.drifted) == 4
    assert not steady <= set(ids), "a naive walk must lose records"
