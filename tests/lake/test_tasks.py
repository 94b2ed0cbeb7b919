"""Tasks here, on local processes and on a scheduler: same results, lost workers, waits that end."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import task_functions as work

from lake.errors import InputError, SettingsError, WorkerError
from lake.settings import Settings
from lake.tasks import Task, Workers, open_workers, place, run_tasks
from lake.tasks.dispatch import Dispatcher
from tests.conftest import only_long, quick_settings

REPO = Path(__file__).parents[2]
SQUARES = [Task(f"square {x}", work.square, {"x": x}) for x in range(12)]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return quick_settings(dask_workers=2, task_attempts=2, task_timeout_seconds=60, mp_api_key="secret-of-the-test")


@pytest.fixture(scope="module")
def two(settings: Settings) -> Iterator[Workers]:
    """Two processes for all tests of this file."""
    with open_workers(settings, "processes") as workers:
        yield workers


def results(done: Iterator[tuple[Task, Any]]) -> dict[str, Any]:
    return {task.name: result for task, result in done}


def test_the_same_here_and_on_processes(settings: Settings, two: Workers) -> None:
    here = results(run_tasks(SQUARES, settings, where="here"))
    assert here == {f"square {x}": x * x for x in range(12)}
    progress: list[int] = []
    assert results(two.run(SQUARES, progress.append)) == here
    assert progress == list(range(1, 13))
    assert results(two.run([])) == {}
    assert two.slots == 2


def test_tasks_are_drawn_as_they_are_needed(two: Workers) -> None:
    drawn = itertools.count(1)
    n_drawn = 0

    def tasks() -> Iterator[Task]:
        nonlocal n_drawn
        for x in range(30):
            n_drawn = next(drawn)
            yield Task(f"square {x}", work.square, {"x": x})

    for n_done, _ in enumerate(two.run(tasks()), start=1):
        assert n_drawn <= n_done + two.slots


@pytest.mark.parametrize("where", ["here", "processes"])
def test_errors_name_the_task_and_leave_workers_usable(settings: Settings, two: Workers, where: str) -> None:
    def run(*tasks: Task) -> Any:
        return results(two.run(tasks) if where == "processes" else run_tasks(tasks, settings, where="here"))

    with pytest.raises(InputError, match=r"^Fe is no crystal\.$"):
        run(Task("look at Fe", work.refuse, {"what": "Fe"}))
    with pytest.raises(WorkerError, match=r"The task 'divide by nought' failed: ZeroDivisionError: .*\(divide, line"):
        run(Task("divide by nought", work.divide, {"x": 0}))
    with pytest.raises(WorkerError, match="The task 'leave' failed: SystemExit"):
        run(Task("leave", work.leave))
    assert run(Task("after", work.square, {"x": 3})) == {"after": 9}


def test_a_lost_worker_costs_its_task_alone(two: Workers, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    tasks = [Task("fragile", work.die_at_first, {"marker": str(marker), "result": "whole"}), *SQUARES]
    found = results(two.run(tasks))
    assert marker.exists()
    assert found.pop("fragile") == "whole"
    assert found == {f"square {x}": x * x for x in range(12)}


def test_a_worker_that_somebody_kills_in_the_middle(two: Workers) -> None:
    tasks = [Task(f"wait {n}", work.wait, {"seconds": 0.5}) for n in range(6)]
    running = two.run(tasks)
    _, victim = next(running)
    # It has the next task by now or will be given it, and does not end it.
    os.kill(victim, signal.SIGKILL)
    found = results(running)
    assert len(found) == 5
    assert len(set(found.values()) - {victim}) >= 1
    assert not psutil.pid_exists(victim)


def test_a_task_that_kills_its_workers_is_named_within_a_minute(two: Workers) -> None:
    others = [Task(f"wait {n}", work.wait, {"seconds": 0.1}) for n in range(2000)]
    began = time.monotonic()
    with pytest.raises(WorkerError, match="'deadly' took 2 workers down with it"):
        results(two.run([*others[:3], Task("deadly", work.die), *others[3:]]))
    assert time.monotonic() - began < 60


def test_settings_reach_workers_with_their_keys_and_are_shown_nowhere(settings: Settings, two: Workers) -> None:
    task = Task("use a key", work.key_length, {"settings": settings})
    assert results(two.run([task])) == {"use a key": len("secret-of-the-test")}
    assert "secret" not in repr(task)


def test_a_hung_task_is_named_when_time_is_up(settings: Settings, two: Workers) -> None:
    assert isinstance(two, Dispatcher)
    # Workers that the tests before have taken down come back at their own time, which is not what is short here.
    two._client.wait_for_workers(2, timeout=60)
    hasty = Dispatcher(two._client, settings.model_copy(update={"task_timeout_seconds": 1.5}), "processes", 2)
    with pytest.raises(WorkerError, match=r"No task has ended for [1-5] s. Under way: 'long' on tcp://"):
        results(hasty.run([Task("long", work.wait, {"seconds": 6})]))
    assert results(two.run(SQUARES[:2])) == {"square 0": 0, "square 1": 1}


@pytest.mark.slow
def test_nothing_is_left_of_local_processes(settings: Settings, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(WorkerError, match="failed"):
        results(run_tasks(
            [Task("long", work.wait, {"seconds": 1000}), Task("bad", work.divide, {"x": 0})], settings,
            where="processes",
        ))
    left = set(psutil.Process().children(recursive=True)) - before
    assert [p for p in left if p.is_running() and "resource_tracker" not in " ".join(p.cmdline())] == []
    assert not list(tmp_path.glob("matlake-dask-*"))


INTERRUPTED = """
import sys
sys.path[:0] = [{folder!r}, {repo!r}]
import task_functions as work
from lake.settings import load_settings
from lake.tasks import Task, run_tasks
if __name__ == "__main__":
    tasks = [Task(str(n), work.wait, {{"seconds": 0.1}}) for n in range(100_000)]
    for _, pid in run_tasks(tasks, load_settings(dask_workers=2), where="processes"):
        print(pid, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [pytest.param(signal.SIGINT, marks=only_long), signal.SIGKILL])
def test_no_worker_outlives_its_driver(signal_number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED.format(folder=str(Path(__file__).parent), repo=str(REPO)))
    driver = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    assert driver.stdout is not None
    pids = {int(driver.stdout.readline()) for _ in range(8)}
    driver.send_signal(signal_number)
    driver.wait(timeout=40)
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_places(settings: Settings) -> None:
    assert place(settings) == "processes"
    assert place(settings.model_copy(update={"dask_workers": 1})) == "here"
    remote = settings.model_copy(update={"dask_scheduler": "tls://there:8786"})
    assert place(remote) == place(remote, "scheduler") == "tls://there:8786"
    assert place(remote, "here") == "here"
    with pytest.raises(SettingsError, match="MATLAKE_DASK_SCHEDULER"):
        place(settings, "scheduler")
    with pytest.raises(SettingsError, match="'everywhere'"):
        place(settings, "everywhere")


def test_a_scheduler_that_is_not_there(settings: Settings) -> None:
    hasty = settings.model_copy(update={"task_timeout_seconds": 1.0})
    with pytest.raises(WorkerError, match=r"tcp://127.0.0.1:9 does not answer within 1 s"):
        results(run_tasks(SQUARES, hasty, where="tcp://127.0.0.1:9"))


@pytest.mark.slow
def test_a_scheduler_whose_last_worker_is_taken_down(settings: Settings, tmp_path: Path) -> None:
    from dask_processes import scheduler, worker

    with scheduler(tmp_path) as address:
        hasty = settings.model_copy(update={"task_timeout_seconds": 2.0})
        with pytest.raises(WorkerError, match=f"No worker has come to the scheduler at {address} within 2 s"):
            results(run_tasks(SQUARES, hasty, where=address))
        with worker(address, tmp_path, nanny=False):
            remote = settings.model_copy(update={"dask_scheduler": address, "task_attempts": 3})
            assert results(run_tasks(SQUARES, remote)) == {f"square {x}": x * x for x in range(12)}
            began = time.monotonic()
            with pytest.raises(WorkerError, match=r"No worker is left at .*'deadly'"):
                results(run_tasks([*SQUARES, Task("deadly", work.die)], remote))
            assert time.monotonic() - began < 60
