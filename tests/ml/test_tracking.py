"""Trainings in MLflow: what is recorded, two at once, and that no fault of it reaches a training."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr

from lake.store.lake import Lake
from ml.tracking import NullTracker, tracker_for
from ml.tracking import tracker as tracker_module
from ml.tracking.place import Place, place_of
from ml.tracking.process import WRITER, WriterProcess
from ml.tracking.redact import redacted
from ml.tracking.tracker import MlflowTracker, flat
from tests.conftest import quick_settings

PARAMETERS = {"model": {"channels": 64, "hidden": [8, 4]}, "note": None, "long": "x" * 7000}


def told(tracker, name):
    """A training as it tells of itself."""
    tracker.start(name, PARAMETERS | {f"p{i}": i for i in range(120)}, {"subset": "oxides"})
    for step in (10, 20):
        tracker.point(step, {"validation_mae": 1 / step, "train_loss": None, "learning_rate": float("nan")})


def warned(call):
    """The warnings of a call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    return seen


# A writer with a rival, which imports nothing again: both make the same database at once.
RIVAL = f"""
import os, runpy, sys
import mlflow.tracking
if os.fork() == 0:
    folder = os.path.dirname(sys.argv[1].removeprefix("sqlite:///"))
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    runs = runpy.run_path({str(WRITER)!r})["Runs"]()
    runs.start({{"run": 1, "uri": sys.argv[1], "artifacts": sys.argv[2], "experiment": "matlake", "name": "rival",
                "parameters": {{}}, "tags": {{}}}})
    runs.kill()
    os._exit(0)
runpy.run_path({str(WRITER)!r}, run_name="__main__")
os.wait()
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two processes that make the same database at once, and write to it."""
    root = tmp_path_factory.mktemp("tracked") / "my lake"
    place = place_of(Lake.open(str(root), quick_settings().model_copy(update={"tracking_uri": None})))
    writer = WriterProcess([sys.executable, "-c", RIVAL, place.uri, str(place.artifacts)])
    trackers = [MlflowTracker(place, writer, wait_seconds=120) for _ in range(3)]
    trackers.append(MlflowTracker(Place("http://me:hidden@127.0.0.1:9/mlflow?token=hidden"), writer, wait_seconds=60))
    for tracker, name in zip(trackers, ("whole", "failed", "killed", "nobody hears it"), strict=True):
        told(tracker, name)
    ids = [tracker.run_id() for tracker in trackers[:3]]
    trackers[0].finish(metrics={"test_mae": 0.25}, tags={"model_id": "m.1"}, artifacts={"model.json": b"{}\n"})
    trackers[1].finish(failed=True)
    writer.close(60)
    return root, ids, trackers[3]


def asked(recorded, query, *values):
    with sqlite3.connect(recorded[0] / "mlflow.db") as connection:
        return connection.execute(query, values).fetchall()


def test_two_trainings_at_once_are_both_recorded(recorded):
    found = asked(recorded, "select run_uuid, name, status from runs where name <> 'rival'")
    statuses = (("whole", "FINISHED"), ("failed", "FAILED"), ("killed", "KILLED"))
    assert set(found) == {(run, *status) for run, status in zip(recorded[1], statuses, strict=True)}
    assert asked(recorded, "select status from runs where name = 'rival'") == [("KILLED",)]
    assert asked(recorded, "select count(*) from experiments where name = 'matlake'") == [(1,)]


def test_settings_curve_errors_and_tags_are_recorded(recorded):
    ids = recorded[1]
    parameters = dict(asked(recorded, "select key, value from params where run_uuid = ?", ids[0]))
    assert parameters.pop("long") == "x" * 5999 + "…"
    assert parameters == {"model.channels": "64", "model.hidden": "[8, 4]"} | {f"p{i}": str(i) for i in range(120)}
    curve = asked(recorded, "select step, value from metrics where run_uuid = ? and key = 'validation_mae' order by 1",
                  ids[0])
    assert curve == [(10, 0.1), (20, 0.05)]
    keys = {k for (k,) in asked(recorded, "select distinct key from metrics where run_uuid = ?", ids[0])}
    assert keys == {"validation_mae", "learning_rate", "test_mae"}
    tags = dict(asked(recorded, "select key, value from tags where run_uuid = ?", ids[0]))
    assert tags["subset"] == "oxides"
    assert tags["model_id"] == "m.1"


def test_files_lie_beside_the_database(recorded):
    root, ids, _ = recorded
    assert (root / "mlartifacts" / ids[0] / "artifacts" / "model.json").read_bytes() == b"{}\n"


def test_nothing_is_left_in_the_working_directory(recorded):
    assert not Path("mlruns").exists()
    assert not Path("mlartifacts").exists()


def test_an_unreachable_server_is_one_warning_without_the_password(recorded):
    tracker = recorded[2]
    seen = warned(lambda: (tracker.point(1, {"a": 1.0}), tracker.run_id(), tracker.finish(metrics={"a": 1.0})))
    assert tracker.run_id() is None
    assert len(seen) == 1
    assert "does not record the training" in str(seen[0].message)
    assert "hidden" not in str(seen[0].message)
    assert "hidden" not in tracker.problem
    assert "http://***@127.0.0.1:9" in str(seen[0].message)


def stand_in(script):
    return WriterProcess([sys.executable, "-S", "-c", script])


@pytest.mark.parametrize(("script", "why"), [
    ("import time; time.sleep(60)", "not answered in time"),
    ("import sys; sys.exit(1)", "has ended"),
    ("print('not JSON', flush=True); import time; time.sleep(60)", "has ended"),
    ("import sys; sys.stdin.readline(); print('[3]', flush=True)", "has ended"),
])
def test_a_writer_that_fails_holds_no_training_up(script, why):
    writer = stand_in(script)
    tracker = MlflowTracker(Place("sqlite:////nowhere"), writer, wait_seconds=2)
    began = time.monotonic()
    try:
        seen = warned(lambda: (told(tracker, "x"), tracker.run_id(), tracker.point(30, {"a": 1.0}),
                               tracker.finish(metrics={"a": 1.0}, artifacts={"big": bytes(10**6)})))
        assert tracker.run_id() is None
        assert len(seen) == 1
        assert why in str(seen[0].message)
        assert time.monotonic() - began < 8
    finally:
        writer.kill()


SLOW = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "start":
        time.sleep(0.6)
    print(json.dumps({"id": asked["id"], "run_id": "r"}), flush=True)
    if asked["do"] == "finish":
        open(sys.argv[1], "w").write(asked["status"])
"""


def test_a_writer_that_is_late_still_gets_the_end_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_module, "_failed", {})
    writer = WriterProcess([sys.executable, "-S", "-c", SLOW, str(tmp_path / "status")])
    tracker = MlflowTracker(Place("sqlite:////nowhere"), writer, wait_seconds=0.1)
    seen = warned(lambda: (told(tracker, "x"), tracker.run_id(), tracker.finish()))
    assert [("not answered in time" in str(w.message)) for w in seen] == [True]
    writer.close(20)
    assert (tmp_path / "status").read_text() == "FINISHED"


def test_a_program_that_is_not_there_is_a_warning(monkeypatch):
    def missing():
        raise FileNotFoundError("no such program")

    monkeypatch.setattr(tracker_module, "shared_writer", missing)
    tracker = MlflowTracker(Place("sqlite:////nowhere"))
    with pytest.warns(UserWarning, match="cannot be started"):
        told(tracker, "x")
    tracker.finish()
    assert tracker.run_id() is None


def test_a_place_that_failed_is_left_in_peace_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_module, "_failed", {})
    lake = Lake.open(str(tmp_path), quick_settings(tracking_uri="http://127.0.0.1:9"))
    first = tracker_for(lake)
    assert isinstance(first, MlflowTracker)
    first._writer = stand_in("import sys; sys.exit(1)")
    first.start("x", {}, {})
    with pytest.warns(UserWarning, match="has ended"):
        first.run_id()
    assert isinstance(tracker_for(lake), NullTracker)
    monkeypatch.setattr(tracker_module, "PAUSE_SECONDS", 0.0)
    assert isinstance(tracker_for(lake), MlflowTracker)


def test_where_runs_go(tmp_path):
    def place(uri=None):
        settings = quick_settings().model_copy(update={"tracking_uri": None if uri is None else SecretStr(uri)})
        return place_of(Lake.open(str(tmp_path), settings))

    assert place("off") is place("OFF ") is place("") is None
    on_s3 = quick_settings().model_copy(update={"tracking_uri": None})
    assert place_of(Lake.open("s3://bucket/lake", on_s3)) is None
    assert place("sqlite:////data/runs.db") == Place("sqlite:////data/runs.db", "file:///data/mlartifacts")
    assert place("sqlite:///runs.db").uri == f"sqlite:///{Path.cwd()}/runs.db"
    assert place("http://server:5000") == Place("http://server:5000")
    assert place() == Place(f"sqlite:///{tmp_path}/mlflow.db?timeout=60", f"{Path(tmp_path).as_uri()}/mlartifacts")


def test_without_mlflow_trainings_are_not_tracked(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_module, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(tracker_for(Lake.open(str(tmp_path), quick_settings(tracking_uri="off"))), NullTracker)
    asked = Lake.open(str(tmp_path), quick_settings(tracking_uri="http://server"))
    with pytest.warns(UserWarning, match="MLflow is not installed"):
        assert isinstance(tracker_for(asked), NullTracker)


def test_the_address_is_a_secret_among_the_settings():
    assert "hidden" not in repr(quick_settings(tracking_uri="http://me:hidden@server"))


@pytest.mark.parametrize(("text", "shown"), [
    ("at http://me:pw@host:5/x failed", "at http://***@host:5/x failed"),
    ("postgresql://u:p@db/x?password=a&b=1", "postgresql://***@db/x?password=***&b=1"),
    ("https://h/?api_token=abc'", "https://h/?api_token=***'"), ("sqlite:////a b/c.db", "sqlite:////a b/c.db"),
    ("http://me:p@ss@host/", "http://***@host/"),
])
def test_passwords_are_blotted_out(text, shown):
    assert redacted(text) == shown


def test_nested_settings_become_flat():
    assert flat({"a": {"b": {"c": 1}, "d": None}, "e": (1, 2), "f": True}) == {"a.b.c": "1", "e": "[1, 2]", "f": "True"}


def test_nothing_is_imported_before_it_is_needed():
    script = "import sys, ml.tracking; assert 'mlflow' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
