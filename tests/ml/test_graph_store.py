"""The store on disk: built once, found again, safe against whoever is killed, beside or broken."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from graph_crystals import copper, crystal, perovskite, rocksalt

from lake import tasks as lake_tasks
from lake.errors import InputError, StructureError
from lake.settings import Settings
from lake.store.lake import Lake
from lake.tasks.task import Task, perform
from ml.graphs import segment, store
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.graphs.store import folder_of, graph_store
from tests.conftest import quick_settings

FEW = GraphSettings(n_neighbours=6)


@pytest.fixture
def rows() -> pa.Table:
    some = [rocksalt(5.0 + 0.05 * k) for k in range(12)] + [copper(3.0 + 0.1 * k) for k in range(12)] + [perovskite()]
    return pa.Table.from_pylist([{"calculation_id": f"mp/{k}"} | one for k, one in enumerate(some)])


def check(found: Graphs, rows: pa.Table, settings: GraphSettings = FEW) -> None:
    expected = graphs_of(rows, settings)
    taken = found.take(found.places(expected.sha256s))
    for name, array in expected.arrays().items():
        np.testing.assert_array_equal(getattr(taken, name), array, err_msg=name)


def files(lake: Lake, settings: GraphSettings = FEW) -> list[Path]:
    return sorted(folder_of(lake, settings).glob("*"))


def everything(lake: Lake) -> list[str]:
    return sorted(path.name for path in folder_of(lake, FEW).iterdir())


class Built:
    """Counts the crystals that are built."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        real = store.build_packed

        def counting(**arguments: Any) -> Any:
            self.n += len(arguments["crystals"])
            return real(**arguments)

        monkeypatch.setattr(store, "build_packed", counting)


@pytest.mark.parametrize("kind", ["quotient", "full"])
def test_built_once_and_only_what_is_new(
    lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    built, setting = Built(monkeypatch), GraphSettings(kind=kind)
    steps: list[tuple[int, int]] = []
    some = rows.slice(0, 10)
    check(graph_store(lake, some, setting, progress=lambda *step: steps.append(step)), some, setting)
    assert steps == [(10, 10)]
    assert built.n == 10
    check(graph_store(lake, rows, setting), rows, setting)
    assert built.n == rows.num_rows
    check(graph_store(lake, rows.slice(5, 9), setting), rows.slice(5, 9), setting)
    check(graph_store(lake, rows.take([3, 3, 1]), setting), rows.take([3, 3, 1]), setting)
    assert built.n == rows.num_rows
    assert len(files(lake, setting)) == 2
    assert graph_store(lake, rows.slice(0, 0), setting).n == 0
    # Other settings are another store.
    graph_store(lake, rows.slice(0, 2), GraphSettings(kind=kind, n_neighbours=7))
    assert built.n == rows.num_rows + 2


@pytest.mark.parametrize("harm", [
    lambda content: content[:-1], lambda content: content[:10], lambda content: b"",
    lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
    lambda content: b"PK" + content[2:],
    lambda content: content.replace(b'"n_neighbours": 6', b'"n_neighbours": 7'),
    lambda content: content + b"more",
], ids=["cut", "stub", "empty", "bit", "magic", "header", "longer"])
def test_a_broken_file_is_made_again(lake: Lake, rows: pa.Table, harm: Callable[[bytes], bytes]) -> None:
    graph_store(lake, rows.slice(0, 10), FEW)
    graph_store(lake, rows, FEW)
    (one, two) = files(lake)
    other = two.read_bytes()
    one.write_bytes(harm(one.read_bytes()))
    check(graph_store(lake, rows, FEW), rows)
    assert two.read_bytes() == other
    for path in files(lake):
        segment.read(path)


def forked(work: Callable[[], object]) -> int:
    """Do something in a copy of this process; returns its process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


@pytest.mark.parametrize("when", ["before", "half", "unnamed", "after"])
def test_killed_while_writing(lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    monkeypatch.setattr(store, "AT_ONCE", 10)
    graph_store(lake, rows.slice(0, 1), FEW)  # compiles here rather than in the child
    real = segment.write
    written = 0

    def dying(folder: Path, name: str, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == 2 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if written == 2 and when in ("half", "unnamed"):
            part = content[: len(content) // 2] if when == "half" else content
            (folder / f".{name}.abcd").write_bytes(part)
            os.kill(os.getpid(), signal.SIGKILL)
        real(folder, name, content)
        if written == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(segment, "write", dying)
    child = forked(lambda: graph_store(lake, rows, FEW))
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    monkeypatch.setattr(segment, "write", real)
    built = Built(monkeypatch)
    check(graph_store(lake, rows, FEW), rows)
    assert built.n == rows.num_rows - 1 - (20 if when == "after" else 10)
    left = [path for path in folder_of(lake, FEW).iterdir() if path.name.startswith(".")]
    assert len(left) == (when in ("half", "unnamed"))
    # A day later it is cleared away.
    for path in left:
        os.utime(path, (time.time() - 90_000,) * 2)
    graph_store(lake, pa.Table.from_pylist([rocksalt(9.0)]), FEW)
    assert not any(name.startswith(".") for name in everything(lake))


def test_several_at_once(lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "AT_ONCE", 4)
    graphs_of(rows, FEW)
    children = [forked(lambda: check(graph_store(lake, rows, FEW), rows)) for _ in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert len(files(lake)) <= 2 * 7
    check(graph_store(lake, rows, FEW), rows)


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "Permission denied")])
def test_a_full_disk_breaks_nothing(
    lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    graph_store(lake, rows.slice(0, 5), FEW)
    before = everything(lake)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=words):
            graph_store(lake, rows, FEW)
    assert everything(lake) == before
    check(graph_store(lake, rows, FEW), rows)


def test_small_files_are_put_together(lake: Lake, rows: pa.Table) -> None:
    for k in range(rows.num_rows):
        graph_store(lake, rows.slice(k, 1), FEW)
    assert len(files(lake)) < store.MOST_SMALL + 2
    check(graph_store(lake, rows, FEW), rows)


def test_no_room_to_put_them_together(lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_SMALL", 1)
    graph_store(lake, rows.slice(0, 5), FEW)
    real = segment.write

    def once(folder: Path, name: str, content: bytes) -> None:
        monkeypatch.setattr(segment, "write", refusing)
        real(folder, name, content)

    def refusing(folder: Path, name: str, content: bytes) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(segment, "write", once)
    check(graph_store(lake, rows, FEW), rows)
    assert len(files(lake)) == 2


def test_bad_crystals_are_named_and_the_others_kept(
    lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {"calculation_id": "mp/bad"} | crystal(np.eye(3) * 4, [[0, 0, 0], [0, 0, 1e-4]], ["O", "O"])
    with pytest.raises(InputError, match=r"1 of 26 crystals.*mp/bad has an atom"):
        graph_store(lake, pa.concat_tables([rows, pa.Table.from_pylist([bad])]), FEW)
    built = Built(monkeypatch)
    check(graph_store(lake, rows, FEW), rows)
    assert built.n == 0
    with pytest.raises(StructureError, match="SHA-256"):
        graph_store(lake, rows.append_column("structure_sha256", pa.array(["x"] * rows.num_rows)), FEW)


def test_spread_over_workers(lake: Lake, rows: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """What travels to a worker and back survives it; the places themselves have their own tests."""
    monkeypatch.setattr(store, "AT_ONCE", 10)
    names: list[str] = []

    def elsewhere(tasks: Iterator[Task], settings: Settings, where: str | None) -> Iterator[tuple[Task, Any]]:
        assert where == "processes"
        for task in reversed(list(tasks)):
            names.append(task.name)
            yield task, pickle.loads(pickle.dumps(perform(pickle.loads(pickle.dumps(task))).result))

    monkeypatch.setattr(lake_tasks, "run_tasks", elsewhere)
    check(graph_store(lake, rows, FEW, where="processes"), rows)
    assert sorted(names) == [f"graphs, part {k} of 3" for k in (1, 2, 3)]


def test_of_a_lake_on_s3_it_lies_in_the_cache(tmp_path: Path, rows: pa.Table) -> None:
    far = Lake.open("s3://bucket/lake", quick_settings(cache_dir=str(tmp_path)))
    check(graph_store(far, rows.slice(0, 3), FEW), rows.slice(0, 3))
    (path,) = files(far)
    assert path.is_relative_to(tmp_path / "matlake")
