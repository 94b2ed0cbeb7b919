"""What a search varies, who is compared when, and which candidates are tried."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lake.errors import InputError
from ml.search.brackets import Bracket, Ladder, Rung, brackets
from ml.search.candidate import COMPLETED, FAILED, PRUNED, Candidate, Evaluation, spelled
from ml.search.outcome import front, outcome
from ml.search.request import CANDIDATES, SearchRequest
from ml.search.sampling import proposed
from ml.search.space import SPACES, Space, with_parameters
from ml.spec import ModelSpec

SMALL = {"model.channels": [4, 8], "model.steps": [1, 2], "training.learning_rate": [1e-3, 1e-2]}
BASE = ModelSpec("schnet", {"n_rbf": 8}, {"steps": 54, "evaluate_every": 1})


def request(space: dict[str, Any] | str = "paper", **more: Any) -> SearchRequest:
    chosen = Space.named(space) if isinstance(space, str) else Space.of("small", space)
    return SearchRequest(with_parameters(BASE, chosen.base), chosen, **{"least_steps": 2, "candidates": 49} | more)


def test_hyperband_is_that_of_its_paper() -> None:
    ladder = Ladder(steps=81, every=1, least=1, finishers=1)
    found = list(brackets(ladder, "hyperband", 143, together=8))
    # Table 1 of Li et al. (2018): R = 81, η = 3, s from 4 to 0.
    assert [(one.n, one.rungs[0].step) for one in found] == [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    assert [[rung.n for rung in one.rungs] for one in found] == [
        [81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]
    # Who goes on is not trained anew: 81 · 1 + 27 · 2 + 9 · 6 + 3 · 18 + 1 · 54.
    assert found[0].steps == 81 + 27 * 2 + 9 * 6 + 3 * 18 + 54


def test_all_candidates_are_given_out_and_none_too_many() -> None:
    ladder = Ladder(steps=5400, every=100, least=200)
    for pruner in ("hyperband", "halving", "none"):
        for n in (1, 2, 5, 26, 49, 50, 120):
            found = list(brackets(ladder, pruner, n, together=8))
            assert sum(one.n for one in found) == n
            for one in found:
                assert one.rungs[-1].step == 5400
                assert [r.step for r in one.rungs] == sorted({r.step for r in one.rungs})
                assert all(r.step % 100 == 0 and r.n >= 1 for r in one.rungs)
    assert all(len(one.rungs) == 1 for one in brackets(ladder, "none", 20, together=8))


def test_steps_that_fall_together_are_one_comparison() -> None:
    assert Ladder(steps=10, every=10, least=1).bracket(0, 2, 9) == Bracket(0, (Rung(9, 10),))


def test_more_finishers_replace_the_last_comparisons() -> None:
    ladder = Ladder(steps=540, every=10, least=20)
    assert [[(rung.n, rung.step) for rung in one.rungs] for one in brackets(ladder, "hyperband", 49, together=8)] == [
        [(27, 20), (9, 60), (3, 540)], [(12, 60), (4, 180), (3, 540)], [(6, 180), (3, 540)], [(4, 540)]]
    (whole,) = brackets(ladder, "halving", 48, together=48)
    assert [(rung.n, rung.step) for rung in whole.rungs] == [(48, 20), (16, 60), (5, 180), (3, 540)]


def test_a_default_round_takes_a_third() -> None:
    plan = request(candidates=CANDIDATES)
    assert plan.planned_steps / plan.full_steps < 1 / 3
    assert request(pruner="halving", sampler="random").planned_steps / request().full_steps < 0.15


def test_the_paper_s_space() -> None:
    space = Space.named("paper")
    assert space.size == 4 * 3 * 3 * 2 * 3 * 2 * 3 * 2 * 3 * 2
    base = with_parameters(ModelSpec("mpeu"), space.base)
    assert base.training["schedule"] == "exponential"
    for kind in ("mpeu", "schnet", "painn"):
        for name in SPACES:
            Space.named(name).check(with_parameters(ModelSpec(kind), Space.named(name).base))


@pytest.mark.parametrize(("given", "words"), [
    ({}, "names no settings"),
    ([], "names no settings"),
    ({"model.channels": []}, "at least one is needed"),
    ({"model.channels": [4, 4]}, "each once"),
    ({"model.channels": [[4]]}, "can be chosen"),
    ({"model.channels": [float("nan"), 4]}, "can be chosen"),
    ({"model.channels": 4}, "a list of choices is needed"),
    ({"model.channels": {"low": 4}}, "a list of choices is needed"),
    ({"model.channels": {"low": 8, "high": 4}}, "low must not be above high"),
    ({"training.learning_rate": {"low": 0.0, "high": 1.0, "log": True}}, "above 0"),
    ({"training.learning_rate": {"low": "a", "high": 1.0}}, "finite numbers"),
    ({"training.learning_rate": {"low": 0.1, "high": float("inf")}}, "finite numbers"),
    ({"model.channels": {"low": 2, "high": 8, "step": 0.5}}, "whole for whole numbers"),
    ({"training.steps": [10, 20]}, "the same for all candidates"),
    ({"model.channels": [4]}, "nothing to search"),
])
def test_what_is_no_space_is_refused(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Space.of("mine", given)


@pytest.mark.parametrize(("given", "words"), [
    ({"model.chanels": [4, 8]}, "model.chanels"),
    ({"chanels": [4, 8]}, "no setting 'chanels'"),
    ({"model.channels": [4, 1]}, "model.channels = 1"),
    ({"training.learning_rate": {"low": 1e-3, "high": 100.0}}, "learning_rate = 100"),
    ({"model.activation": ["ssp", "tanh"]}, "tanh"),
])
def test_values_that_no_network_can_have_are_refused_before_anything_is_trained(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        request(given)


def test_spaces_are_read_from_files(tmp_path: Path) -> None:
    plain = {"model.channels": [4, 8], "training.learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}}
    as_json, as_toml = tmp_path / "s.json", tmp_path / "s.toml"
    as_json.write_text(json.dumps(plain))
    as_toml.write_text("[model]\nchannels = [4, 8]\n[training]\nlearning_rate = {low=1e-3, high=1e-2, log=true}\n")
    assert Space.named(str(as_json)).plain == Space.named(str(as_toml)).plain == plain
    assert Space.named(str(as_json)).size == math.inf
    as_json.write_text('{"model.channels": [4,')
    with pytest.raises(InputError, match="cannot be read as JSON"):
        Space.named(str(as_json))
    with pytest.raises(InputError, match="No such file"):
        Space.named(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="Spaces: paper, short"):
        Space.named("papr")


@pytest.mark.parametrize(("more", "words"), [
    ({"sampler": "grid"}, "no sampler 'grid'"), ({"pruner": "asha"}, "no pruner 'asha'"),
    ({"candidates": 0}, "candidates of a search is 0"), ({"ensemble": 1}, "An ensemble of one"),
    ({"price_per_hour": -1.0}, "A price of"), ({"per_shape": 0}, "per_shape"),
])
def test_requests_that_cannot_be_are_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        request(**more)


def told(found: list[Any], bracket: int, start: int) -> list[Candidate]:
    """Candidates that ended, the first half of them early."""
    return [Candidate(start + n, bracket, parameters, attributes, [Evaluation(2, None, 1 / (1 + n), 1.0)], 2,
                      state=PRUNED if n < len(found) // 2 else COMPLETED)
            for n, (parameters, attributes) in enumerate(found)]


@pytest.mark.parametrize("sampler", ["tpe", "random", "evolutionary"])
def test_candidates_are_new_and_the_same_each_time(sampler: str) -> None:
    plan, before = request(sampler=sampler), list[Candidate]()
    for bracket in range(3):
        found = proposed(plan, bracket, 12, before)
        assert found == proposed(plan, bracket, 12, before)
        json.dumps(found)
        before += told(found, bracket, len(before))
    assert len({spelled(one.parameters) for one in before}) == 36
    assert proposed(request(sampler=sampler, seed=1), 0, 12, [])[0] != proposed(plan, 0, 12, [])[0]


def test_tpe_goes_where_errors_are_small() -> None:
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}, "model.channels": [4, 8]}
    plan = request(space)
    rates = [10 ** (-5 + n / 10) for n in range(40)]
    before = [Candidate(n, 0, {"training.learning_rate": rate, "model.channels": 4}, {},
                        [Evaluation(54, None, abs(math.log10(rate) + 3) + 0.01, 1.0)], 54, state=COMPLETED)
              for n, rate in enumerate(rates)]
    best = min(before, key=lambda one: one.rmse).parameters["training.learning_rate"]

    def median_distance(sampler: str) -> float:
        found = proposed(replace(plan, sampler=sampler), 1, 30, before)
        return median(abs(math.log10(parameters["training.learning_rate"] / best)) for parameters, _ in found)

    assert median_distance("tpe") < 0.6 * median_distance("random")


def test_a_small_space_is_searched_whole() -> None:
    plan = request(SMALL)
    assert plan.n_candidates == 8
    found = proposed(plan, 0, 20, [])
    assert len({spelled(parameters) for parameters, _ in found}) == len(found) == 8
    assert proposed(plan, 1, 4, told(found, 0, 0)) == []


def test_shapes_are_shared_where_that_is_asked_for() -> None:
    plan = request(per_shape=4)
    shapes = [Candidate(0, 0, parameters).shape(plan.base) for parameters, _ in proposed(plan, 0, 12, [])]
    assert [len(set(shapes[start:start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
    assert len(set(shapes)) > 1


def test_what_a_search_gained_and_cost_by_hand() -> None:
    def one(number: int, rmse: float, steps: int, state: str, seconds: float, ms: float | None = None) -> Candidate:
        curve = [Evaluation(steps, 0.1, rmse, rmse / 2)] if steps else []
        return Candidate(number, 0, {}, {}, curve, steps, seconds, state=state, prediction_ms=ms)

    candidates = [one(0, 0.6, 100, COMPLETED, 360.0, 2.0), one(1, 0.4, 100, COMPLETED, 720.0, 4.0),
                  one(2, 0.9, 10, PRUNED, 36.0), one(3, 0.0, 0, FAILED, 0.0), one(4, 0.8, 100, COMPLETED, 720.0, 3.0)]
    found = outcome(candidates, 100, price_per_hour=10.0)
    assert (found.n_completed, found.n_pruned, found.n_failed) == (3, 1, 1)
    assert (found.training_steps, found.full_training_steps) == (310, 500)
    assert found.best is candidates[1]
    assert found.mean_rmse == pytest.approx(0.6)
    assert found.median_rmse == pytest.approx(0.6)
    assert found.gain == pytest.approx(1 - 0.4 / 0.6)
    assert found.device_hours == pytest.approx(0.51)
    # Of the four with steps 0.1, 0.2, 0.1 and 0.2 h; the fifth counts as their mean.
    assert found.full_device_hours == pytest.approx(0.75)
    assert found.cost == pytest.approx(5.1)
    assert found.full_cost == pytest.approx(7.5)
    assert [each.number for each in front(candidates)] == [0, 1]
    nothing = outcome(candidates[3:4], 100, None)
    assert (nothing.best, nothing.gain, nothing.full_device_hours, nothing.cost) == (None, None, None, None)


def test_the_gain_is_the_paper_s() -> None:
    candidates = [Candidate(n, 0, {}, {}, [Evaluation(1, None, rmse, 0.0)], 1, 1.0, state=COMPLETED)
                  for n, rmse in enumerate([0.474, 0.553, 0.641])]
    assert outcome(candidates, 1, None).mean_rmse == pytest.approx(0.556)
    assert outcome(candidates, 1, None).gain == pytest.approx(0.147, abs=1e-3)
