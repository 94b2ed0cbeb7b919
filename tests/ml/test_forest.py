"""Forests: our predictions are scikit-learn's, a killed growth goes on exactly, arrays from elsewhere are checked."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.ensemble import RandomForestRegressor

from lake.errors import InputError
from ml.tabular import forest as forest_module
from ml.tabular.forest import PORTION, ForestSettings, fit_forest
from ml.tabular.trees import Trees

rng = np.random.default_rng(3)
VALUES = np.round(rng.normal(size=(120, 6)), 2).astype(np.float32)
TARGETS = 2 * VALUES[:, 0] + np.abs(VALUES[:, 2]) + rng.normal(0, 0.1, 120)
TRAIN, VALIDATION = np.arange(90), np.arange(90, 120)
SMALL = ForestSettings(n_estimators=PORTION + 5)


def grown(**named):
    return fit_forest(VALUES, TARGETS, TRAIN, VALIDATION, **({"settings": SMALL, "threads": 1} | named))


@pytest.fixture(scope="module")
def fitted():
    return grown()


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("form", [{}, {"min_samples_leaf": 3}, {"max_depth": 2}, {"max_depth": 1}])
def test_predictions_are_those_of_scikit_learn(form):
    theirs = RandomForestRegressor(8, random_state=1, max_features=0.5, **form).fit(VALUES, TARGETS)
    ours = Trees.of_sklearn([tree.tree_ for tree in theirs.estimators_])
    # Thresholds lie between single-precision values: on and beside them too.
    values = np.concatenate([VALUES, np.nextafter(VALUES, np.float32(9)), np.resize(ours.number, (10, 6))])
    values = values.astype(np.float32)
    predicted = ours.predict(values, threads=3)
    assert predicted.shape == (8, len(values))
    np.testing.assert_allclose(predicted.mean(axis=0), theirs.predict(values), rtol=0, atol=1e-9)
    for tree, said in zip(theirs.estimators_, predicted, strict=True):
        np.testing.assert_array_equal(said, tree.predict(values))


def test_a_tree_of_one_leaf_predicts_its_value():
    theirs = RandomForestRegressor(2, random_state=0).fit(VALUES[:5], np.full(5, 1.5))
    ours = Trees.of_sklearn([tree.tree_ for tree in theirs.estimators_])
    assert ours.n_nodes == 2
    assert (Trees.of_weights(ours.weights, 6).predict(VALUES) == 1.5).all()
    assert ours.predict(VALUES[:0]).shape == (2, 0)


def test_it_learns_and_says_how_well(fitted):
    assert [p.step for p in fitted.curve] == [PORTION, PORTION + 5]
    predicted = Trees.of_weights(fitted.weights, 6).predict(VALUES[VALIDATION]).mean(axis=0)
    errors = predicted - TARGETS[VALIDATION]
    assert fitted.curve[-1].validation_mae == pytest.approx(np.abs(errors).mean())
    assert fitted.curve[-1].validation_rmse == pytest.approx(np.sqrt((errors**2).mean()))
    assert np.abs(errors).mean() < 0.7 * np.abs(TARGETS[VALIDATION] - TARGETS[TRAIN].mean()).mean()
    assert fitted.curve[-1].train_mae < fitted.curve[-1].validation_mae


def test_the_same_arguments_give_the_same_trees(fitted):
    assert same(fitted, grown(threads=2))
    assert not same(fitted, grown(seed=1))
    more = grown(settings=ForestSettings(n_estimators=2 * PORTION))
    n = int(fitted.weights["tree_starts"][-1])
    assert np.array_equal(more.weights["number"][:n], fitted.weights["number"])


def test_portions_kept_are_taken_up_and_give_the_same_forest(fitted, tmp_path):
    class Killed(Exception):
        pass

    def kill(point):
        raise Killed

    with pytest.raises(Killed):
        grown(folder=tmp_path, progress=kill)
    again = grown(folder=tmp_path)
    assert again.resumed_step == PORTION
    assert same(again, fitted)
    assert grown(folder=tmp_path, seed=5).resumed_step == 0
    other = fit_forest(VALUES, TARGETS + 1, TRAIN, VALIDATION, SMALL, folder=tmp_path)
    assert other.resumed_step == 0


def test_a_growth_ended_while_a_portion_is_written_leaves_none(fitted, tmp_path, monkeypatch):
    def end(number):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(forest_module.os, "fsync", end)
        with pytest.raises(SystemExit):
            grown(folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    again = grown(folder=tmp_path)
    assert again.resumed_step == 0
    assert same(again, fitted)


@pytest.mark.parametrize("damage", [
    lambda content: content[:-7], lambda content: b"", lambda content: b"\xff" * 64, lambda content: content[:20],
])
def test_a_damaged_portion_is_grown_anew(fitted, tmp_path, damage):
    grown(folder=tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(damage(file.read_bytes()))
    again = grown(folder=tmp_path)
    assert again.resumed_step == 0
    assert same(again, fitted)


def test_a_full_disk_costs_the_portions_not_the_forest(fitted, tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(forest_module.os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left"):
        again = grown(folder=tmp_path)
    assert same(again, fitted)
    assert list(tmp_path.iterdir()) == []


def test_no_validation_rows_leave_the_curve_without_errors():
    curve = fit_forest(VALUES, TARGETS, TRAIN, VALIDATION[:0], ForestSettings(3)).curve
    assert curve[-1].validation_mae is None
    assert curve[-1].validation_rmse is None


@pytest.mark.parametrize(("changes", "said"), [
    ({"n_estimators": 0}, "n_estimators"), ({"max_features": 0.0}, "max_features"), ({"max_features": 1.5}, "share"),
    ({"max_depth": 0}, "max_depth"), ({"min_samples_leaf": 1.5}, "whole"), ({"n_estimators": True}, "whole"),
    ({"n_trees": 3}, "no setting n_trees"), ({"max_features": "sqrt"}, "share"),
    ({"max_features": float("nan")}, "share"),
])
def test_impossible_settings_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        ForestSettings.of(changes)


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(InputError, match="training split is empty"):
        fit_forest(VALUES, TARGETS, TRAIN[:0], VALIDATION, SMALL)
    with pytest.raises(InputError, match="not a finite number"):
        fit_forest(VALUES, np.where(np.arange(120) == 3, np.nan, TARGETS), TRAIN, VALIDATION, SMALL)
    broken = VALUES.copy()
    broken[95, 2] = np.inf
    with pytest.raises(InputError, match="not a finite number"):
        fit_forest(broken, TARGETS, TRAIN, VALIDATION, SMALL)


def test_rows_that_do_not_fit_are_refused(fitted):
    trees = Trees.of_weights(fitted.weights, 6)
    with pytest.raises(InputError, match="do not fit"):
        trees.predict(VALUES[:, :3])
    with pytest.raises(InputError, match="not a finite number"):
        trees.predict(np.full((2, 6), np.nan, np.float32))


def test_arrays_survive_the_file_and_need_no_writable_memory(fitted):
    arrays = load(save(fitted.weights))
    for array in arrays.values():
        array.setflags(write=False)
    expected = Trees.of_weights(fitted.weights, 6).predict(VALUES)
    np.testing.assert_array_equal(Trees.of_weights(arrays, 6).predict(VALUES), expected)


def changed(name, place, value):
    def change(weights):
        weights[name][place] = value
    return change


@pytest.mark.parametrize("damage", [
    changed("right", 0, 0), changed("right", 0, 1), changed("right", 0, 2**31 - 1), changed("right", 0, -5),
    changed("feature", 0, 6), changed("feature", 0, -2), changed("tree_starts", 1, 10**12),
    changed("tree_starts", 0, -1), changed("tree_starts", -1, 1), changed("number", 4, np.nan),
    changed("feature", -1, 0),
    lambda w: w.pop("number"), lambda w: w.update(right=w["right"][:-1]), lambda w: w.update(right=w["right"] + 0.5),
    lambda w: w.update(tree_starts=np.array([], np.int64)), lambda w: w.update(number=w["number"].reshape(1, -1)),
    lambda w: w.update(tree_starts=np.array([0], np.int64)),
])
def test_arrays_that_lead_astray_are_refused(fitted, damage):
    weights = {name: array.copy() for name, array in fitted.weights.items()}
    damage(weights)
    with pytest.raises(InputError, match="no forest"):
        Trees.of_weights(weights, 6)
