"""Training from rows to tables: for every kind of model, once and again, interrupted and taken up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from training_lakes import fill, rows_of

from lake.errors import InputError, TableError
from lake.settings import Settings, load_settings
from lake.store.lake import Lake
from ml import registry, scratch
from ml.data import Dataset, Selection, dataset, target_of
from ml.defaults import completed
from ml.progress import State
from ml.registry import registry as registry_module
from ml.spec import ModelSpec
from ml.train import same_model, spec_of, train

ENERGY = "formation_energy_ev_per_atom"
TINY = {"channels": 8, "steps": 1, "n_rbf": 10}
QUICK = {"steps": 60, "batch_size": 16, "evaluate_every": 20, "device": "cpu", "threads": 1}
SPECS = {
    "schnet": ModelSpec("schnet", TINY, QUICK),
    "mpeu": ModelSpec("mpeu", TINY, QUICK, n_members=2, inputs=("source", "plus_u", "cutoff_ev")),
    "painn": ModelSpec("painn", TINY, QUICK | {"steps": 4}, {"n_neighbours": 6}),
    "forest": ModelSpec("forest", {"n_estimators": 8}, {"threads": 1}, features={"kind": "composition+cell"}),
    "mlp": ModelSpec("mlp", {"hidden": [8]}, QUICK),
}


def settings() -> Settings:
    return load_settings(tracking_uri="off", dask_workers=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def salts(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two databases of rock salts."""
    lake = Lake.open(str(tmp_path_factory.mktemp("salts")), settings())
    return fill(lake, rows_of("left") + rows_of("right", 4.3, cells=2, cutoff_ev=400.0))


@pytest.fixture(scope="module")
def both(salts: Lake) -> Dataset:
    return dataset(salts, Selection(ENERGY))


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_is_trained_saved_and_says_the_same_when_it_is_loaded(salts: Lake, both: Dataset, kind: str) -> None:
    seen: list[State] = []
    trained = train(salts, both, SPECS[kind], name=f"all-{kind}", road="combined", progress=seen.append)
    row = trained.model.row
    assert (row["model_id"], row["kind"], row["road"], row["unit"]) == (f"all-{kind}.1", kind, "combined", "eV/atom")
    assert row["sources"] == ["left", "right"]
    assert (row["n_train"], row["n_validation"], row["n_test"]) == tuple(
        len(both.places(s)) for s in ("train", "validation", "test"))
    assert (row["data_sha256"], row["table_versions"]) == (both.sha256, both.table_versions)
    assert row["code_version"].startswith("0.")
    assert "numpy" in json.loads(row["library_versions_json"])
    errors = json.loads(row["metrics_json"])
    assert errors["train"]["mae"] > 0
    assert set(errors["by_source"]) == {"left", "right"}
    loaded = registry.load(salts, f"all-{kind}")
    written = salts.read("predictions", where=f"model_id = 'all-{kind}.1'").sort_by("calculation_id")
    assert written["calculation_id"].to_pylist() == both.rows["calculation_id"].to_pylist()
    np.testing.assert_allclose(loaded.predict(both.rows).mean, written["predicted"].to_numpy(), atol=1e-5)
    np.testing.assert_array_equal(written["actual"].to_numpy(), both.actual)
    uncertain = kind in ("forest", "mpeu")
    assert (row["calibration_json"] is not None) == uncertain
    assert written["uncertainty"].null_count == (0 if uncertain else written.num_rows)
    evaluated = salts.read("evaluations", where=f"model_id = 'all-{kind}.1' and split = 'test' and slice_kind = 'all'")
    whole = next(line for line in evaluated.to_pylist() if line["evaluated_on"] == "*")
    assert whole["mae"] == pytest.approx(errors["test"]["mae"])
    assert salts.read("learning_curves", where=f"model_id = 'all-{kind}.1'").num_rows >= 1
    assert {"evaluating"} < {state.doing for state in seen}
    assert not scratch.scratch_folder(salts, both.sha256, completed(SPECS[kind], both).recipe).exists()


def test_a_network_learns_what_the_rows_say(salts: Lake, both: Dataset) -> None:
    spec = ModelSpec("schnet", TINY, QUICK | {"steps": 300, "learning_rate": 5e-3})
    trained = train(salts, both, spec, name="learnt", save=False)
    errors = json.loads(trained.model.row["metrics_json"])
    spread = float(np.std(both.actual))
    assert errors["test"]["mae"] < 0.15 * spread
    assert trained.model.model_id == ""
    assert all(row["name"] != "learnt" for row in registry.saved(salts))


def test_the_same_again_is_found_and_other_data_or_settings_are_not(salts: Lake, both: Dataset) -> None:
    spec = SPECS["forest"]
    first = train(salts, both, spec, name="once")
    found = train(salts, both, spec.setting("training.threads", 2), name="once")
    assert (first.was_there, found.was_there, found.model.model_id) == (False, True, "once.1")
    assert found.model.row["metrics_json"] == first.model.row["metrics_json"]
    assert found.predictions["predicted"].to_pylist() == first.predictions["predicted"].to_pylist()
    assert found.evaluations.num_rows == first.evaluations.num_rows
    changed = [
        train(salts, both, spec, name="once", again=True), train(salts, both, spec.but(seed=1), name="once"),
        train(salts, both.only(sources=("left",)), spec, name="once"), train(salts, both, spec, name="other"),
        train(salts, both, spec, name="once", road="combined"),
    ]
    assert [one.model.model_id for one in changed] == ["once.2", "once.3", "once.4", "other.1", "once.5"]
    assert changed[0].model.row["weights_sha256"] == first.model.row["weights_sha256"]
    assert same_model(salts, "once", both, completed(spec_of(first.model.row), both))["model_id"] == "once.2"  # type: ignore[index]


def test_an_interrupted_training_is_taken_up_and_ends_as_if_it_had_not_been(salts: Lake, both: Dataset) -> None:
    spec = ModelSpec("schnet", TINY, QUICK | {"checkpoint_seconds": 0.0, "evaluate_every": 10})

    def interrupt(state: State) -> None:
        if state.doing == "training" and state.done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(salts, both, spec, name="stopped", progress=interrupt)
    assert all(row["name"] != "stopped" for row in registry.saved(salts))
    seen: list[State] = []
    taken_up = train(salts, both, spec, name="stopped", progress=seen.append)
    assert taken_up.resumed_from is not None
    assert taken_up.resumed_from >= 10
    assert seen[-1].doing == "evaluating"
    straight = train(salts, both, spec, name="straight")
    assert straight.resumed_from is None
    assert taken_up.model.row["weights_sha256"] == straight.model.row["weights_sha256"]
    assert taken_up.predictions["predicted"].to_pylist() == straight.predictions["predicted"].to_pylist()


def test_what_was_learned_survives_a_lake_that_cannot_be_written(
    salts: Lake, both: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise TableError("disk full")

    spec = SPECS["schnet"].but(seed=5)
    with monkeypatch.context() as patched:
        patched.setattr(registry_module.files, "write", full)
        with pytest.raises(TableError):
            train(salts, both, spec, name="full")
    again = train(salts, both, spec, name="full")
    assert again.resumed_from == QUICK["steps"]


def test_one_training_is_done_by_one_process(salts: Lake, both: Dataset) -> None:
    spec = SPECS["forest"].but(seed=9)
    folder = scratch.scratch_folder(salts, both.sha256, completed(spec, both).recipe)
    with scratch.alone_in(folder), pytest.raises(InputError, match="trained by another process"):
        train(salts, both, spec, name="two")
    assert train(salts, both, spec, name="two").model.model_id == "two.1"


def test_elements_that_no_training_row_has_are_left_out_and_said(lake: Lake) -> None:
    rows = rows_of("left")
    fill(lake, rows)
    splits = dataset(lake, Selection(ENERGY)).rows
    test_keys = [key for key, split in zip(splits["material_key"].to_pylist(), splits["split"].to_pylist(), strict=True)
                 if split == "test"]
    strange = next(row for row in rows if row["reduced_key"] == test_keys[0])
    strange = strange | {"species_at_sites": ["Au", "I"], "record_sha256": [("test", "strange")]}
    coinciding = next(row for row in rows if row["reduced_key"] == test_keys[1])
    coinciding = coinciding | {"fractional_positions": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
                               "record_sha256": [("test", "coinciding")]}
    fill(lake, [strange, coinciding])
    found = dataset(lake, Selection(ENERGY))
    trained = train(lake, found, SPECS["schnet"], name="some", save=False)
    ids = trained.predictions["calculation_id"].to_pylist()
    assert len(ids) == 78
    assert not {strange["calculation_id"], coinciding["calculation_id"]} & set(ids)
    assert any("1 of 80 rows hold an element that no training row has" in text for text in trained.warnings)
    assert any(coinciding["calculation_id"] in text for text in trained.warnings)
    assert 79 not in trained.model.elements


@pytest.mark.parametrize(("spec", "message"), [
    (ModelSpec("schnet", {"chanels": 8}, QUICK), "no setting 'chanels'"),
    (ModelSpec("schnet", TINY, QUICK | {"steps": 0}), "steps of training"),
    (ModelSpec("schnet", TINY, QUICK | {"batch_size": "x"}), "batch_size of training"),
    (ModelSpec("schnet", TINY, QUICK, {"neighbours": 3}), "no setting 'neighbours'"),
    (ModelSpec("mlp", {"channels": 8}, QUICK), "no setting 'channels'"),
    (ModelSpec("forest", {}, {"steps": 10}), "no setting 'steps'"),
    (ModelSpec("forest", {"trees": 10}), "no setting trees"),
    (ModelSpec("forest", n_members=3), "no members beside its trees"),
    (ModelSpec("forest", features={"kind": "magic"}), "no features 'magic'"),
    (ModelSpec("forest", features={"sort": "x"}), "no setting 'sort'"),
])
def test_impossible_settings_are_refused_before_any_work(
    salts: Lake, both: Dataset, spec: ModelSpec, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml import learn_graphs

    def worked(*_: object, **__: object) -> None:
        raise AssertionError("graphs were built")

    monkeypatch.setattr(learn_graphs, "graph_store", worked)
    with pytest.raises(InputError, match=message):
        train(salts, both, spec, name="wrong")
    assert all(row["name"] != "wrong" for row in registry.saved(salts))


def test_rows_that_cannot_be_split_and_names_that_are_none_are_refused(salts: Lake, both: Dataset) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        train(salts, both, SPECS["forest"], name="Not a name")
    with pytest.raises(InputError, match="no road 'wrong'"):
        train(salts, both, SPECS["forest"], name="x", road="wrong")
    keys = np.array(both.rows["material_key"].to_pylist())
    with pytest.raises(InputError, match="all of one material"):
        train(salts, both.only(mask=keys == keys[0]), SPECS["forest"], name="x")
    splits = np.array(both.rows["split"].to_pylist())
    with pytest.raises(InputError, match="The split test is empty"):
        train(salts, both.only(mask=splits != "test"), SPECS["forest"], name="x")


def test_the_length_of_training_follows_the_rows(both: Dataset) -> None:
    open_ = completed(ModelSpec("mpeu"), both)
    assert open_.training == {"batch_size": 32, "steps": 4_000, "evaluate_every": 100, "patience": 1_400}
    assert open_.graph == {"n_neighbours": 12}
    given = completed(ModelSpec("painn", training={"steps": 7, "patience": 3}), both)
    assert given.training == {"batch_size": 32, "steps": 7, "evaluate_every": 7, "patience": 3}
    assert given.graph == {}
    assert completed(ModelSpec("forest"), both) == ModelSpec("forest")
    assert completed(open_, both) == open_
    assert (open_.baseline, completed(ModelSpec("mlp"), both).baseline) == ("elements", "none")
    assert completed(ModelSpec("schnet"), replace(both, target=target_of("band_gap_ev"))).baseline == "none"
    assert completed(ModelSpec("schnet", baseline="none"), both).baseline == "none"


class Heard:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.points: list[tuple[int, dict[str, Any]]] = []
        self.ended: list[dict[str, Any]] = []

    def start(self, *given: Any) -> None:
        self.started.append(given)

    def point(self, step: int, values: Any) -> None:
        self.points.append((step, dict(values)))

    def run_id(self) -> str:
        return "run 7"

    def finish(self, **given: Any) -> None:
        self.ended.append(given)


def test_a_tracker_hears_of_settings_curve_errors_and_failure(salts: Lake, both: Dataset) -> None:
    heard = Heard()
    trained = train(salts, both, SPECS["mlp"].but(seed=3), name="heard", tracker=heard)
    assert trained.model.row["tracking_run_id"] == "run 7"
    (name, parameters, tags), = heard.started
    assert (name, parameters["spec"]["kind"], tags["data_sha256"]) == ("heard", "mlp", both.sha256)
    steps = [step for step, values in heard.points if values.get("validation_mae") is not None]
    assert sorted(steps) == [20, 40, 60]
    assert heard.ended[0]["tags"]["model_id"] == "heard.1"
    assert heard.ended[0]["metrics"]["test.mae"] == json.loads(trained.model.row["metrics_json"])["test"]["mae"]
    with pytest.raises(InputError):
        train(salts, both, ModelSpec("mlp", {"wrong": 1}), name="heard", tracker=heard)
    assert heard.ended[1] == {"failed": True}
