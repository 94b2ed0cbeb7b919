"""Every source under every fault: the undisturbed tables, or a failure that names what is missing."""

from __future__ import annotations

import os
from itertools import product

import pytest

from lake.errors import IncompleteError
from lake.ingest.run import ingest
from tests.servers import FAULTS, Server
from tests.servers.faults import Drift, Fault
from tests.servers.trial import CASES, check_sound, contents, databases, open_lake

TRANSPORT = ["429", "429_seconds", "429_date", "500", "502", "503", "503_seconds", "504", "timeout", "reset",
             "cut_json", "cut_transfer", "db_fail", "lux_fail", "html", "empty_body", "json_null",
             "json_error"]
PAGING = ["repeated_page", "duplicated_rows", "shuffled_page", "unstable_order", "drift_removes",
          "drift_inserts", "drift_both", "total_too_high", "total_too_low", "total_zero"]
# Which page a record came in is not the same where pages are.
PAGE_OF_RECORD = frozenset({"raw_sha256", "position"})


@pytest.fixture(scope="module")
def held():
    return databases()


@pytest.fixture(scope="module")
def undisturbed(held, tmp_path_factory):
    """The tables of every case without faults, made once."""
    made = {}

    def of(case):
        if case.name not in made:
            lake = open_lake(tmp_path_factory.mktemp("undisturbed"))
            with Server(held) as server:
                result = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
            assert result.pages > 3, "a case must have several pages"
            assert result.fetched == result.taken + result.unchanged + result.rejected
            made[case.name] = lake
        return made[case.name]

    return of


def attempt(lake, case, server):
    """Ingest; returns what is reported missing, empty if nothing is."""
    try:
        ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
    except IncompleteError as error:
        missing, message = error.result.missing, str(error)
    else:
        return []
    assert missing, "an incomplete ingest must say what is missing"
    assert all(named.split("\n")[0][:60] in message for named in missing[:20])
    assert any(server.url in named for named in missing), message
    return missing


def steady(tables, drifted):
    """Rows of records that were there all the time."""
    return {name: [row for row in rows if row.get("source_id") not in drifted] for name, rows in tables.items()}


# The archive of NOMAD is asked by the same walk as its entries.
PASSING = [(name, fault) for name in CASES for fault in TRANSPORT
           if name != "nomad_archive" or fault in ("429_date", "timeout", "cut_json", "reset")]


def some(cases):
    """A third of the cases, or all with TEST_LONG=1 (make test-long): no fault and no source is left out."""
    names, faults = list(CASES), list(FAULTS)
    chosen = [(name, fault) for name, fault in cases if (names.index(name) + faults.index(fault)) % 3 == 0]
    return list(cases) if os.environ.get("TEST_LONG") else chosen


@pytest.mark.parametrize(("name", "fault"), some(PASSING))
def test_a_passing_fault_changes_nothing(name, fault, held, undisturbed, tmp_path):
    case = CASES[name]
    lake = open_lake(tmp_path, timeout_seconds=0.4 if fault == "timeout" else 5.0)
    with Server(held, [FAULTS[fault]()], seed=3) as server:
        assert attempt(lake, case, server) == []
        assert any(asked.faults for asked in server.log), "no request was hit"
    assert contents(lake, case) == contents(undisturbed(case), case)


@pytest.mark.parametrize(("name", "fault"), some(list(product(CASES, PAGING))))
def test_pages_that_do_not_fit_together_lose_nothing_in_silence(name, fault, held, undisturbed, tmp_path):
    case, lake = CASES[name], open_lake(tmp_path)
    kind = FAULTS[fault]()
    with Server(held, [kind]) as server:
        missing = attempt(lake, case, server)
    drifted = kind.drifted if isinstance(kind, Drift) else set()
    found = steady(contents(lake, case, PAGE_OF_RECORD), drifted)
    expected = steady(contents(undisturbed(case), case, PAGE_OF_RECORD), drifted)
    if missing:
        for table, rows in found.items():
            assert all(row in expected[table] for row in rows)
    else:
        assert found == expected
    check_sound(lake)


@pytest.mark.parametrize("name", CASES)
def test_a_page_that_never_comes_is_named_and_fetched_by_the_next_run(name, held, undisturbed, tmp_path):
    case, lake = CASES[name], open_lake(tmp_path)
    dead = FAULTS["500"]()
    dead.times, dead.rate = None, 0.3
    with Server(held, [dead], seed=5) as server:
        missing = attempt(lake, case, server)
        assert missing, "no page was hit"
        assert any("500" in named for named in missing)
        failed = lake.read("fetches", where="status = 'failed'").to_pylist()
        assert failed
        assert all(row["message"] for row in failed)
        server.plan.faults = []
        had = {asked.question.key for asked in server.log if asked.status == 200}
        server.forget()
        assert attempt(lake, case, server) == []
        assert not had & set(server.counts), "pages that were there already were fetched again"
    assert contents(lake, case, PAGE_OF_RECORD) == contents(undisturbed(case), case, PAGE_OF_RECORD)


@pytest.mark.parametrize(
    ("name", "fault"), some(list(product(CASES, ["repeated_page", "db_fail", "json_error", "cut_json", "total_zero"])))
)
def test_a_fault_that_lasts_ends_soon_and_says_so(name, fault, held, undisturbed, tmp_path):
    case, lake = CASES[name], open_lake(tmp_path)
    lasting: Fault = FAULTS[fault]()
    lasting.times = None
    with Server(held, [lasting]) as server:
        missing = attempt(lake, case, server)
        assert len(server.log) < 300, "it went on asking"
    if not missing:
        assert contents(lake, case, PAGE_OF_RECORD) == contents(undisturbed(case), case, PAGE_OF_RECORD)


@pytest.mark.parametrize("name", CASES)
def test_running_again_over_unchanged_data_commits_nothing(name, held, tmp_path):
    case, lake = CASES[name], open_lake(tmp_path)
    with Server(held) as server:
        first = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
        versions = lake.versions()
        raw = sorted(path.name for path in (tmp_path / "raw").rglob("*.zst"))
        again = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
    assert lake.versions() == versions == again.versions
    assert (again.taken, again.unchanged) == (0, first.taken + first.unchanged)
    assert again.rejected == first.rejected
    assert sorted(path.name for path in (tmp_path / "raw").rglob("*.zst")) == raw
