"""What an experiment is laid out as, and what is refused before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lake.errors import InputError
from lake.store.lake import Lake
from ml.data import dataset
from ml.spec import ModelSpec
from ml.transfer import Corrections, plan
from ml.transfer.recipes import FULL_STEPS, recipe
from tests.conftest import quick_settings
from tests.ml import training_lakes as made
from tests.ml import transfer_lakes as lakes


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder: Path = tmp_path_factory.mktemp("plan")
    return lakes.filled(Lake.open(str(folder / "lake"), quick_settings()))


def test_a_model_per_database_and_one_on_each_road(lake: Lake) -> None:
    request = lakes.request()
    found = plan(dataset(lake, request.selection), request, lakes.true_corrections())
    assert sorted((job.road, job.trained_on) for job in found.jobs) == [
        ("combined", ("large", "small")), ("corrected", ("large", "small")), ("own", ("large",)), ("own", ("small",)),
        ("settings", ("large", "small")),
    ]
    assert [job.n_train for job in found.jobs] == sorted((job.n_train for job in found.jobs), reverse=True)
    assert {job.name for job in found.jobs} == {
        "transfer-formation-energy-large", "transfer-formation-energy-small",
        "transfer-formation-energy-combined-large-small", "transfer-formation-energy-settings-large-small",
        "transfer-formation-energy-corrected-large-small",
    }
    inputs = {job.road: job.spec.inputs for job in found.jobs}
    assert inputs["settings"] == ("source", "energy_functional", "plus_u", "cutoff_ev", "k_point_density_angstrom")
    assert inputs["combined"] == inputs["own"] == inputs["corrected"] == ()
    assert found.n_common == 40
    assert sum(found.counts["large"].values()) == 160


def test_a_road_that_cannot_be_gone_is_left_out_and_said(lake: Lake) -> None:
    request = lakes.request()
    found = plan(dataset(lake, request.selection), request, "a band gap is no sum over elements.")
    assert {job.road for job in found.jobs} == {"own", "combined", "settings"}
    assert any("corrected is left out: a band gap" in note for note in found.notes)


def test_a_database_without_correction_stays_out_of_that_road(lake: Lake, tmp_path: Path) -> None:
    third = [row | {"reduced_key": row["reduced_key"] + "x"} for row in made.rows_of("third")]
    other = made.fill(Lake.open(str(tmp_path / "lake"), quick_settings()), lakes.rows() + third)
    request = lakes.request()
    found = plan(dataset(other, request.selection), request, lakes.true_corrections())
    assert [job.trained_on for job in found.jobs if job.road == "corrected"] == [("large", "small")]
    assert [job.trained_on for job in found.jobs if job.road == "combined"] == [("large", "small", "third")]
    assert any("third" in note and "corrected" in note for note in found.notes)
    alone = lakes.request(("large", "third"))
    found = plan(dataset(other, alone.selection), alone, Corrections("large", {}))
    assert "corrected" not in {job.road for job in found.jobs}
    assert found.n_common == 0
    assert any("No material is in two" in note for note in found.notes)


def test_what_is_no_transfer_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="large is one alone"):
        lakes.request(("large",))
    with pytest.raises(InputError, match="no calculations of mp"):
        dataset(lake, lakes.request(("large", "mp")).selection)
    with pytest.raises(InputError, match="There is no road bridge"):
        lakes.request(roads=("own", "bridge"))
    with pytest.raises(InputError, match="level of 'mp'"):
        lakes.request(("large", "small"), level="mp")
    no_energy = [row | {lakes.TARGET: None} for row in made.rows_of("small")]
    bare = made.fill(Lake.open(str(tmp_path / "lake"), quick_settings()), made.rows_of("large") + no_energy)
    for sources in ((), ("large", "small")):
        request = lakes.request(sources)
        with pytest.raises(InputError, match=r"Databases that have some: large \(80 rows\)"):
            plan(dataset(bare, request.selection), request, "")


def test_a_database_without_test_rows_is_refused(tmp_path: Path) -> None:
    few = Lake.open(str(tmp_path / "lake"), quick_settings())
    made.fill(few, made.rows_of("large") + made.rows_of("small")[:1])
    request = lakes.request()
    with pytest.raises(InputError, match=r"The split \w+ of small is empty \(1 rows"):
        plan(dataset(few, request.selection), request, "")


def test_names_are_names_of_models_however_many_databases_there_are(tmp_path: Path) -> None:
    from ml.registry.rows import check_name

    lake = Lake.open(str(tmp_path / "lake"), quick_settings())
    sources = [f"provider-with-a-long-name-{n}" for n in range(3)]
    made.fill(lake, [row for source in sources for row in made.rows_of(source)])
    request = lakes.request()
    found = plan(dataset(lake, request.selection), request, "")
    names = [job.name for job in found.jobs]
    assert len(set(names)) == len(names)
    for name in names:
        check_name(name)


def test_corrections_add_what_the_composition_says(lake: Lake) -> None:
    data = dataset(lake, lakes.request().selection)
    corrections = Corrections.of(lakes.true_corrections().json())
    added = corrections.added(data.rows)
    sources = np.array(data.rows["source"].to_pylist())
    assert (added[sources == "large"] == 0).all()
    energies = dict(zip(data.rows["calculation_id"].to_pylist(), data.actual + added, strict=True))
    for name, value in energies.items():
        if name.startswith("small/"):
            assert value == pytest.approx(energies[name.replace("small/", "large/")])
    with pytest.raises(InputError, match="values of small cannot be brought to the level of large"):
        Corrections("large", {}).added(data.rows)


def test_recipes_are_specs_of_every_kind() -> None:
    for kind in ("mpeu", "schnet", "painn", "forest", "mlp"):
        for full in (False, True):
            assert ModelSpec.of(json.loads(recipe(kind, full).json())).kind == kind
    assert recipe("mpeu", True).training["steps"] == FULL_STEPS["mpeu"]
    with pytest.raises(InputError, match="no kind of model"):
        recipe("magic", False)
