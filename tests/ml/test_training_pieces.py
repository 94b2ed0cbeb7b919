"""The pieces of training: settings, order of rows, learning rates, losses, devices."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lake.errors import InputError, SettingsError
from ml.training import TrainSettings
from ml.training.device import computing, device_name, device_of
from ml.training.losses import loss_of
from ml.training.sampler import Sampler
from ml.training.schedule import learning_rate, learning_rates, warm_up_steps
from ml.training.standard import Standard
from ml.training.validation import errors, evaluated_rows
from tests.conftest import examples


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5), st.integers(0, 60), st.integers(1, 60))
@hypothesis_settings(max_examples=examples(60), deadline=None)
def test_every_epoch_holds_every_row_once_wherever_one_begins(
    n: int, batch_size: int, seed: int, first: int, steps: int
) -> None:
    places = np.arange(100, 100 + n)
    sampler = Sampler(places, batch_size, seed)
    whole = Sampler(places[::-1], batch_size, seed).batches(0, first + steps)
    np.testing.assert_array_equal(sampler.batches(first, first + steps), whole[first:])
    np.testing.assert_array_equal(sampler.batch(first), whole[first])
    row = whole.ravel()
    for epoch in range(len(row) // n):
        np.testing.assert_array_equal(np.sort(row[epoch * n:(epoch + 1) * n]), places)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    places = np.arange(50)
    first, second = Sampler(places, 50, 0).batches(0, 2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, Sampler(places, 50, 1).batch(0))


def test_the_papers_rate_falls_by_4_percent_in_100_thousand_steps() -> None:
    paper = TrainSettings(schedule="exponential", learning_rate=5e-4, steps=10_000_000)
    assert learning_rate(paper, 0) == 5e-4
    assert learning_rate(paper, 100_000) == pytest.approx(0.96 * 5e-4)
    assert learning_rate(paper, 1_000_000) == pytest.approx(0.96**10 * 5e-4)


def test_the_cosine_rises_and_falls_to_its_final_share() -> None:
    settings = TrainSettings(steps=1_000, learning_rate=0.1)
    rates = learning_rates(settings, 0, 1_000)
    assert warm_up_steps(settings) == 20
    assert 0 < rates[0] < 0.01
    assert rates.argmax() == 20
    assert rates[20] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.001)
    assert (np.diff(rates[20:]) <= 0).all()
    assert learning_rate(TrainSettings(steps=1, learning_rate=0.1), 0) == pytest.approx(0.1)
    assert set(learning_rates(TrainSettings(schedule="constant", learning_rate=0.5), 0, 9)) == {0.5}


def test_settings_survive_json_and_say_what_is_wrong() -> None:
    settings = TrainSettings(steps=7, clip=1.0, device="cpu")
    assert TrainSettings.of(json.loads(json.dumps(settings.plain()))) == settings
    assert "device" not in settings.recipe
    assert settings.recipe == TrainSettings(steps=7, clip=1.0, threads=3).recipe
    for wrong, word in (({"step": 3}, "no setting 'step'"), ({"steps": 0}, "steps of training is 0"),
                        ({"steps": True}, "steps"), ({"batch_size": 2.5}, "batch_size"), ({"loss": "l3"}, "loss 'l3'"),
                        ({"learning_rate": math.nan}, "learning_rate"), ({"learning_rate": 0}, "above 0"),
                        ({"ema": 1.0}, "from 0 to below 1 "), ({"clip": -1.0}, "clip"), ({"patience": 0}, "patience"),
                        ({"schedule": "cosin"}, "schedule"), ({"decay": "x"}, "decay"), ({"capture": 1}, "capture")):
        with pytest.raises(InputError, match=word):
            TrainSettings.of(wrong)


def test_losses_are_those_of_their_formulas() -> None:
    error = torch.tensor([[-3.0, 0.5, 0.0]])
    for name, wanted in (("mse", [9.0, 0.25, 0.0]), ("mae", [3.0, 0.5, 0.0]), ("huber", [2.5, 0.125, 0.0])):
        assert loss_of(TrainSettings(loss=name))(error).tolist() == [pytest.approx(wanted)]


def test_targets_that_are_all_the_same_have_scale_1() -> None:
    assert Standard.of(np.full(9, 0.1)).scale == 1.0
    assert Standard.of(np.array([2.5])) == Standard(2.5, 1.0)
    values = np.array([1.0, 2.0, 4.0])
    standard = Standard.of(values)
    np.testing.assert_allclose(standard.in_unit(standard.standardised(values)), values)
    assert standard.standardised(values).std() == pytest.approx(1.0)


def test_a_large_validation_set_is_sampled_the_same_way_every_time() -> None:
    settings = TrainSettings(evaluate_every=100, batch_size=32)
    rows = np.arange(10_000) * 3
    chosen = evaluated_rows(rows, settings)
    assert len(chosen) == 2_400
    assert set(chosen) <= set(rows)
    np.testing.assert_array_equal(chosen, evaluated_rows(rows[::-1], settings))
    assert len(evaluated_rows(rows, TrainSettings(most_validation_rows=7))) == 7
    np.testing.assert_array_equal(evaluated_rows(rows[:900], settings), rows[:900])


def test_errors_are_of_the_members_mean() -> None:
    members = np.array([[0.0, 2.0], [2.0, 4.0]])
    assert errors(members, np.array([1.0, 1.0])) == (1.0, math.sqrt(2))
    assert all(math.isnan(one) for one in errors(members[:, :0], np.zeros(0)))


def test_devices_are_found_or_refused_with_what_to_do() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_name(torch.device("cpu")).startswith("cpu: ")
    for word in ("gpu", "mps", "cuda:x", ""):
        with pytest.raises(SettingsError, match="auto, cpu, cuda or cuda:N"):
            device_of(word)
    with pytest.raises(SettingsError, match="is not there"):
        device_of("cuda:99")


def test_auto_is_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from lake.settings import load_settings

    monkeypatch.setenv("MATLAKE_DEVICE", "cuda:99")
    monkeypatch.setattr("ml.training.device.default_settings", load_settings)
    with pytest.raises(SettingsError, match="cuda:99"):
        device_of()
    assert device_of("cpu").type == "cpu"


def test_threads_are_put_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with computing(torch.device("cpu"), before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), computing(torch.device("cpu"), before + 1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
