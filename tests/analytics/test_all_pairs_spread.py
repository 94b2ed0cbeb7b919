"""All pairs on worker processes: the same table, whatever is killed in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pair_faults
import pytest
from dask_processes import scheduler, worker
from pair_lakes import GRID, Pair, brute_force, drawn, leftovers, listed, put

from analytics.similarity import run, run_folder, sorted_index
from analytics.similarity.run import all_pairs
from lake.errors import WorkerError
from lake.settings import Settings
from lake.store.lake import Lake
from lake.tasks import Workers, open_workers
from tests.conftest import only_long, quick_settings

REPO = Path(__file__).parents[2]
THRESHOLD = 0.6
N = 120
COUNTS = drawn(N, seed=5)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return quick_settings(dask_workers=2, task_attempts=2, task_timeout_seconds=60)


@pytest.fixture(scope="module")
def two(settings: Settings) -> Iterator[Workers]:
    with open_workers(settings, "processes") as workers:
        yield workers


@pytest.fixture
def filled(tmp_path: Path, settings: Settings) -> tuple[Lake, list[Pair]]:
    lake = Lake.open(str(tmp_path / "lake"), settings)
    ids = put(lake, COUNTS)
    return lake, brute_force(ids, COUNTS, THRESHOLD)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_index, "SMALLEST_TILE", 16)


@pytest.fixture
def on_two(two: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs take the processes that are there instead of starting their own."""
    @contextmanager
    def there(*_: Any) -> Iterator[Workers]:
        yield two

    monkeypatch.setattr(run, "open_workers", there)


@pytest.mark.usefixtures("on_two")
def test_processes_list_what_brute_force_lists(filled: tuple[Lake, list[Pair]]) -> None:
    lake, expected = filled
    result = all_pairs(lake, GRID, THRESHOLD, where="processes")
    assert result.where == "processes"
    assert result.n_tasks > 10
    assert listed(lake) == expected
    assert leftovers(lake) == []


def test_a_run_starts_its_own_processes(filled: tuple[Lake, list[Pair]]) -> None:
    lake, expected = filled
    one = Lake.open(lake.root.uri, lake.settings.model_copy(update={"dask_workers": 1}))
    assert all_pairs(one, GRID, THRESHOLD, where="processes").where == "processes"
    assert listed(lake) == expected


@pytest.mark.usefixtures("on_two")
def test_a_worker_killed_in_the_middle_changes_nothing(
    filled: tuple[Lake, list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, expected = filled
    monkeypatch.setattr(run, "compare", pair_faults.compare_and_die_once)
    all_pairs(lake, GRID, THRESHOLD, where="processes")
    assert Path(f"{lake.root.uri}-marker").exists()
    assert listed(lake) == expected
    assert leftovers(lake) == []


@pytest.mark.usefixtures("on_two")
@pytest.mark.parametrize(("fault", "said"), [
    pytest.param(pair_faults.compare_and_die, "'pairs-00001-00002' took 2 workers down", marks=only_long),
    (pair_faults.compare_or_fail, "'pairs-00001-00002' failed: MemoryError: none is left"),
])
def test_a_task_that_cannot_be_done_ends_the_run_and_shows_nothing(
    filled: tuple[Lake, list[Pair]], monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    lake, expected = filled
    before = lake.versions()
    began = time.monotonic()
    with monkeypatch.context() as patched:
        patched.setattr(run, "compare", fault)
        with pytest.raises(WorkerError, match=said):
            all_pairs(lake, GRID, THRESHOLD, where="processes")
    assert time.monotonic() - began < 60
    assert lake.versions() == before
    assert listed(lake) == []
    again = all_pairs(lake, GRID, THRESHOLD, where="here")
    assert 0 < again.n_resumed < again.n_tasks
    assert listed(lake) == expected


KILLED = """
import os, signal, sys
sys.path[:0] = [{repo!r}]
from analytics.similarity import sorted_index
from analytics.similarity.run import all_pairs
from lake.store.lake import Lake
if __name__ == "__main__":
    sorted_index.SMALLEST_TILE = 16
    def progress(state):
        if state.doing == "compare" and state.done == 5:
            os.kill(os.getpid(), signal.SIGKILL)
    all_pairs(Lake.open({root!r}), {grid!r}, {threshold}, where="processes", progress=progress)
"""


@pytest.mark.slow
def test_an_interrupted_driver_resumes(filled: tuple[Lake, list[Pair]], tmp_path: Path) -> None:
    lake, expected = filled
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(repo=str(REPO), root=lake.root.uri, grid=GRID, threshold=THRESHOLD))
    done = subprocess.run([sys.executable, str(script)], timeout=120, check=False, capture_output=True)
    assert done.returncode == -9
    assert listed(lake) == []
    result = all_pairs(lake, GRID, THRESHOLD)
    assert 5 <= result.n_resumed < result.n_tasks
    assert listed(lake) == expected
    assert leftovers(lake) == []


@pytest.mark.slow
@only_long
def test_a_scheduler_address(filled: tuple[Lake, list[Pair]], tmp_path: Path) -> None:
    lake, expected = filled
    with scheduler(tmp_path) as address, worker(address, tmp_path):
        result = all_pairs(lake, GRID, THRESHOLD, where=address)
    assert result.where == address
    assert listed(lake) == expected


def interrupted(lake: Lake, threshold: float) -> None:
    """A run that ends in the middle."""
    class Stop(Exception):
        pass

    def stop(state: run.State) -> None:
        if state.doing == "compare" and state.done == 3:
            raise Stop

    with pytest.raises(Stop):
        all_pairs(lake, GRID, threshold, progress=stop)


def test_what_dead_runs_left_is_removed_and_what_live_ones_have_is_not(
    filled: tuple[Lake, list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, expected = filled
    interrupted(lake, 0.5)
    left = leftovers(lake)
    assert len([name for name in left if name.endswith(".parquet")]) >= 3
    all_pairs(lake, GRID, THRESHOLD)
    assert leftovers(lake) == left
    assert listed(lake) == expected
    version = lake.versions()["similarities"]
    monkeypatch.setattr(run_folder, "KEPT_SECONDS", -1.0)
    all_pairs(lake, GRID, 0.7)
    assert set(left) & set(leftovers(lake)) == set()
    assert lake.root.names("runs", "similar") == []
    # The version before, whose files nobody lists any more, can still be read.
    assert lake.read("similarities", version=version).num_rows > 50


def test_published_files_outlive_the_folder_of_their_run(
    filled: tuple[Lake, list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver killed between publishing and cleaning up must not cost what it published."""
    lake, expected = filled
    with monkeypatch.context() as patched:
        patched.setattr(run_folder.RunFolder, "remove", lambda *_, **__: False)
        version = all_pairs(lake, GRID, THRESHOLD).similarities_version
    monkeypatch.setattr(run_folder, "KEPT_SECONDS", -1.0)
    all_pairs(lake, GRID, 0.9)
    assert lake.root.names("runs", "similar") == []
    before = lake.read("similarities", ["left_id", "right_id", "similarity"], version=version)
    assert set(map(tuple, (row.values() for row in before.to_pylist()))) <= set(expected)
    assert before.num_rows > 50


def test_twins_at_the_same_time_list_the_same(filled: tuple[Lake, list[Pair]]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lake, expected = filled
    interrupted(lake, THRESHOLD)
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(lambda _: all_pairs(lake, GRID, THRESHOLD), range(3)))
    assert len({result.n_pairs for result in results}) == 1
    assert listed(lake) == expected
