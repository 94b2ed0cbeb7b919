"""Checkpoints: whole or not there, of the right training or left alone, through kill -9 and full disks."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_training import CRYSTALS, SETTINGS, TARGETS, TRAIN, VALIDATION, Ended, ended_at, same, trained
from tiny_training import Crystals, Sums

from lake.errors import TrainingError
from ml.progress import State
from ml.training import checkpoint
from ml.training.checkpoint import Checkpoints, Identity
from ml.training.loop import fit

IDENTITY = Identity("{}", "data", "network")
TENSORS = {"weights/a": torch.arange(6.0).reshape(2, 3), "count/a": torch.tensor(5.0), "empty": torch.zeros(0, 4)}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def newest(folder: Path, identity: Identity = IDENTITY) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return Checkpoints(folder, identity).newest(notes.append), notes


def filled(folder: Path, steps: int = 3) -> Path:
    for step in range(1, steps + 1):
        Checkpoints(folder, IDENTITY).write(step * 10, TENSORS, {"step": step * 10})
    return folder


def test_what_was_written_comes_back_and_two_are_kept(tmp_path: Path) -> None:
    filled(tmp_path / "new" / "folder")
    assert len(files(tmp_path / "new" / "folder")) == 2
    (tensors, state), notes = newest(tmp_path / "new" / "folder")
    assert state == {"step": 30}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert not notes
    assert newest(tmp_path / "not there") == (None, [])


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "zeros", "another"])
def test_a_damaged_one_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    path = sorted(filled(tmp_path).iterdir())[-1]
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-7]
    elif damage == "empty":
        content = bytearray()
    elif damage == "zeros":
        content = bytearray(len(content))
    elif damage == "changed":
        content[-3] ^= 1
    else:
        content = bytearray(content.replace(b'\\"data\\": \\"data\\"', b'\\"data\\": \\"tada\\"'))
        assert content != path.read_bytes()
    path.write_bytes(content)
    found, notes = newest(tmp_path)
    assert found[1] == {"step": 20}
    assert "cannot be used" in notes[0]
    assert str(path) in notes[0]


def test_when_all_are_damaged_it_starts_anew(tmp_path: Path) -> None:
    for path in filled(tmp_path).iterdir():
        path.write_bytes(b"\x80\x04cposix\nsystem\n.")
    found, notes = newest(tmp_path)
    assert found is None
    assert len(notes) == 2


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    name = files(filled(tmp_path))[0]
    (tmp_path / f".{name}.4711").write_bytes(b"half")
    assert newest(tmp_path)[0][1] == {"step": 30}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("part", ["settings", "data", "network"])
def test_that_of_another_training_is_left_alone_and_named(tmp_path: Path, part: str) -> None:
    filled(tmp_path)
    found, notes = newest(tmp_path, replace(IDENTITY, **{part: "other"}))
    assert found is None
    assert len(notes) == 1
    assert f"({part} differ)" in notes[0]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_is_an_error_that_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with pytest.raises(Ended):
        trained(folder=tmp_path, progress=ended_at(25))
    before = files(tmp_path)
    with pytest.raises(TrainingError, match=r"checkpoint of step \d+ cannot be written to .*(No space|too large).*"
                                            r"Make room: the one of step 20 is kept"), full_disk(monkeypatch, call):
        trained(folder=tmp_path)
    assert files(tmp_path) == before
    assert same(trained(folder=tmp_path), trained())


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, call: str) -> Iterator[None]:
    """No room: a write that ends in the middle, or a call that says so."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if call == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
        with monkeypatch.context() as context:
            if call == "fsync":
                context.setattr(checkpoint.os, "fsync", full)
            elif call == "replace":
                context.setattr(Path, "replace", full)
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_cannot_be_written_to_is_found_out_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    states: list[State] = []
    with pytest.raises(TrainingError, match="checkpoint of step 0 cannot be written"):
        trained(folder=tmp_path / "file", progress=states.append)
    assert not states


def test_other_settings_data_and_networks_do_not_take_it_up(tmp_path: Path) -> None:
    with pytest.raises(Ended):
        trained(folder=tmp_path, progress=ended_at(30))
    other = Crystals(CRYSTALS.values, CRYSTALS.offsets)
    other.inputs = torch.ones(60, 1)
    arguments = {"graphs": CRYSTALS, "targets": TARGETS, "train": TRAIN, "validation": VALIDATION,
                 "settings": SETTINGS, "network": Sums()}
    for changed, part in (
        ({"settings": replace(SETTINGS, learning_rate=0.02)}, "settings"), ({"train": TRAIN[1:]}, "data"),
        ({"targets": TARGETS + 1e-9}, "data"), ({"graphs": other}, "data"), ({"network": Sums(seed=9)}, "network"),
        ({"network": Sums(dropout=0.1)}, "network"),
    ):
        with pytest.raises(Ended, match=rf"\({part} differ\): it is left alone, and this one starts anew"):
            fit(**arguments | changed, folder=tmp_path, progress=ended_at_a_note)
    found = trained(settings=replace(SETTINGS, threads=None, checkpoint_seconds=5.0), folder=tmp_path)
    assert found.resumed_from is not None
    assert found.resumed_from >= 20


def ended_at_a_note(state: State) -> None:
    if state.note:
        raise Ended(state.note)


KILLED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from test_training import CRYSTALS, TARGETS, TRAIN, VALIDATION, kill_settings
from tiny_training import Sums
from ml.training.loop import fit

folder, result, kills = Path(sys.argv[1]), Path(sys.argv[2]), 0
random = np.random.default_rng(int(sys.argv[3]))

def steps():
    return max([int(path.stem.rpartition("-")[2]) for path in folder.glob("training-*")], default=0)

for target in (10, 30, 50, 70, None):
    child = os.fork()
    if child == 0:
        found = fit(Sums(2, dropout=0.1), CRYSTALS, TARGETS, TRAIN, VALIDATION, kill_settings(), folder=folder)
        np.savez(result, curve=[(p.step, p.train_loss, p.train_mae, p.validation_mae) for p in found.curve],
                 best=found.best_step, resumed=found.resumed_from,
                 **{name: one.numpy() for name, one in found.weights.items()})
        os._exit(0)
    if target is None:
        assert os.waitpid(child, 0)[1] == 0
        break
    while steps() < target and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.0005)
    time.sleep(random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
print(kills)
"""


def test_kill_9_at_any_moment_changes_nothing(tmp_path: Path) -> None:
    from test_training import kill_settings

    result = tmp_path / "result.npz"
    seed = np.random.SeedSequence().entropy % 2**31
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "folder"), str(result), str(seed)], capture_output=True,
        text=True, timeout=120, env=os.environ | {"PYTHONPATH": f"{here}:{here.parents[1]}", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert int(done.stdout) >= 3, f"seed {seed}"
    found, wanted = np.load(result), fit(Sums(2, dropout=0.1), CRYSTALS, TARGETS, TRAIN, VALIDATION, kill_settings())
    assert found["resumed"] >= 50
    assert found["best"] == wanted.best_step
    for name, one in wanted.weights.items():
        np.testing.assert_array_equal(found[name], one.numpy(), err_msg=f"seed {seed}")
    curve = [(p.step, p.train_loss, p.train_mae, p.validation_mae) for p in wanted.curve]
    np.testing.assert_array_equal(found["curve"], curve)
