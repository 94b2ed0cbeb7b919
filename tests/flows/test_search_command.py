"""`matlake search` and the flow of that name: candidates, an ensemble, and its challenge of a champion."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from in_process import matlake

from flows import search as parts
from lake.store.lake import Lake
from ml.data import Selection, dataset
from ml.registry.champion import champion_id, history
from ml.retrain.retrain import retrain
from ml.spec import ModelSpec
from ml.train import spec_of, train
from tests.conftest import quick_settings
from tests.ml.training_lakes import fill, rows_of

ENERGY = "formation_energy_ev_per_atom"
QUICK = {"steps": 9, "evaluate_every": 1, "batch_size": 16, "device": "cpu", "threads": 1}
SPACE = {"model.channels": [4, 6], "training.learning_rate": [3e-3, 1e-2, 2e-2]}
SETTINGS = [word for name in ("evaluate_every", "batch_size", "threads") for word in (
    "--set", f"training.{name}={QUICK[name]}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a champion, and a space."""
    place = tmp_path_factory.mktemp("search")
    lake = fill(Lake.open(str(place / "lake"), quick_settings(dask_workers=1)), rows_of("mp"))
    spec = ModelSpec("schnet", {"channels": 4, "steps": 1, "n_rbf": 8}, QUICK | {"steps": 2})
    train(lake, dataset(lake, Selection(ENERGY)), spec, name="energies")
    train(lake, dataset(lake, Selection("band_gap_ev")), ModelSpec("forest", {"n_estimators": 2}), name="gaps")
    (place / "space.json").write_text(json.dumps(SPACE))
    return place


def ran(folder: Path, *words: str) -> Any:
    return matlake("--root", "lake", "search", "--source", "mp", "--model", "schnet", "--steps", "9", "--device", "cpu",
                   "--space", "space.json", "--workers", "here", *SETTINGS, *words, cwd=folder,
                   MATLAKE_TRACKING_URI="off")


def test_candidates_an_ensemble_and_a_new_champion(folder: Path) -> None:
    done = ran(folder, "--pruner", "none", "--ensemble", "2", "--challenge", "energies", "--margin", "0.9", "--price",
               "3", "--name", "salts", "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    errors = [float(row["validation_rmse"]) for row in rows]
    assert len(rows) == 6
    assert errors == sorted(errors)
    assert {row["state"] for row in rows} == {"completed"}
    assert "6 candidates" in done.stderr
    assert "at 3 an hour" in done.stderr
    lake = Lake.open(str(folder / "lake"), quick_settings(dask_workers=1))
    (row,) = lake.read("searches").to_pylist()
    assert (row["model_id"], row["promotion"]) == ("energies.2", "promoted")
    assert champion_id(lake, "energies") == "energies.2"
    again = ran(folder, "--pruner", "none", "--ensemble", "2", "--challenge", "energies", "--margin", "0.9", "--price",
                "3", "--name", "salts", "--format", "csv")
    assert again.stdout == done.stdout
    assert "nothing was searched" in again.stderr
    assert len(history(lake, "energies")) == 2
    # Who became champion by a search is trained anew like any other, where the data change.
    fill(lake, rows_of("mp", 4.4, cells=2))
    outcome = retrain(lake, "energies", margin=0.9)
    assert outcome.decision is not None
    assert len(spec_of({"settings_json": lake.read(
        "models", where="model_id = 'energies.3'").to_pylist()[0]["settings_json"]}).members) == 2


def test_the_queries_of_a_search_answer(folder: Path) -> None:
    found = ran(folder, "--name", "asked", "--candidates", "4", "--ensemble", "0")
    assert found.returncode == 0, found.stderr
    for query in ("search_candidates", "search_figure", "search_pareto", "search_summary"):
        done = matlake("--root", "lake", "sql", query, "--param", "search=asked", "--format", "json", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout), query


@pytest.mark.parametrize(("options", "words"), [
    (["--model", "forest"], "Networks are searched"),
    (["--space", "nowhere.json"], "cannot be read"),
    (["--space", "papr"], "Spaces: paper, short"),
    (["--sampler", "grid"], "no sampler"),
    (["--pruner", "asha"], "no pruner"),
    (["--candidates", "0"], "candidates of a search is 0"),
    (["--ensemble", "1"], "An ensemble of one network is none"),
    (["--challenge", "energies", "--ensemble", "0"], "--challenge needs one"),
    (["--challenge", "nobody"], "no model"),
    (["--challenge", "gaps"], "cannot be challenged"),
    (["--set", "model.channels=8"], "leave one of them out"),
    (["--set", "model.depth=99"], "depth"),
    (["--target", "band_gap"], "Is band_gap_ev meant"),
    (["--split", "0.5"], "--split"),
    (["--price", "-1"], "price"),
    (["--least-steps", "10"], "10 steps, and 9 are all"),
])
def test_what_cannot_be_done_is_said_before_anything_is_trained(
    folder: Path, options: list[str], words: str
) -> None:
    done = ran(folder, *options)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_rows_must_be_named(folder: Path) -> None:
    done = matlake("--root", "lake", "search", cwd=folder)
    assert done.returncode == 1
    assert "A search on which rows?" in done.stderr


@pytest.mark.slow
@pytest.mark.xdist_group("prefect")
def test_the_flow_searches_and_shows_the_candidates(prefect_server: str, folder: Path) -> None:
    from prefect.artifacts import Artifact

    found = parts.search(
        model="schnet", sources=["mp"], space=str(folder / "space.json"), candidates=3, steps=9, ensemble=0,
        name="by-flow", settings={f"training.{name}": value for name, value in QUICK.items() if name != "steps"},
        where="here", root=str(folder / "lake"))
    assert found["is_new"]
    assert (found["search_id"], found["n_candidates"], found["n_completed"]) == ("by-flow.1", 3, 3)
    artifact = Artifact.get("search-by-flow")
    assert artifact is not None
    assert len(json.loads(str(artifact.data))) == 3
    assert "3 candidates" in str(artifact.description)
