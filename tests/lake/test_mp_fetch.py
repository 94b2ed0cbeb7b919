"""The walk over the Materials Project's API against a small database in memory: nothing lost, nothing in silence."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import orjson
import pytest

from lake.errors import SettingsError
from lake.settings import load_settings
from lake.sources import find
from lake.sources.base import Page
from lake.sources.mp.query import ENDPOINTS, read_query

SOURCE = find("mp")
URL = "http://server"


def materials(count):
    return [{"material_id": f"mp-{n}", "formula_pretty": "Si"} for n in range(1, count + 1)]


class Api:
    """A walker whose server holds some rows.

    Args:
        rows: the documents.
        drift: called with the number of the request before it is answered; may change ``rows``.
        shuffled: every request sees another order.
        cap: records a page at most, whatever is asked for.
        dead: numbers of the requests that fail for good.
    """

    limit = None

    def __init__(self, rows, drift=None, shuffled=False, cap=1000, dead=(), total=None, forgets=()):
        self.rows, self.drift, self.shuffled, self.cap = list(rows), drift, shuffled, cap
        self.dead, self.total, self.forgets = set(dead), total, set(forgets)
        self.asked, self.failed = [], {}

    def get_many(self, requests):
        for request in requests:
            self.asked.append(request)
            if self.drift:
                self.drift(len(self.asked), self.rows)
            if len(self.asked) in self.dead:
                self.fail(request, "answered 500")
                continue
            document = self.answer(request.params)
            kind, records = SOURCE.records(document, request.url)
            yield Page(request, orjson.dumps(document), document, records, kind, request.url, datetime.now(UTC))

    def answer(self, params):
        rows = list(self.rows)
        if self.shuffled and "_sort_fields" not in params:
            random.Random(len(self.asked)).shuffle(rows)
        for name, value in params.items():
            if name in ("material_ids", "thermo_ids", "task_ids"):
                wanted = set(value.split(",")) - self.forgets
                assert len(value.split(",")) <= 100
                rows = [r for r in rows if {r.get(name[:-1]), r.get("material_id")} & wanted]
        start, size = int(params.get("_skip", 0)), min(int(params["_limit"]), self.cap)
        assert int(params["_limit"]) <= 1000
        fields = params["_fields"].split(",")
        data = [{k: v for k, v in r.items() if k in fields} for r in rows[start : start + size]]
        return {"data": data, "meta": {"total_doc": len(rows) if self.total is None else self.total}}

    def fail(self, request, message):
        self.failed[request.cursor] = message

    def walk(self, **options):
        found = []
        for page in SOURCE.walk(self, options, URL):
            assert all("formula_pretty" in r for r in page.records), "a listing of ids was given out as records"
            found += [SOURCE.identify(r, page.kind).source_id for r in page.records]
        return found


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 57, 250])
@pytest.mark.parametrize("total", [None, 0, 3, 10_000])
def test_pages_go_on_until_one_is_empty_whatever_the_total_says(count, total):
    api = Api(materials(count), total=total)
    assert api.walk(page_size="10") == [r["material_id"] for r in materials(count)]
    assert not api.failed
    assert len(api.asked) < count / 10 + 25


def test_a_server_that_gives_fewer_records_than_asked_for_loses_none():
    api = Api(materials(95), cap=7)
    assert set(api.walk()) == {r["material_id"] for r in materials(95)}


def test_records_that_drift_to_a_page_already_read_are_fetched_by_their_ids():
    def drift(number, rows):
        if number in (2, 3):
            del rows[:4]  # the next page begins four records too late

    api = Api(materials(400), drift)
    assert set(api.walk(page_size="50")) >= {f"mp-{n}" for n in range(9, 401)}
    assert any("material_ids" in request.params for request in api.asked)
    assert not api.failed


def test_a_listing_without_order_is_read_until_everything_is_found():
    rows = [{"thermo_id": f"mp-{n}_R2SCAN", "material_id": f"mp-{n}", "thermo_type": "R2SCAN", "formula_pretty": "X"}
            for n in range(1, 301)]
    api = Api(rows, shuffled=True)
    assert set(api.walk(endpoint="thermo", page_size="40")) == {r["thermo_id"] for r in rows}
    assert not api.failed


def test_what_is_listed_but_not_given_is_named():
    def drift(number, rows):
        if number == 2:
            rows.insert(0, rows.pop())  # the last record moves where it was read already

    api = Api(materials(25), drift, forgets={"mp-25"})
    assert "mp-25" not in api.walk(page_size="10")
    (message,) = api.failed.values()
    assert "mp-25" in message


@pytest.mark.parametrize("dead", [{1}, {2}, {3}, {2, 3, 4, 5}, set(range(1, 500))])
def test_a_page_that_never_comes_is_recorded_and_ends_soon(dead):
    api = Api(materials(95), dead=dead)
    found = api.walk(page_size="10")
    assert api.failed
    assert len(set(found)) < 95
    assert len(api.asked) < 30


def test_a_server_that_does_not_page_is_found_out():
    class Stuck(Api):
        def answer(self, params):
            return super().answer({**params, "_skip": "0"})

    api = Stuck(materials(95))
    assert len(set(api.walk(page_size="10"))) == 10
    assert any("does not page" in message for message in api.failed.values())
    assert len(api.asked) < 50


def test_a_limit_is_enough():
    api = Api(materials(95))
    api.limit = 15
    assert len(api.walk()) <= 40
    assert len(api.asked) <= 5


def test_long_lists_of_ids_are_split():
    api = Api(materials(250))
    assert set(api.walk(material_ids=",".join(f"mp-{n}" for n in range(1, 251)))) == {f"mp-{n}" for n in range(1, 251)}


def test_only_what_each_route_understands_is_asked():
    for name, endpoint in ENDPOINTS.items():
        params = read_query({"endpoint": name, "via": "rest"}, URL).page(0, 10).params
        assert ("_sort_fields" in params) is (name == "summary"), "only summary sorts"
        assert set(params) <= {"_fields", "_skip", "_limit", "_sort_fields"}
        assert set(endpoint.ids) <= set(params["_fields"].split(","))
    wanted = read_query({"include_by_nc": "true", "elements": "Si,O", "deprecated": "True"}, None).page(0, 10)
    assert wanted.url == "https://api.materialsproject.org/materials/summary/"
    assert (wanted.params["license"], wanted.params["elements"], wanted.params["deprecated"]) == ("All", "Si,O", "true")


@pytest.mark.parametrize(("options", "message"), [
    ({"endpoint": "xas"}, "one of summary, thermo, tasks, dos"), ({"elments": "Si"}, "no option elments"),
    ({"page_size": "1001"}, "1 to 1,000"), ({"page_size": "x"}, "1 to 1,000"), ({"via": "ftp"}, "rest, s3"),
    ({"thermo_types": "R2SCAN"}, "cannot be asked of the endpoint summary"), ({"band_gap_min": "wide"}, "a number"),
    ({"material_ids": "mp-1,../x"}, "no id such as"), ({"is_stable": "yes"}, "true or false"),
    ({"endpoint": "tasks", "last_updated_min": "yesterday"}, "a date"),
])
def test_options_that_cannot_be_are_named(options, message):
    with pytest.raises(SettingsError, match=message):
        list(SOURCE.walk(Api([]), options, URL))


def test_a_key_is_wanted_only_by_the_official_server():
    without, key = load_settings(mp_api_key=""), load_settings(mp_api_key="s3cret")
    assert SOURCE.headers(key) == {"X-API-KEY": "s3cret"}
    assert SOURCE.headers(without) == {}
    with pytest.raises(SettingsError, match="MATLAKE_MP_API_KEY"):
        SOURCE.check_settings(without, {}, None)
    SOURCE.check_settings(key, {}, None)
    SOURCE.check_settings(without, {}, URL)
    SOURCE.check_settings(without, {"via": "s3"}, None)
    SOURCE.check_settings(without, {"endpoint": "dos"}, None)
