"""`matlake transfer` and the flow of that name, on two small databases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flows.cli import main
from flows.transfer_levels import corrections_of
from flows.transfer_request import request_of, settings_of
from lake.errors import InputError, SettingsError
from lake.store.lake import Lake
from ml.data import Selection, dataset
from tests.conftest import quick_settings
from tests.ml import training_lakes as made
from tests.ml import transfer_lakes as lakes

QUICK = ("--model", "forest", "--steps", "5", "--workers", "1")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("transfer")
    return lakes.filled(Lake.open(str(folder / "lake"), quick_settings()))


def matlake(*words: str) -> object:
    """Run the command; its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code


def test_the_matrix_for_people_and_for_programs(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert matlake("transfer", "--root", lake.root.uri, *QUICK, "--roads", "own,corrected") == 0
    shown = capsys.readouterr()
    assert "trained on" in shown.out
    assert "large+small, corrected targets" in shown.out
    assert "• small: the model of corrected targets has an MAE of" in shown.out
    assert "3 of 3 models trained" in shown.err
    assert "40 materials are in two or more" in shown.err
    matlake("transfer", "--root", lake.root.uri, *QUICK, "--roads", "own,corrected", "--format", "json")
    again = capsys.readouterr()
    rows = json.loads(again.out)
    assert {(row["road"], row["trained_on"]) for row in rows} == {
        ("own", "large"), ("own", "small"), ("corrected", "large+small")
    }
    assert "nothing to train" in again.err
    matlake("sql", "transfer_errors", "--root", lake.root.uri, "--format", "json", "-p", "slice_kind=common")
    kinds = {(row["evaluated_on"], row["slice"]) for row in json.loads(capsys.readouterr().out)}
    assert ("small", "in common") in kinds


@pytest.mark.parametrize(("options", "message"), [
    (["--sources", "large"], "large is one alone"),
    (["--sources", "large,mp"], "no calculations of mp"),
    (["--sources", "large,small,large"], "given twice"),
    (["--target", "band_gap"], "Is band_gap_ev meant"),
    (["--roads", "own,bridge"], "no road bridge"),
    (["--model", "magic"], "no kind of model"),
    (["--where", "source = 'large'"], r"two databases are needed. Databases that have some: large"),
    (["--set", "learning_rate"], "give it as path=value"),
    (["--format", "xml"], "xml"),
])
def test_what_cannot_be_done_is_said_at_once(
    lake: Lake, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert matlake("transfer", "--root", lake.root.uri, *QUICK, *options) == 1
    said = capsys.readouterr()
    assert re.search(message, said.err)
    assert said.out == ""


def test_shifts_are_fitted_to_training_rows_alone(lake: Lake) -> None:
    data = dataset(lake, lakes.request().selection)
    found = corrections_of(data)
    assert not isinstance(found, str)
    assert found.level == "large"
    sources = data.rows["source"].to_pylist()
    held_out = [split != "train" and source == "small" for split, source in
                zip(data.rows["split"].to_pylist(), sources, strict=True)]
    moved = data.actual.copy()
    moved[held_out] += 100.0
    assert corrections_of(data.with_targets(moved)) == found
    corrected = dict(zip(data.rows["calculation_id"].to_pylist(), data.actual + found.added(data.rows), strict=True))
    for name, value in corrected.items():
        if name.startswith("small/"):
            assert value == pytest.approx(corrected[name.replace("small/", "large/")], abs=0.02)
    other = corrections_of(data, "small")
    assert not isinstance(other, str)
    assert set(other.by_source) == {"large"}


def test_a_band_gap_has_no_level_and_strangers_have_none_in_common(lake: Lake, tmp_path: Path) -> None:
    gaps = corrections_of(dataset(lake, Selection("band_gap_ev")))
    assert isinstance(gaps, str)
    assert "no sum over elements" in gaps
    assert "large minus small: median" in gaps
    strangers = [row | {"reduced_key": row["reduced_key"] + "x"} for row in made.rows_of("small")]
    apart = made.fill(Lake.open(str(tmp_path / "lake"), quick_settings()), made.rows_of("large") + strangers)
    found = corrections_of(dataset(apart, lakes.request().selection))
    assert isinstance(found, str)
    assert re.match("no training material is both in (large|small) and in another database", found)


def test_options_become_a_request() -> None:
    found = request_of(target="band_gap_ev", kind="schnet", full=True, steps=7, members=3,
                       settings=settings_of(["model.channels=32", "training.loss=mse"]))
    assert found.spec.training["steps"] == 7
    assert found.spec.training["loss"] == "mse"
    assert found.spec.model["channels"] == 32
    assert found.spec.n_members == 3
    assert request_of(target="band_gap_ev", kind="forest", steps=9).spec.model["n_estimators"] == 9
    with pytest.raises(SettingsError, match="path=value"):
        settings_of(["=1"])
    with pytest.raises(InputError, match="no setting"):
        request_of(target="band_gap_ev", settings={"speed": 1})


def test_the_flow_writes_the_matrix_as_an_artifact(lake: Lake, prefect_server: str) -> None:
    from prefect.artifacts import Artifact

    from flows.transfer import transfer

    found = transfer(kind="forest", steps=5, roads=["own", "corrected"], where="here", root=lake.root.uri)
    assert found["transfer_id"].startswith(lakes.TARGET)
    assert any("corrected targets" in line for line in found["answers"])
    artifact = Artifact.get("transfer-formation-energy-ev-per-atom")
    assert artifact is not None
    assert len(json.loads(str(artifact.data))) == 9
    with pytest.raises(InputError, match="large is one alone"):
        transfer(sources=["large"], root=lake.root.uri)
