"""Retraining as the flow and the command do it: new rows come in, the subset is made anew, the decision is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import retrain as parts
from flows.cli import app
from lake.errors import InputError
from lake.store.lake import Lake
from ml.data import Selection, dataset
from ml.registry import saved
from ml.registry.champion import champion_id
from ml.spec import ModelSpec
from ml.train import train
from tests.ml.training_lakes import fill, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
TARGET = "formation_energy_ev_per_atom"


@pytest.fixture
def trained(lake: Lake) -> Lake:
    """A lake with a curated subset of half the rows, and a model of it."""
    from analytics.subsets.curate import curate
    from analytics.subsets.recipe import Recipe

    fill(lake, rows_of("mp")[::2])
    curate(lake, Recipe("salts"))
    train(lake, dataset(lake, Selection(TARGET, subset="salts")), ModelSpec("forest", model={"n_estimators": 4}),
          name="fe-salts")
    return lake


def artifact(key: str) -> tuple[list[dict[str, Any]], str]:
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    return json.loads(str(found.data)), str(found.description)


def test_the_flow_retrains_what_changed_and_shows_every_decision(prefect_server: str, trained: Lake) -> None:
    root = trained.root.uri
    assert parts.retrain(root=root) == []
    (first,) = parts.retrain(["fe-salts"], root=root)
    assert (first["champion_id"], first["decision"]) == ("fe-salts.1", 1)
    assert parts.retrain(root=root)[0]["decision"] is None
    fill(trained, rows_of("mp"))
    assert parts.retrain(curate=False, root=root)[0]["decision"] is None
    (outcome,) = parts.retrain(margin=0.5, root=root)
    assert outcome["decision"] == 2
    assert [row["model_id"] for row in saved(trained, "fe-salts")] == ["fe-salts.1", "fe-salts.2"]
    rows, description = artifact("retrain-fe-salts")
    assert [row["challenger_id"] for row in rows] == ["fe-salts.2", "fe-salts.1"]
    assert description == outcome["message"]
    assert champion_id(trained, "fe-salts") == outcome["champion_id"]
    with pytest.raises(InputError, match=r"1 of 2 could not be retrained.*no model 'unheard'"):
        parts.retrain(["unheard", "fe-salts"], root=root)


def test_the_command_says_what_it_did(trained: Lake) -> None:
    def matlake(*words: str) -> Any:
        return CliRunner().invoke(app, ["--root", trained.root.uri, *words], catch_exceptions=False)

    assert "No model is under retraining" in matlake("retrain").stderr
    assert "Nothing to do" in matlake("retrain", "fe-salts").stdout
    fill(trained, rows_of("mp"))
    assert "fe-salts.2" in matlake("retrain").stdout
    listed = json.loads(matlake("sql", "retraining", "--format", "json").stdout)
    assert [row["decision"] for row in listed] == [2, 1]
    with pytest.raises(InputError, match="share"):
        matlake("retrain", "--margin", "3")
