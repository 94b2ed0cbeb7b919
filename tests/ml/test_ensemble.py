"""Networks of several shapes that answer together: trained, interrupted, saved, retrained, refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from training_lakes import fill, rows_of

from lake.errors import InputError
from lake.settings import load_settings
from lake.store.lake import Lake
from ml import learn_graphs, registry
from ml.complexity.measure import measured
from ml.data import Dataset, Selection, dataset
from ml.ensemble_model import EnsembleModel
from ml.progress import State
from ml.registry.document import Document
from ml.retrain.retrain import retrain
from ml.spec import ModelSpec
from ml.train import Trained, spec_of, train

ENERGY = "formation_energy_ev_per_atom"
QUICK = {"steps": 20, "batch_size": 16, "evaluate_every": 10, "device": "cpu", "threads": 1}
MEMBERS = (
    ModelSpec("schnet", {"channels": 8, "steps": 1, "n_rbf": 10}, QUICK, seed=1),
    ModelSpec("mpeu", {"channels": 4, "steps": 1, "n_rbf": 6}, QUICK | {"evaluate_every": 5}, seed=2, baseline="none"),
)
SPEC = ModelSpec.ensemble(MEMBERS)


@pytest.fixture(scope="module")
def salts(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(str(tmp_path_factory.mktemp("salts")), load_settings(tracking_uri="off", dask_workers=1))
    return fill(lake, rows_of("left"))


@pytest.fixture(scope="module")
def data(salts: Lake) -> Dataset:
    return dataset(salts, Selection(ENERGY))


@pytest.fixture(scope="module")
def trained(salts: Lake, data: Dataset) -> Trained:
    return train(salts, data, SPEC, name="both")


def test_it_says_what_its_members_say_alone(salts: Lake, data: Dataset, trained: Trained) -> None:
    alone = [train(salts, data, one, name=f"alone-{place}", save=False) for place, one in enumerate(MEMBERS)]
    rows = data.rows
    found = trained.model.predict(rows)
    expected = np.concatenate([one.model.predict(rows).members for one in alone])
    assert np.array_equal(found.members, expected)
    assert found.standard_deviation is not None
    assert (found.standard_deviation > 0).all()
    assert trained.model.row["n_members"] == 2
    assert {row["model_id"] for row in salts.read("evaluations").to_pylist()} >= {"both.1"}


def test_it_is_the_same_when_it_is_loaded(salts: Lake, data: Dataset, trained: Trained) -> None:
    loaded = registry.load(salts, "both")
    assert isinstance(loaded.predictor, EnsembleModel)
    assert np.array_equal(loaded.predict(data.rows).members, trained.model.predict(data.rows).members)
    first, latents = loaded.predictor.both(data.rows)
    assert np.array_equal(first, loaded.predictor.members(data.rows))
    assert latents is not None
    assert latents.shape == (data.rows.num_rows, 8)
    assert spec_of(loaded.row).members[1].kind == "mpeu"


def test_what_was_trained_is_not_trained_again(salts: Lake, data: Dataset, trained: Trained) -> None:
    assert train(salts, data, SPEC, name="both").was_there
    other_machine = ModelSpec.ensemble([one.setting("training.checkpoint_seconds", 5.0) for one in MEMBERS])
    assert train(salts, data, other_machine, name="both").was_there


def test_a_kill_between_members_costs_none_of_them(
    salts: Lake, data: Dataset, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(state: State) -> None:
        if state.doing == "training 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(salts, data, SPEC, name="interrupted", progress=killed)
    steps: list[tuple[str, int | None]] = []
    real = learn_graphs.learn

    def watched(*given: Any) -> Any:
        found = real(*given)
        steps.append((found.document.spec.kind, found.resumed_from))
        return found

    monkeypatch.setattr(learn_graphs, "learn", watched)
    again = train(salts, data, SPEC, name="interrupted")
    assert steps[0] == ("schnet", 20)
    assert np.array_equal(again.model.predict(data.rows).members, trained.model.predict(data.rows).members)


def test_a_champion_that_is_an_ensemble_is_retrained(
    salts: Lake, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = Lake.open(str(tmp_path_factory.mktemp("grown")), salts.settings)
    fill(lake, rows_of("left"))
    train(lake, dataset(lake, Selection(ENERGY)), SPEC, name="both")
    fill(lake, rows_of("right", 4.3, cells=2))
    outcome = retrain(lake, "both", margin=0.9)
    assert outcome.decision is not None
    assert outcome.decision["challenger_id"] == "both.2"
    assert spec_of(registry.find(lake, "both.2")).members == spec_of(registry.find(lake, "both.1")).members


def test_its_parameters_are_the_sum(trained: Trained) -> None:
    model = trained.model
    found = measured(model.document, model.weights)
    weights = {name: array for name, array in model.weights.items() if name[:2] in ("0.", "1.")}
    assert found.n_parameters == sum(array.size for array in weights.values())


@pytest.mark.parametrize(("change", "words"), [
    (lambda plain: {"members": []}, "2 to 64"),
    (lambda plain: {"members": plain["members"][:1]}, "2 to 64"),
    (lambda plain: {"members": [*plain["members"][:1], {"kind": "forest"}]}, "Member 1 .* is of kind forest"),
    (lambda plain: {"members": [*plain["members"][:1], 3]}, "Member 1 of an ensemble is 3"),
    (lambda plain: {"members": [*plain["members"][:1], {"kind": "nonsense"}]}, "no kind of model 'nonsense'"),
    (lambda plain: {"members": [*plain["members"], plain["members"][0]]}, "3 networks in all, and n_members is 2"),
    (lambda plain: plain | {"channels": 8}, "no setting 'channels'"),
])
def test_what_is_no_ensemble_is_refused(change: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ModelSpec("ensemble", change(dict(SPEC.model)), n_members=2)


def test_an_ensemble_without_members_is_made_by_a_search(salts: Lake, data: Dataset) -> None:
    with pytest.raises(InputError, match="matlake search"):
        train(salts, data, ModelSpec("ensemble"), name="none")


def test_damaged_weights_and_descriptions_are_refused(trained: Trained) -> None:
    model = trained.model
    weights = {name: np.array(array) for name, array in model.weights.items()}
    first = next(name for name in weights if name.startswith("1."))
    cut = {name: array for name, array in weights.items() if name != first}
    with pytest.raises(InputError, match=r"member 1 of both\.1"):
        EnsembleModel.of(model.document, _only(cut), "cpu", "both.1")
    with pytest.raises(InputError, match="none of its members"):
        EnsembleModel.of(model.document, _only(weights) | {"7.bias": weights[first]}, "cpu", "both.1")
    bad: Document = replace(model.document, settings={"members": [{}, {}]})
    with pytest.raises(InputError, match=r"member 0 of both\.1 is not described whole"):
        EnsembleModel.of(bad, _only(weights), "cpu", "both.1")
    with pytest.raises(InputError, match="described as an ensemble of 2"):
        EnsembleModel.of(replace(bad, settings={"members": [{}]}), _only(weights), "cpu", "both.1")


def _only(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name[:2] in ("0.", "1.")}
