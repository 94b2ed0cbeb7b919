"""Retraining on small lakes: nothing to do, a better challenger, a worse one, interrupted, and what cannot be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from training_lakes import fill, put_subset, rows_of

from lake.errors import InputError
from lake.store.lake import Lake
from ml.data import Selection, dataset
from ml.registry import find, saved
from ml.registry.champion import champion_id, history
from ml.retrain.retrain import retrain
from ml.spec import ModelSpec
from ml.train import train

SPEC = ModelSpec("forest", model={"n_estimators": 8})
TARGET = "formation_energy_ev_per_atom"


def subset(lake: Lake, rows: list[dict[str, Any]], version: int, spoil: float = 0.0) -> None:
    """A version of the subset `all`; spoil: added to every second energy."""
    members = [(row, row[TARGET] + spoil * (n % 2)) for n, row in enumerate(rows)]
    put_subset(lake, "all", version, members, correct="ours")


@pytest.fixture
def trained(lake: Lake) -> Lake:
    """A lake with one subset and one model of it."""
    rows = rows_of("mp")
    fill(lake, rows)
    subset(lake, rows[::2], 1)
    train(lake, dataset(lake, Selection(TARGET, subset="all")), SPEC, name="fe")
    return lake


def test_the_first_time_the_newest_model_becomes_champion_and_nothing_is_trained(trained: Lake) -> None:
    outcome = retrain(trained, "fe")
    assert outcome.champion_id == "fe.1" == champion_id(trained, "fe")
    assert "Nothing to do" in outcome.message
    assert len(saved(trained, "fe")) == 1
    again = retrain(trained, "fe")
    assert again.decision is None
    assert len(history(trained, "fe")) == 1


def test_a_new_version_with_the_same_rows_is_nothing_new(trained: Lake) -> None:
    retrain(trained, "fe")
    subset(trained, rows_of("mp")[::2], 2)
    assert retrain(trained, "fe").decision is None
    assert len(saved(trained, "fe")) == 1


def test_more_data_make_a_challenger_that_is_promoted(trained: Lake) -> None:
    retrain(trained, "fe")
    subset(trained, rows_of("mp"), 2)
    outcome = retrain(trained, "fe", margin=0.5)
    assert outcome.decision is not None
    assert (outcome.decision["champion_id"], outcome.decision["challenger_id"]) == ("fe.1", "fe.2")
    assert (outcome.decision["champion_subset_version"], outcome.decision["challenger_subset_version"]) == (1, 2)
    assert outcome.decision["difference"] == pytest.approx(
        outcome.decision["challenger_mae"] - outcome.decision["champion_mae"]
    )
    assert outcome.decision["promoted"] == (outcome.decision["difference_high"] <= outcome.decision["margin"])
    stays = "fe.2" if outcome.decision["promoted"] else "fe.1"
    assert outcome.champion_id == find(trained, "fe")["model_id"] == stays
    assert "Nothing to do" in retrain(trained, "fe").message
    assert len(saved(trained, "fe")) == 2


def test_a_worse_challenger_is_turned_down_and_not_trained_again(trained: Lake) -> None:
    """The recipe stays, the data are spoilt in the training rows alone: the challenger must lose."""
    retrain(trained, "fe")
    rows = rows_of("mp")[::2]
    split = {row["calculation_id"]: row["split"]
             for row in dataset(trained, Selection(TARGET, subset="all")).rows.to_pylist()}
    members = [(row, row[TARGET] + (5.0 if split[row["calculation_id"]] == "train" else 0.0)) for row in rows]
    put_subset(trained, "all", 2, members, correct="ours")
    outcome = retrain(trained, "fe")
    assert outcome.decision is not None
    assert outcome.decision["promoted"] is False
    assert outcome.champion_id == champion_id(trained, "fe") == find(trained, "fe")["model_id"] == "fe.1"
    assert len(saved(trained, "fe")) == 2
    assert "turned down" in retrain(trained, "fe").message
    assert len(saved(trained, "fe")) == 2


def test_a_run_that_died_before_its_decision_is_taken_up(
    trained: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ml.retrain.challenge as work

    retrain(trained, "fe")
    subset(trained, rows_of("mp"), 2)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(work, "compare", die)
        with pytest.raises(KeyboardInterrupt):
            retrain(trained, "fe")
    assert len(saved(trained, "fe")) == 2
    assert champion_id(trained, "fe") == "fe.1" == find(trained, "fe")["model_id"]
    outcome = retrain(trained, "fe")
    assert outcome.decision is not None
    assert outcome.decision["challenger_id"] == "fe.2"
    assert len(saved(trained, "fe")) == 2


def test_materials_that_the_champion_learned_from_judge_nobody(lake: Lake) -> None:
    """Another split seed puts some of the champion's training materials among the test rows: they are left out."""
    from ml.registry import load
    from ml.retrain.compare import compare

    rows = rows_of("mp")
    fill(lake, rows)
    one = Selection(TARGET, where="true")
    champion = train(lake, dataset(lake, one), SPEC, name="fe").model
    other = dataset(lake, replace(one, split_seed=1))
    challenger = train(lake, other, SPEC, name="fe").model
    found = compare(lake, other, load(lake, champion.model_id), challenger)
    learned = {row["material_key"] for row in lake.read("predictions").to_pylist()
               if row["model_id"] == champion.model_id and row["split"] != "test"}
    test = other.rows.take(other.places("test"))["material_key"].to_pylist()
    assert found.n_seen == sum(key in learned for key in test) > 0
    assert found.n + found.n_seen + found.n_unknown == len(test)


def test_what_cannot_be_retrained_says_why(trained: Lake) -> None:
    with pytest.raises(InputError, match="no model 'unheard'"):
        retrain(trained, "unheard")
    with pytest.raises(InputError, match="share"):
        retrain(trained, "fe", margin=2)
    data = dataset(trained, Selection(TARGET, subset="all"))
    train(trained, data.with_targets(data.actual + 1), SPEC, name="shifted", road="corrected")
    with pytest.raises(InputError, match="curate a subset with --correct"):
        retrain(trained, "shifted")
    assert history(trained) == []
