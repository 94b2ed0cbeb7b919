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

KILLS = 20
DELAY_SECONDS = 0.03
IN_FLIGHT = 2


def with_fetches(case: Case) -> Case:
    return Case(case.name, case.source, case.path, case.options, (*case.tables, "fetches"))


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
    finished = victim.exitcode is not None
    if not finished:
        os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    time.sleep(3 * DELAY_SECONDS)  # answers under way when it died
    had = set(server.counts)
    lake = open_lake(tmp_path)
    result = ingest(lake, case.source, options=case.options, base_url=server.url + case.path)
    assert result.balanced
    if not finished:
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
@pytest.mark.parametrize("names", [("mp", "mp"), ("aflow", "aflow", "aflow"), tuple(CASES)], ids="+".join)
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
        expected = {str(row): row for case in cases for row in undisturbed(case)[0][table]}
        assert len(rows) == len(expected), table
        assert all(str(row) in expected for row in rows), table
    assert lake.connect().sql("select count(*) from calculations").fetchone()[0] == len(found["calculations"])
    assert lake.catalogue_path.exists()
