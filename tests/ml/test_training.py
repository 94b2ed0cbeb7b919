"""The training loop: what it learns, that it repeats, and that it goes on where it was ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import Crystals, Sums

from lake.errors import InputError, TrainingError
from ml.progress import State
from ml.training import Fitted, TrainSettings
from ml.training.loop import fit
from ml.training.predict import predict

CRYSTALS = Crystals.some()
TARGETS = CRYSTALS.targets()
TRAIN, VALIDATION = np.arange(40), np.arange(40, 60)
SETTINGS = TrainSettings(steps=60, batch_size=8, learning_rate=0.01, clip=None, evaluate_every=20, threads=1,
                         checkpoint_seconds=0.0)


def kill_settings() -> TrainSettings:
    return replace(SETTINGS, steps=80, evaluate_every=5, ema=0.9, clip=1.0)


def trained(network: Sums | None = None, settings: TrainSettings = SETTINGS, **more: object) -> Fitted:
    arguments: dict = {"train": TRAIN, "validation": VALIDATION} | more
    return fit(network or Sums(), CRYSTALS, TARGETS, settings=settings, **arguments)


def same(one: Fitted, other: Fitted) -> bool:
    """Bit for bit, but for the time that it took."""
    curves = [[replace(point, seconds=0.0) for point in fitted.curve] for fitted in (one, other)]
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights) \
        and curves[0] == curves[1] and one.best_step == other.best_step and one.stopped == other.stopped


def test_a_small_set_is_learned_by_heart() -> None:
    settings = replace(SETTINGS, steps=600, learning_rate=0.05, evaluate_every=200)
    found = trained(Sums(hidden=32), settings, train=np.arange(8), validation=np.arange(0))
    assert found.curve[-1].train_loss < 1e-3 < found.curve[0].train_loss
    assert found.best_step == found.steps == 600
    assert np.isnan(found.curve[-1].validation_mae)


def test_the_weights_are_the_best_ones_and_the_network_has_them() -> None:
    network = Sums()
    found = trained(network)
    assert [point.step for point in found.curve] == [20, 40, 60]
    best = min(found.curve, key=lambda point: point.validation_mae)
    assert best.step == found.best_step
    members = predict(network, CRYSTALS, VALIDATION, mean=found.mean, scale=found.scale)
    assert np.abs(members.mean(axis=0) - TARGETS[VALIDATION]).mean() == pytest.approx(best.validation_mae, rel=1e-12)
    assert best.validation_mae < 0.7 * np.abs(TARGETS[VALIDATION] - TARGETS[TRAIN].mean()).mean()


def test_the_same_call_gives_the_same_and_another_seed_something_else() -> None:
    settings = replace(SETTINGS, ema=0.9, clip=1.0)
    first = trained(Sums(dropout=0.2), settings)
    torch.rand(7)
    assert same(first, trained(Sums(dropout=0.2), settings))
    assert not same(first, trained(Sums(dropout=0.2), replace(settings, seed=1)))


def test_the_callers_random_numbers_and_threads_stay_as_they_were() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    trained(settings=replace(SETTINGS, steps=4, threads=threads + 1))
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads


def test_members_learn_as_if_they_were_alone() -> None:
    settings = replace(SETTINGS, steps=20, clip=0.5, ema=0.9)
    together = trained(Sums(n_members=3), settings)
    for member in range(3):
        alone = trained(Sums(seed=member), settings)
        for name in ("a", "b"):
            np.testing.assert_allclose(together.weights[name][member], alone.weights[name][0], rtol=1e-4, atol=1e-6)


class Ended(Exception):
    """Training ended from outside."""


def ended_at(step: int) -> object:
    def progress(state: State) -> None:
        if state.done >= step:
            raise Ended

    return progress


@pytest.mark.parametrize("step", [1, 19, 20, 33, 59])
def test_going_on_gives_what_an_uninterrupted_training_gives(tmp_path: Path, step: int) -> None:
    settings = replace(SETTINGS, ema=0.9, clip=1.0, schedule="exponential")
    whole = trained(Sums(2, dropout=0.1), settings)
    with pytest.raises(Ended):
        trained(Sums(2, dropout=0.1), settings, folder=tmp_path, progress=ended_at(step))
    found = trained(Sums(2, dropout=0.1), settings, folder=tmp_path)
    assert same(whole, found)
    assert whole.resumed_from is None
    assert found.resumed_from is None if step == 1 else found.resumed_from < 60


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = trained(folder=tmp_path)
    states: list[State] = []
    again = trained(folder=tmp_path, progress=states.append)
    assert same(first, again)
    assert again.resumed_from == 60
    assert again.seconds == first.seconds
    assert not states


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        trained(train=np.arange(0))
    bad = TARGETS.copy()
    bad[50] = np.nan
    with pytest.raises(InputError, match=r"1 targets .* that of row 50"):
        fit(Sums(), CRYSTALS, bad, TRAIN, VALIDATION, SETTINGS)


def test_a_loss_that_is_no_number_names_the_materials_of_its_batch(tmp_path: Path) -> None:
    broken = Crystals(CRYSTALS.values.clone(), CRYSTALS.offsets)
    broken.values[broken.offsets[17]] = torch.nan
    names = [f"mp/mp-{place}" for place in range(60)]
    with pytest.raises(TrainingError, match=r"at step \d+, in the batch of these materials: mp/mp-17\. ") as caught:
        fit(Sums(), broken, TARGETS, TRAIN, VALIDATION, SETTINGS, folder=tmp_path, names=names)
    assert str(tmp_path) in str(caught.value)
