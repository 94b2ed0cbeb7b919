"""Searches from rows to tables: right, killed and taken up, with candidates that fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_lakes import fill, rows_of

from lake.errors import CheckpointError, InputError, LostWorkersError, TrainingError
from lake.settings import load_settings
from lake.store.lake import Lake
from lake.tasks import Task
from ml import scratch
from ml.data import Dataset, Selection, dataset
from ml.search import compete, work
from ml.search.candidate import COMPLETED, FAILED, PRUNED, Candidate
from ml.search.diary import Diary, Entry, Group
from ml.search.finalists import finalists
from ml.search.request import SearchRequest
from ml.search.run import Searched, State, search
from ml.search.space import Space
from ml.search.work import Report
from ml.spec import ModelSpec
from ml.train import train

ENERGY = "formation_energy_ev_per_atom"
SPACE = {"model.channels": [4, 6], "model.dropout": [0.0, 0.1],
         "training.learning_rate": {"low": 3e-3, "high": 3e-2, "log": True}}
BASE = ModelSpec("schnet", {"n_rbf": 8, "steps": 1},
                 {"steps": 18, "evaluate_every": 1, "batch_size": 16, "device": "cpu", "threads": 1})


def request(space: dict[str, Any] | None = None, **more: Any) -> SearchRequest:
    given: dict[str, Any] = {"candidates": 9, "least_steps": 2, "finishers": 1, "seed": 3, "price_per_hour": 2.0}
    return SearchRequest(BASE, Space.of("small", space or SPACE), **given | more)


@pytest.fixture(scope="module")
def salts(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(str(tmp_path_factory.mktemp("salts")), load_settings(tracking_uri="off", dask_workers=1))
    return fill(lake, rows_of("left"))


@pytest.fixture(scope="module")
def data(salts: Lake) -> Dataset:
    return dataset(salts, Selection(ENERGY))


@pytest.fixture(scope="module")
def found(salts: Lake, data: Dataset) -> Searched:
    return search(salts, data, request(), name="first")


class Watched:
    """What was trained, from which step to which."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, int]] = []
        self.stop_after: int | None = None
        self.real = work.train_stack
        monkeypatch.setattr(compete, "train_stack", self)

    def __call__(self, order: work.Order, stack: work.Stack, until: int, keep: Any) -> Report:
        if self.stop_after is not None and len(self.done) >= self.stop_after:
            raise KeyboardInterrupt
        self.done.append((stack.name, until))
        return self.real(order, stack, until, keep)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def nearly(candidates: Any) -> list[Any]:
    """As :func:`numbers`, with errors up to the rounding that differs with who shares a pass."""
    return [(*rest, pytest.approx(curve, rel=1e-3)) for *rest, curve in numbers(candidates)]


def numbers(candidates: Any) -> list[Any]:
    return [(one.number, one.state, one.steps, one.parameters, [p.validation_rmse for p in one.curve])
            for one in candidates]


def test_the_worse_end_early_and_the_best_come_to_the_end(found: Searched) -> None:
    steps = {one.number: one.steps for one in found.candidates}
    assert sorted(steps.values()) == [2] * 6 + [6] * 2 + [18]
    at = {step: sorted((min(p.validation_rmse for p in one.curve if p.step <= step), one.number)
                       for one in found.candidates if one.steps >= step) for step in (2, 6)}
    assert {number for _, number in at[2][:3]} == {n for n, done in steps.items() if done > 2}
    assert {number for _, number in at[6][:1]} == {n for n, done in steps.items() if done > 6}
    assert [one.state for one in found.candidates].count(COMPLETED) == 1
    assert all((one.state == PRUNED) == (one.reason is not None) for one in found.candidates)


def test_the_tables_hold_it(salts: Lake, found: Searched) -> None:
    row = salts.read("searches", where="search_id = 'first.1'").to_pylist()[0]
    assert (row["n_candidates"], row["n_completed"], row["n_pruned"], row["n_failed"]) == (9, 1, 8, 0)
    assert (row["training_steps"], row["full_training_steps"]) == (2 * 9 + 4 * 3 + 12, 9 * 18)
    assert row["cost"] == pytest.approx(2 * row["device_hours"])
    assert row["full_device_hours"] > row["device_hours"] > 0
    trials = salts.read("trials", where="search_id = 'first.1'").to_pylist()
    assert sorted(one["trial"] for one in trials) == list(range(9))
    best = next(one for one in trials if one["state"] == "completed")
    assert best["validation_rmse"] == row["best_rmse"]
    assert best["prediction_ms"] > 0
    assert best["message_passing_steps"] == 1
    assert best["channels"] == json.loads(best["parameters_json"])["model.channels"]
    curves = salts.read("trial_curves", where="search_id = 'first.1'")
    assert curves.num_rows == row["training_steps"]
    of_best = [p for p in curves.to_pylist() if p["trial"] == best["trial"]]
    assert min(p["validation_rmse"] for p in of_best) == row["best_rmse"]


def test_a_candidate_learns_as_if_it_were_alone(salts: Lake, data: Dataset, found: Searched) -> None:
    dry = max((one for one in found.candidates if one.parameters["model.dropout"] == 0), key=lambda one: one.steps)
    alone = train(salts, data, dry.spec(found.request.base), name="alone")
    curve = salts.read("learning_curves", where="model_id = 'alone.1'").sort_by("step")["validation_rmse"].to_numpy()
    assert [point.validation_rmse for point in dry.curve] == pytest.approx(curve[:len(dry.curve)].tolist(), rel=1e-3)
    assert alone.model.row["n_parameters"] == dry.n_parameters


def test_the_same_search_is_given_back(salts: Lake, data: Dataset, found: Searched, watched: Watched) -> None:
    again = search(salts, data, request(price_per_hour=None, most_stacked=1), name="first")
    assert again.was_there
    assert again.row["search_id"] == found.row["search_id"] == "first.1"
    assert watched.done == []


def test_stacks_change_nothing_but_the_time(salts: Lake, data: Dataset, found: Searched) -> None:
    other = search(salts, data, request(most_stacked=1), name="one-by-one", again=True)
    assert {one.n_stacked for one in other.candidates} == {1}
    assert max(one.n_stacked or 0 for one in found.candidates) > 1
    assert [list(one) for one in numbers(other.candidates)] == [list(one) for one in nearly(found.candidates)]


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_a_search_that_was_killed_trains_nothing_twice(
    salts: Lake, data: Dataset, found: Searched, watched: Watched, stop_after: int
) -> None:
    watched.stop_after = stop_after
    with pytest.raises(KeyboardInterrupt):
        search(salts, data, request(), name=f"killed-{stop_after}", again=True)
    watched.stop_after = None
    whole = search(salts, data, request(), name=f"killed-{stop_after}", again=True)
    assert len(watched.done) == len(set(watched.done))
    assert numbers(whole.candidates) == numbers(found.candidates)
    assert not list((Path(salts.root.uri) / scratch.FOLDER).glob("*"))


def test_a_kill_within_a_stack_goes_on_from_its_checkpoint(
    salts: Lake, data: Dataset, found: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.training import stack as stacks

    first, went_on = stacks.fit_stack, list[int | None]()

    def halfway(*given: Any, until: int, **more: Any) -> Any:
        if until == 18:
            first(*given, until=12, **more)
            raise KeyboardInterrupt
        return first(*given, until=until, **more)

    def watching(*given: Any, **more: Any) -> Any:
        done = first(*given, **more)
        went_on.append(done.resumed_from)
        return done

    monkeypatch.setattr(stacks, "fit_stack", halfway)
    with pytest.raises(KeyboardInterrupt):
        search(salts, data, request(), name="halfway", again=True)
    monkeypatch.setattr(stacks, "fit_stack", watching)
    whole = search(salts, data, request(), name="halfway", again=True)
    assert went_on == [12]
    assert numbers(whole.candidates) == numbers(found.candidates)


def test_a_diary_that_is_cut_costs_nothing_that_was_trained(
    salts: Lake, data: Dataset, found: Searched, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        search(salts, data, request(), name="cut", again=True)
    for path in (Path(salts.root.uri) / scratch.FOLDER).glob("*/bracket-*.json"):
        path.write_bytes(path.read_bytes()[:100])
    watched.stop_after = None
    whole = search(salts, data, request(), name="cut", again=True)
    assert [list(one) for one in numbers(whole.candidates)] == [list(one) for one in nearly(found.candidates)]


def test_a_longer_search_takes_over_what_was_trained(
    salts: Lake, data: Dataset, found: Searched, watched: Watched
) -> None:
    longer = search(salts, data, request(candidates=12), name="longer")
    taken = [one for one in longer.candidates if one.from_search]
    assert {one.number for one in taken} >= {one.number for one in found.candidates if one.steps == 2} & {
        one.number for one in longer.candidates if one.steps == 2}
    earlier = {row["search_id"] for row in salts.read("searches").to_pylist()} - {"longer.1"}
    assert {one.from_search for one in taken} <= earlier
    assert longer.row["training_steps"] == sum(one.steps for one in longer.candidates if not one.from_search)
    fresh = search(salts, data, request(candidates=12), name="fresh", again=True)
    assert [one.steps for one in fresh.candidates] == [one.steps for one in longer.candidates]
    assert [one.rmse for one in fresh.candidates] == pytest.approx([one.rmse for one in longer.candidates], rel=1e-3)
    assert not any(one.from_search for one in fresh.candidates)


def test_a_candidate_that_fails_is_recorded_and_the_search_goes_on(
    salts: Lake, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.training import stack_members

    real = stack_members.build_stack

    def broken(settings: Any, candidates: Any) -> Any:
        if settings.channels == 6 and any(one.learning_rate > 5 for one in candidates):
            raise RuntimeError("no such kernel")
        return real(settings, candidates)

    monkeypatch.setattr(stack_members, "build_stack", broken)
    space = {"model.channels": [4, 6], "training.learning_rate": [1e-2, 9.0], "training.clip": [None, 1.0],
             "training.optimizer": ["adam", "adamw"]}
    asked = replace(request(space, candidates=16, pruner="none"), base=BASE.setting("training.loss", "mse"))
    found = search(salts, data, asked, name="failing", again=True)
    bad = {one.number for one in found.candidates
           if (one.parameters["model.channels"], one.parameters["training.learning_rate"]) == (6, 9.0)}
    assert len(bad) == 4
    assert {one.number for one in found.candidates if one.reason == "RuntimeError: no such kernel"} == bad
    others = [one for one in found.candidates if one.number not in bad and one.parameters["model.channels"] == 6]
    assert [one.state for one in others] == [COMPLETED] * 4
    kept = salts.read("trials", where="search_id = 'failing.1' and state = 'failed'").to_pylist()
    assert {row["trial"] for row in kept if row["reason"] == "RuntimeError: no such kernel"} == bad


def test_a_member_whose_loss_is_no_number_fails_and_the_rest_of_its_stack_goes_on(
    salts: Lake, data: Dataset, found: Searched, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = next(one for one in found.candidates if one.state == COMPLETED)

    def diverging(order: work.Order, stack: work.Stack, until: int, keep: Any) -> Report:
        report = watched.real(order, stack, until, keep)
        rates = [spec.training["learning_rate"] for spec in stack.specs]
        if until < 6 or victim.parameters["training.learning_rate"] not in rates:
            return report
        place = rates.index(victim.parameters["training.learning_rate"])
        members = list(report.members)
        members[place] = replace(members[place], failed="The loss is no number at step 5.")
        return replace(report, members=tuple(members))

    monkeypatch.setattr(compete, "train_stack", diverging)
    done = search(salts, data, request(), name="diverging", again=True)
    assert (done.row["n_failed"], done.row["n_completed"], done.row["n_pruned"]) == (1, 1, 7)
    assert done.candidates[victim.number].reason == "The loss is no number at step 5."
    assert done.row["best_rmse"] > victim.rmse


def test_where_everything_fails_the_reason_is_said_and_nothing_is_recorded(
    salts: Lake, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compete, "train_stack", lambda **_: Report(failed="the driver is too old"))
    with pytest.raises(TrainingError, match="All 9 candidates of the first bracket failed: the driver is too old"):
        search(salts, data, request(), name="nothing", again=True)
    monkeypatch.undo()
    assert search(salts, data, request(), name="nothing", again=True).row["n_completed"] == 1


def test_no_room_ends_the_search_and_fails_no_candidate(
    salts: Lake, data: Dataset, found: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.training.checkpoint import Checkpoints

    def full(*_: Any) -> None:
        raise CheckpointError("No space left on device.")

    monkeypatch.setattr(Checkpoints, "write", full)
    with pytest.raises(CheckpointError, match="No space"):
        search(salts, data, request(), name="full", again=True)
    monkeypatch.undo()
    assert numbers(search(salts, data, request(), name="full", again=True).candidates) == numbers(found.candidates)


class Deadly:
    """Workers that a stack with a certain candidate takes down."""

    slots, where = 1, "processes"

    def __init__(self, number: int) -> None:
        self.number = str(number)

    def run(self, tasks: Iterator[Task], progress: Any = None) -> Iterator[tuple[Task, Any]]:
        for task in tasks:
            stack = task.arguments["stack"]
            learning_rates = [spec.training["learning_rate"] for spec in stack.specs]
            if self.poison in learning_rates:
                raise LostWorkersError("The task took 3 workers down with it.", task.name)
            yield task, task.function(**task.arguments)

    poison = 0.0


def test_a_candidate_that_takes_workers_down_fails_alone(
    salts: Lake, data: Dataset, found: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    from ml.search import run

    deadly = Deadly(0)
    victim = next(one for one in found.candidates if one.state == COMPLETED)
    deadly.poison = victim.parameters["training.learning_rate"]

    @contextmanager
    def opened(*_: Any) -> Iterator[Deadly]:
        yield deadly

    monkeypatch.setattr(run, "open_workers", opened)
    done = search(salts, data, request(), name="deadly", again=True)
    assert [one.number for one in done.candidates if one.state == FAILED] == [victim.number]
    assert "took 3 workers down" in str(done.candidates[victim.number].reason)
    assert done.row["n_completed"] == 1


def test_rows_that_change_meanwhile_are_noticed(salts: Lake, data: Dataset) -> None:
    order = work.Order(salts.root.uri, salts.settings, data.selection, "0" * 64, 0)
    stack = work.Stack("0-0", (BASE,), "unused")
    work.let_go()
    with pytest.raises(InputError, match="changed while candidates were trained"):
        work.train_stack(order, stack, 2, [0])


def test_two_at_once_do_not_meet(salts: Lake, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def second(state: State) -> None:
        with pytest.raises(InputError, match="another process"):
            search(salts, data, request(), name="twice", again=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(salts, data, request(), name="twice", again=True, progress=second)


@pytest.mark.parametrize(("more", "words"), [
    ({"least_steps": 19}, "19 steps, and 18 are all"), ({"ensemble": 5}, "An ensemble of 5 needs as many"),
])
def test_what_cannot_be_is_refused_before_training(
    salts: Lake, data: Dataset, watched: Watched, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        search(salts, data, request(**more), name="refused")
    assert watched.done == []


def test_finalists_begin_from_weights_of_their_own(salts: Lake, data: Dataset) -> None:
    found = search(salts, data, request(pruner="none", candidates=3), name="three")
    specs = finalists(salts, found.row, 2)
    ranked = sorted(found.candidates, key=lambda one: one.rmse)
    assert [spec.training["learning_rate"] for spec in specs] == [
        one.parameters["training.learning_rate"] for one in ranked[:2]]
    assert len({3, *(spec.seed for spec in specs)}) == 3
    one_left = dict(found.row) | {"search_id": "first.1", "n_candidates": 9}
    with pytest.raises(InputError, match="1 came to the end: an ensemble needs two"):
        finalists(salts, one_left, 2)


def test_a_diary_holds_a_bracket_as_it_was(tmp_path: Path, found: Searched) -> None:
    diary = Diary(tmp_path / "d")
    entry = Entry(4, [*found.candidates], [Group("4-0", [0, 1])], 2.5)
    diary.write(entry)
    assert diary.read(4) == entry
    assert diary.read(5) is None
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        Diary(blocked).write(entry)
    assert all(isinstance(one, Candidate) for one in entry.candidates)
