"""An experiment on two small databases: what each model is judged on, what it says, and that it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake.errors import InputError, MatlakeError
from lake.store.lake import Lake
from ml.data import dataset
from ml.evaluate import metrics
from ml.transfer import TransferResult, transfer, work
from ml.transfer.run import State
from tests.conftest import quick_settings
from tests.ml import training_lakes as made
from tests.ml import transfer_lakes as lakes


def run(lake: Lake, **more: Any) -> TransferResult:
    return transfer(lake, lakes.request(**more), lakes.true_corrections, where="here")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder: Path = tmp_path_factory.mktemp("transfer")
    return lakes.filled(Lake.open(str(folder / "lake"), quick_settings()))


@pytest.fixture(scope="module")
def result(lake: Lake) -> TransferResult:
    return run(lake)


def cell(result: TransferResult, road: str, trained_on: str, evaluated_on: str) -> dict[str, Any]:
    (found,) = (r for r in result.matrix.to_pylist()
                if (r["road"], r["trained_on"], r["evaluated_on"]) == (road, trained_on, evaluated_on))
    return dict(found)


def test_every_model_is_judged_on_the_same_test_rows_of_every_database(lake: Lake, result: TransferResult) -> None:
    assert len(result.models) == result.n_trained == 5
    data = dataset(lake, lakes.request().selection).rows
    held_out = {r["calculation_id"] for r in data.to_pylist() if r["split"] == "test"}
    keys = {split: {r["material_key"] for r in data.to_pylist() if r["split"] == split}
            for split in ("train", "validation", "test")}
    assert not keys["train"] & keys["test"]
    assert not keys["validation"] & keys["test"]
    predictions = lake.read("predictions")
    for model_id in result.models.values():
        own = [r for r in predictions.to_pylist() if r["model_id"] == model_id]
        assert {r["calculation_id"] for r in own if r["split"] == "test"} == held_out
        assert len({r["calculation_id"] for r in own}) == len(own)
    actual = dict(zip(data["calculation_id"].to_pylist(), data["actual"].to_pylist(), strict=True))
    for row in predictions.to_pylist():
        assert row["actual"] == pytest.approx(actual[row["calculation_id"]])


def test_the_matrix_is_what_the_predictions_say(lake: Lake, result: TransferResult) -> None:
    assert result.matrix.num_rows == 15
    assert set(result.matrix["evaluated_on"].to_pylist()) == {"large", "small", "*"}
    assert set(result.matrix["newest"].to_pylist()) == {True}
    predictions = lake.read("predictions", where="split = 'test'").to_pylist()
    for row in result.matrix.to_pylist():
        chosen = [p for p in predictions if p["model_id"] == row["model_id"]
                  and row["evaluated_on"] in ("*", p["source"])]
        actual = pa.array([p["actual"] for p in chosen]).to_numpy()
        found = metrics(actual, pa.array([p["predicted"] for p in chosen]).to_numpy())
        assert row["n"] == found["n"]
        for name in ("mae", "rmse", "bias", "r2"):
            assert row[name] == pytest.approx(found[name]), name


def test_the_shift_shows_as_bias_and_the_corrected_road_removes_it(result: TransferResult) -> None:
    foreign, corrected = cell(result, "own", "large", "small"), cell(result, "corrected", "large+small", "small")
    shift = sum(lakes.SHIFT_EV.values()) / len(lakes.SHIFT_EV)
    assert foreign["bias"] < -0.5 * shift
    assert abs(corrected["bias"]) < 0.4 * abs(foreign["bias"])
    assert corrected["mae"] < 0.5 * foreign["mae"]
    assert abs(cell(result, "corrected", "large+small", "large")["bias"]) < 0.4 * abs(foreign["bias"])


def test_it_says_what_it_found(result: TransferResult) -> None:
    said = "\n".join(result.answers)
    for name in ("large", "small"):
        for words in ("the combined model has", "the combined model with settings", "the model of corrected targets"):
            assert any(line.startswith(f"{name}: {words}") for line in result.answers), (name, words)
    assert "The model of large alone is off by −" in said
    assert "with corrected targets" in said
    assert "materials 0." in said
    assert said.count("95 % interval") == 6


def test_what_the_lake_keeps_repeats_it(lake: Lake, result: TransferResult) -> None:
    rows = lake.read("transfers").to_pylist()
    assert {row["transfer_id"] for row in rows} == {f"{lakes.TARGET}.1"} == {result.transfer_id}
    assert len({row["created_at"] for row in rows}) == 1
    assert {row["n_common_materials"] for row in rows} == {40}
    assert json.loads(rows[0]["settings_json"])["spec"]["kind"] == "forest"
    corrections = {row["road"]: row["correction_json"] for row in rows}
    assert json.loads(corrections.pop("corrected")) == json.loads(lakes.true_corrections().json())
    assert set(corrections.values()) == {None}
    models = {row["model_id"]: row for row in lake.read("models").to_pylist()}
    assert {models[row["model_id"]]["road"] for row in rows} == {"own", "combined", "settings", "corrected"}
    by_road = {row["road"]: models[row["model_id"]] for row in rows}
    assert by_road["corrected"]["target_reference"] == "level of large"
    assert "energy_functional" in json.loads(by_road["settings"]["settings_json"])["spec"]["inputs"]


def test_the_same_once_more_trains_nothing_and_changes_nothing(lake: Lake, result: TransferResult) -> None:
    before = {name: lake.read(name) for name in ("predictions", "evaluations", "transfers", "models")}
    versions = lake.versions()
    again = run(lake)
    assert (again.transfer_id, again.is_new, again.n_trained) == (result.transfer_id, False, 0)
    assert again.matrix.equals(result.matrix)
    assert again.answers == result.answers
    assert lake.versions() == versions
    for name, table in before.items():
        assert lake.read(name).equals(table), name


def test_a_run_that_was_ended_takes_over_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second model fails in the middle, the third after it was trained but before it was judged."""
    lake = lakes.filled(Lake.open(str(tmp_path / "lake"), quick_settings()))
    keep, done = work._keep, []

    def failing(*arguments: Any) -> None:
        done.append(arguments)
        if len(done) == 3:
            raise InputError("the disk is full")
        keep(*arguments)

    monkeypatch.setattr(work, "_keep", failing)
    with pytest.raises(MatlakeError, match="disk is full"):
        run(lake)
    assert lake.read("transfers").num_rows == 0
    assert lake.read("models").num_rows == 3
    monkeypatch.setattr(work, "_keep", keep)
    states: list[State] = []
    went_on = transfer(lake, lakes.request(), lakes.true_corrections, where="here", progress=states.append)
    assert went_on.n_trained == 2
    assert [state.done for state in states] == [0, 1, 2, 3, 4, 5]
    assert sum("was there" in (state.last or "") for state in states) == 3
    uninterrupted = run(lakes.filled(Lake.open(str(tmp_path / "other"), quick_settings())))
    drop = ["model_id"]
    assert went_on.matrix.drop_columns(drop).equals(uninterrupted.matrix.drop_columns(drop))


def test_new_rows_make_a_new_experiment_and_only_its_models_anew(tmp_path: Path) -> None:
    lake = lakes.filled(Lake.open(str(tmp_path / "lake"), quick_settings()))
    first = run(lake, roads=("own", "combined"))
    assert not any("corrected" in note for note in first.notes)
    made.fill(lake, [lakes.shifted(made.rock_salt("small", "Li", "O", 4.21))])
    second = run(lake, roads=("own", "combined"))
    assert (second.transfer_id, second.is_new, second.n_trained) == (f"{lakes.TARGET}.2", True, 2)
    assert second.models["large (own)"] == first.models["large (own)"]
    with lake.connect() as connection:
        newest = connection.sql("select distinct transfer_id from transfer_matrix where newest").fetchall()
    assert newest == [(second.transfer_id,)]


def test_rows_that_change_while_models_are_trained_are_noticed(tmp_path: Path) -> None:
    lake = lakes.filled(Lake.open(str(tmp_path / "lake"), quick_settings()))

    def change(state: State) -> None:
        if state.done == 1:
            made.fill(lake, [made.rock_salt("large", "Li", "O", 4.9)])

    with pytest.raises(InputError, match="changed while the models were trained"):
        transfer(lake, lakes.request(roads=("own",)), lakes.true_corrections, where="here", progress=change)


def test_elements_that_a_model_has_not_seen_are_counted_not_guessed(tmp_path: Path) -> None:
    strange = [
        made.rock_salt("small", cation, "O") | {
            "species_at_sites": [cation, "I"], "elements": sorted((cation, "I")), "calculation_id": f"small/{cation}I",
            "formula_reduced": "".join(sorted((cation, "I"))), "reduced_key": f"{''.join(sorted((cation, 'I')))}_225",
        } for cation in made.CATIONS
    ]
    lake = made.fill(lakes.filled(Lake.open(str(tmp_path / "lake"), quick_settings())), strange)
    found = run(lake, roads=("own",))
    held_out = {r["calculation_id"] for r in dataset(lake, lakes.request().selection).rows.to_pylist()
                if r["split"] == "test" and "I" in r["elements"]}
    assert held_out
    assert any(f"large (own) says nothing of {len(held_out)} test rows of small" in note for note in found.notes)
    large = found.models["large (own)"]
    said = {r["calculation_id"] for r in lake.read("predictions").to_pylist() if r["model_id"] == large}
    assert not said & held_out
