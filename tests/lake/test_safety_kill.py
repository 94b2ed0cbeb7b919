"""An ingest that is killed, and several at once: the same tables, and only what is missing is fetched."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from lake.ingest.run import ingest
from tests.servers import Server
from tests.servers.process import start
from tests.servers.trial import CASES, Case, check_sound, contents, databases, open_lake

KILLS = 20 if os.environ.get("TEST_LONG") else 3
"""Moments at which it is killed; all of them with make test-long."""
DELAY_SECONDS = 0.03
IN_FLIGHT = 2
DIFFERENT = ("aflow", "mp", "nomad", "optimade")


def with_fetches(case: Case) -> Case:
    return Case(case.name, case.source, case.path, case.options, (*case.tables, "fetches"))


def unpaged(row):
    """A row as text, without the page that it came in."""
    return str({name: value for name, value in row.items() if name != "raw_sha256"})


@pytest.fixture(scope="module")
def server():
    with Server(databases(), delay_seconds=DELAY_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """Per case: the tables of an undisturbed run in a process of its own, and how long that took."""
    made = {}

    def of(case):
        if case.name not in made:
            root = tmp_path_factory.mktemp("undisturbed")
            start(str(root), case, server.url).join()  # warms the fork server and the disk
            seconds = []
            root = tmp_path_factory.mktemp("undisturbed")
            began = time.monotonic()
            process = start(str(root), case, server.url)
            process.join()
            seconds.append(time.monotonic() - began)
            assert process.exitcode == 0
            made[case.name] = (contents(open_lake(root), with_fetches(case)), seconds[0])
        return made[case.name]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment_it_ends_with_the_same_tables(seed, server, undisturbed, tmp_path):
    case = list(CASES.values())[seed % len(CASES)]
    expected, seconds = undisturbed(case)
    moments = random.Random(seed)
    server.forget()
    victim = start(str(tmp_path), case, server.url)
    victim.join(moments.uniform(0.05, 0.97) * seconds)
    if victim.exitcode is None:
        os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    time.sleep(3 * DELAY_SECONDS)  # answers under way when it died
    had = set(server.counts)
    # Killed before its first request, or after its last commit: nothing is under way.
    interrupted = any((tmp_path / "runs").rglob("run.json"))
    lake = open_lake(tmp_path)
    result = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
    assert result.balanced
    if not interrupted:
        assert result.taken == 0 or not had
    else:
        again = had & {key for key, times in server.counts.items() if times > 1}
        assert len(again) <= IN_FLIGHT, f"fetched again: {again}"
    assert contents(lake, with_fetches(case)) == expected
    check_sound(lake)
    receipts = [p for p in (tmp_path / "runs").rglob("*.json") if not p.name.startswith(".")]
    assert receipts == [], "a complete run leaves no receipts"


@pytest.mark.slow
def test_killed_again_and_again_it_still_gets_there(server, undisturbed, tmp_path):
    case = CASES["mp"]
    expected, seconds = undisturbed(case)
    moments = random.Random(99)
    for _ in range(6):
        victim = start(str(tmp_path), case, server.url)
        victim.join(moments.uniform(0.1, 0.6) * seconds)
        if victim.exitcode is None:
            os.kill(victim.pid, signal.SIGKILL)
        victim.join()
    lake = open_lake(tmp_path)
    ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
    assert contents(lake, with_fetches(case)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("names", [("mp", "mp"), ("aflow", "aflow", "aflow"), DIFFERENT], ids="+".join)
def test_ingests_at_once_lose_nothing_and_take_nothing_twice(names, server, undisturbed, tmp_path):
    cases = [CASES[name] for name in names]
    processes = [start(str(tmp_path), case, server.url) for case in cases]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(cases)
    lake = open_lake(tmp_path)
    check_sound(lake)
    found = contents(lake, with_fetches(cases[0]))
    for table, rows in found.items():
        expected = {unpaged(row) for case in cases for row in undisturbed(case)[0][table]}
        assert len(rows) == len(expected), table
        assert {unpaged(row) for row in rows} == expected, table
    assert lake.connect().sql("select count(*) from calculations").fetchall()[0][0] == len(found["calculations"])
    assert lake.catalogue_path.exists()


@pytest.mark.slow
def test_two_kinds_of_record_of_the_same_rows_at_once_complete_each_other(server, undisturbed, tmp_path):
    cases = [CASES["nomad"], CASES["nomad_archive"]]
    processes = [start(str(tmp_path), case, server.url) for case in cases]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    lake = open_lake(tmp_path)
    check_sound(lake)
    found = {row["calculation_id"]: row for row in contents(lake, cases[0])["calculations"]}
    for case in cases:
        for row in undisturbed(case)[0]["calculations"]:
            merged = found[row["calculation_id"]]
            lost = [name for name, value in row.items() if value is not None and merged[name] is None]
            assert lost == [], row["calculation_id"]
            assert set(row["record_sha256"]) <= set(merged["record_sha256"])
