"""Perceptrons on features: members do not see each other, features are standardised by training rows, they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lake.errors import InputError
from ml.tabular.mlp import Mlp, MlpSettings
from ml.tabular.rows import FeatureRows
from ml.training.captured import CapturedSteps
from ml.training.learner import Learner
from ml.training.loop import fit
from ml.training.sampler import Sampler
from ml.training.settings import TrainSettings
from ml.training.step import Steps, Totals

rng = np.random.default_rng(4)
VALUES = (rng.normal(size=(80, 5)) * [1, 10, 0.01, 1, 0] + [0, 300, 2, 0, 7]).astype(np.float32)
TARGETS = 3 + VALUES[:, 0] + 0.1 * (VALUES[:, 1] - 300)
TRAIN, VALIDATION = np.arange(60), np.arange(60, 80)


def network(n_members=1, seed=0, dtype=torch.float32, **form):
    made = Mlp(MlpSettings(5, n_members=n_members, **({"hidden": (8, 6), "dropout": 0.0} | form)), seed)
    made.standardise_as(VALUES[TRAIN])
    return made.to(dtype).eval()


def said(made, values=VALUES):
    rows = FeatureRows.of(values, dtype=next(made.parameters()).dtype)
    with torch.no_grad():
        return made(rows.batch(torch.arange(rows.n))).numpy()


def test_a_member_is_the_network_of_its_seed_alone():
    together = said(network(3, seed=10, dtype=torch.float64))
    assert together.shape == (3, 80)
    for member in range(3):
        alone = said(network(1, seed=10 + member, dtype=torch.float64))
        np.testing.assert_allclose(together[member], alone[0], rtol=1e-10, atol=1e-12)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_it_is_the_perceptron_written_out():
    made = network(dtype=torch.float64, activation="relu")
    weights = {name: value[0].detach().numpy() for name, value in made.named_parameters()}
    exact = VALUES[TRAIN].astype(np.float64)
    spread = np.where(exact.std(axis=0) < 1e-5, 1, exact.std(axis=0))
    x = (VALUES.astype(np.float64) - exact.mean(axis=0)) / spread
    for layer in ("trunk.layers.0", "trunk.layers.1"):
        x = np.maximum(x @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"], 0)
    latents, expected = x, (x @ weights["readout.weight"] + weights["readout.bias"])[:, 0]
    np.testing.assert_allclose(said(made)[0], expected, rtol=1e-5, atol=1e-6)
    rows = FeatureRows.of(VALUES, dtype=torch.float64)
    value, hidden = made.both(rows.batch(torch.arange(80)))
    np.testing.assert_allclose(hidden[0].detach().numpy(), latents, rtol=1e-5, atol=1e-6)
    assert torch.equal(made.latents(rows.batch(torch.arange(80))), hidden)
    assert torch.equal(value, made(rows.batch(torch.arange(80))))


def test_predictions_depend_on_neither_order_nor_company():
    made = network(2)
    order = rng.permutation(80)
    np.testing.assert_allclose(said(made, VALUES[order]), said(made)[:, order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(said(made, VALUES[7:8]), said(made)[:, 7:8], rtol=1e-5, atol=1e-6)


def test_far_and_constant_features_stay_finite():
    made = network()
    assert float(made.feature_scale[4]) == 1.0
    far = VALUES.copy()
    far[0] = 1e30
    assert np.isfinite(said(made, far)).all()


def test_it_learns_in_the_loop_of_all_networks_and_goes_on_where_it_was_ended(tmp_path):
    settings = TrainSettings.of({"steps": 200, "batch_size": 16, "learning_rate": 1e-2, "evaluate_every": 50,
                                 "device": "cpu", "threads": 1})

    def trained(folder=None, progress=None):
        return fit(network(2, hidden=(16,)), FeatureRows.of(VALUES), TARGETS, TRAIN, VALIDATION, settings,
                   folder=folder, progress=progress)

    whole = trained()
    made = network(2, hidden=(16,))
    made.load_state_dict(whole.weights)
    errors = said(made).mean(axis=0) * whole.scale + whole.mean - TARGETS
    assert np.abs(errors[VALIDATION]).mean() < 0.35 * np.abs(TARGETS - TARGETS.mean()).mean()

    class Ended(Exception):
        pass

    def end(state):
        if state.done >= 100:
            raise Ended

    with pytest.raises(Ended):
        trained(tmp_path, end)
    again = trained(tmp_path)
    assert all(torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)


def test_captured_steps_are_those_done_one_by_one():
    settings = TrainSettings(steps=12, batch_size=8, learning_rate=1e-2, threads=1)
    learnt = []
    for kind, more in ((Steps, {}), (CapturedSteps, {"recorder": lambda body, changed: body})):
        learner = Learner(network(2).train(), settings)
        steps = kind(learner, FeatureRows.of(VALUES), torch.from_numpy(TARGETS), Sampler(TRAIN, 8, 0), **more)
        steps.run(0, 12, Totals())
        learnt.append(learner.tensors())
    assert steps.replays
    for name, tensor in learnt[1].items():
        torch.testing.assert_close(tensor, learnt[0][name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("given", "named"), [
    ({"n_features": 0}, "Widths"), ({"n_features": 5, "hidden": []}, "Widths"),
    ({"n_features": 5, "hidden": "64"}, "hidden"), ({"n_features": 5, "hidden": [8, -1]}, "Widths"),
    ({"n_features": 5, "n_members": 0}, "n_members"), ({"n_features": 5, "dropout": 1.0}, "dropout"),
    ({"n_features": 5, "activation": "tanh"}, "activation"), ({"n_features": 5, "width": 3}, "no setting 'width'"),
    ({}, "incomplete"), ({"n_features": 5, "hidden": [8.5]}, "Widths"), ({"n_features": 5, "dropout": "0"}, "dropout"),
])
def test_impossible_forms_are_refused(given, named):
    with pytest.raises(InputError, match=named):
        MlpSettings.of(given)


def test_settings_survive_json():
    settings = MlpSettings(5, hidden=[8, 4], n_members=2)
    assert MlpSettings.of(settings.plain()) == settings
