"""What a model says: of each crystal by itself, how sure it is, and at which level."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from training_lakes import fill, rock_salt, rows_of

from lake.errors import InputError
from lake.settings import load_settings
from lake.store.lake import Lake
from ml import registry
from ml.data import Selection, dataset
from ml.predict.predict import LEVEL, calibration_of, domain_of, predict_rows
from ml.predict.source import model_of, predict_subset, save_predictions
from ml.predict.source import rows_of as rows_of_lake
from ml.registry import files
from ml.registry.model import Model
from ml.spec import ModelSpec
from ml.train import train

ENERGY = "formation_energy_ev_per_atom"
TINY = {"channels": 8, "steps": 1, "n_rbf": 10}
QUICK = {"steps": 60, "batch_size": 16, "evaluate_every": 20, "device": "cpu", "threads": 1}
SPECS = {
    "levels": ModelSpec("schnet", TINY, QUICK, n_members=3, inputs=("source", "cutoff_ev")),
    "single": ModelSpec("mpeu", TINY, QUICK),
    "forest": ModelSpec("forest", {"n_estimators": 8}, {"threads": 1}),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Rock salts of two databases, and three models of them; gaps and an odd row come later."""
    import torch

    torch.set_num_threads(1)
    lake = Lake.open(str(tmp_path_factory.mktemp("predict")), load_settings(tracking_uri="off", dask_workers=1))
    fill(lake, rows_of("left", cutoff_ev=500.0) + rows_of("right", 4.3, cutoff_ev=400.0)[:70])
    rows = dataset(lake, Selection(ENERGY))
    for name, spec in SPECS.items():
        train(lake, rows, spec, name=name, road="combined")
    strange = rock_salt("left", "Na", "Cl", 4.5, name="strange") | {
        "species_at_sites": ["Xe", "Cl"], "reduced_key": "ClXe_225"}
    fill(lake, [strange, rock_salt("left", "Na", "Cl", name="empty") | {
        "lattice_vectors_angstrom": None, "fractional_positions": None, "species_at_sites": None},
        rock_salt("left", "Na", "F", 4.5, name="unknown") | {ENERGY: None},
        rock_salt("left", "Na", "Br", name="double") | {"fractional_positions": [[0.0] * 3] * 2}])
    return lake


@pytest.fixture(scope="module", params=list(SPECS))
def model(lake: Lake, request: pytest.FixtureRequest) -> Model:
    return model_of(lake, request.param)


@pytest.fixture(scope="module")
def ensemble(lake: Lake) -> Model:
    return model_of(lake, "levels")


CRYSTALS = pa.Table.from_pylist([rock_salt("left", "Na", "Cl"), rock_salt("left", "K", "Br", 4.5),
                                 rock_salt("left", "Mg", "O", 4.1)])


def test_no_answer_depends_on_what_else_is_asked(model: Model) -> None:
    together = predict_rows(model, CRYSTALS)
    for place in range(3):
        alone = predict_rows(model, CRYSTALS.slice(place, 1))
        for name in ("predicted", "uncertainty", "low", "high"):
            if together[name].null_count == 0:
                np.testing.assert_allclose(alone[name].to_numpy(), together[name].to_numpy()[place], atol=2e-6)
        assert alone["outside"][0].as_py() == together["outside"][place].as_py()
    backwards = predict_rows(model, CRYSTALS.take([2, 1, 0]))
    np.testing.assert_allclose(backwards["predicted"].to_numpy()[::-1], together["predicted"].to_numpy(), atol=2e-6)


def test_one_crystal_written_in_several_ways_gets_one_answer(model: Model) -> None:
    plain = rock_salt("left", "Na", "Cl")
    other = plain | {"species_at_sites": ["Cl", "Na"], "fractional_positions": [[1.5, -0.5, 0.5], [0.0, 0.0, 3.0]]}
    large = rock_salt("left", "Na", "Cl", cells=3)
    found = predict_rows(model, pa.Table.from_pylist([plain, other, large]))["predicted"].to_numpy()
    np.testing.assert_allclose(found, found[0], atol=1e-5)


def test_uncertainties_are_those_of_the_calibration(lake: Lake, model: Model) -> None:
    found = predict_rows(model, CRYSTALS)
    calibration = calibration_of(model)
    if model.row["name"] == "single":
        assert calibration is None
        assert found["uncertainty"].null_count == found["low"].null_count == 3
        return
    assert calibration is not None
    said = model.predict(CRYSTALS)
    spread = said.standard_deviation
    np.testing.assert_allclose(found["predicted"].to_numpy(), said.mean, atol=1e-9)
    np.testing.assert_allclose(found["uncertainty"].to_numpy(), calibration(spread), rtol=1e-5)
    half = calibration.half_width(spread, LEVEL)
    np.testing.assert_allclose(found["high"].to_numpy() - found["low"].to_numpy(), 2 * half, rtol=1e-4)
    kept = lake.read("predictions", where=f"model_id = '{model.model_id}'")
    assert kept["uncertainty"].null_count == 0


def test_what_was_said_in_training_is_said_again(lake: Lake, model: Model) -> None:
    kept = lake.read("predictions", where=f"model_id = '{model.model_id}'").sort_by("calculation_id")
    again = predict_subset(lake, model, Selection(ENERGY)).sort_by("calculation_id")
    again = again.filter(pc.is_in(again["calculation_id"], kept["calculation_id"]))
    assert again["split"].to_pylist() == kept["split"].to_pylist()
    for name in ("actual", "predicted"):
        np.testing.assert_allclose(again[name].to_numpy(), kept[name].to_numpy(), atol=2e-5)
    held = pc.not_equal(kept["split"], "train")
    assert again.filter(held)["outside"].to_pylist() == kept.filter(held)["outside"].to_pylist()


def test_what_cannot_be_predicted_is_null_with_the_reason(lake: Lake, model: Model) -> None:
    rows, without = rows_of_lake(lake, model, Selection(ENERGY, where="source = 'left'"))
    assert without == 1
    found = {row["calculation_id"]: row for row in predict_rows(model, rows, strict=False).to_pylist()}
    strange = found["left/strange"]
    assert (strange["predicted"], strange["uncertainty"], strange["split"]) == (None, None, None)
    assert strange["outside"] == "holds Xe, which the model has never seen: nothing is predicted"
    unknown = found["left/unknown"]
    assert unknown["actual"] is None
    assert unknown["predicted"] is not None
    if model.spec.is_graph:
        assert "in the place of another" in found["left/double"]["outside"]
        assert found["left/double"]["predicted"] is None
    with pytest.raises(InputError, match=r"hold Xe \(left/strange is the first\)"):
        predict_rows(model, rows)
    nothing = predict_rows(model, rows.slice(0, 0), strict=False)
    assert nothing.num_rows == 0
    assert {"predicted", "uncertainty", "low", "high", "outside"} <= set(nothing.column_names)


def test_a_material_is_in_the_split_that_training_put_it_in(lake: Lake, ensemble: Model) -> None:
    kept = lake.read("predictions", where="model_id = 'levels.1'")
    splits = dict(zip(kept["material_key"].to_pylist(), kept["split"].to_pylist(), strict=True))
    rows, _ = rows_of_lake(lake, ensemble, Selection(ENERGY, where="source_id = 'unknown'"))
    assert rows["split"].to_pylist() == [splits["FNa_225"]]


def test_the_level_that_is_asked_for_counts(ensemble: Model) -> None:
    domain = domain_of(ensemble)
    assert domain is not None
    assert domain.levels.chosen({}) == {"source": "left", "cutoff_ev": 500.0}
    assert domain.levels.chosen({"source": "right"}) == {"source": "right", "cutoff_ev": 400.0}
    bare = CRYSTALS.select(["lattice_vectors_angstrom", "fractional_positions", "species_at_sites"])
    left, right = (predict_rows(ensemble, bare, level=domain.levels.chosen({"source": name}))
                   for name in ("left", "right"))
    assert np.abs(left["predicted"].to_numpy() - right["predicted"].to_numpy()).max() > 1e-4
    own = CRYSTALS.append_column("cutoff_ev", pa.array([500.0] * 3))
    np.testing.assert_allclose(predict_rows(ensemble, own)["predicted"].to_numpy(), left["predicted"].to_numpy(),
                               atol=2e-6)
    strange = predict_rows(ensemble, bare, level={"source": "oqmd", "cutoff_ev": 500.0})
    assert all("source oqmd was not learned from (left, right)" in reason for reason in strange["outside"].to_pylist())


@pytest.mark.parametrize("what", ["weights", "export"])
def test_a_model_in_a_folder_says_the_same_without_its_lake(
    lake: Lake, model: Model, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "model"
    if what == "export":
        registry.export_model(lake, model, folder)
    else:
        shutil.copytree(Path(lake.root.uri) / model.row["folder"], folder)
    elsewhere = Lake.open(str(tmp_path / "nothing"), lake.settings)
    found = model_of(elsewhere, str(folder))
    assert not (tmp_path / "nothing").exists()
    expected, said = predict_rows(model, CRYSTALS), predict_rows(found, CRYSTALS)
    assert said["predicted"].to_pylist() == expected["predicted"].to_pylist()
    assert said["outside"].to_pylist() == expected["outside"].to_pylist()
    if what == "export":
        assert said["uncertainty"].to_pylist() == expected["uncertainty"].to_pylist()
    with pytest.raises(InputError, match="not in the lake"):
        save_predictions(elsewhere, found, said)


def test_a_folder_that_is_no_whole_model_is_refused(lake: Lake, ensemble: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        model_of(lake, str(tmp_path))
    arrays = {name: array for name, array in ensemble.weights.items() if name != "domain.landmarks"}
    files.write_folder(tmp_path, ensemble.document, arrays)
    with pytest.raises(InputError, match="what the model has seen is not described"):
        predict_rows(model_of(lake, str(tmp_path)), CRYSTALS)
    (tmp_path / files.WEIGHTS).write_bytes(b"\x80\x04N.")
    with pytest.raises(InputError, match="no safetensors"):
        model_of(lake, str(tmp_path))


def test_two_at_once_keep_their_predictions(lake: Lake, ensemble: Model) -> None:
    everything = predict_subset(lake, ensemble, Selection(ENERGY))
    before = lake.read("predictions", where="model_id = 'levels.1'").num_rows
    halves = [everything.filter(pc.equal(everything["source"], name)) for name in ("left", "right")]
    failed: list[BaseException] = []

    def keep(some: pa.Table) -> None:
        try:
            save_predictions(lake, ensemble, some)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=keep, args=(some,)) for some in (*halves, everything)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    kept = lake.read("predictions", where="model_id = 'levels.1'").sort_by("calculation_id")
    said = everything.filter(pc.is_valid(everything["predicted"]))
    assert kept["calculation_id"].to_pylist() == said["calculation_id"].to_pylist()
    assert kept.num_rows == before + 1
    assert "left/strange" not in kept["calculation_id"].to_pylist()


def test_a_selection_of_nothing_says_so(lake: Lake, ensemble: Model) -> None:
    for where, message in (("n_sites = 99", "it holds none"), ("source_id = 'empty'", "none of its 1 calculations")):
        with pytest.raises(InputError, match=message):
            rows_of_lake(lake, ensemble, Selection(ENERGY, where=where))
