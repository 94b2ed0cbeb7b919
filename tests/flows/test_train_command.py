"""`matlake train` and `matlake models` as their users meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import REPO

from flows.cli import main
from lake.errors import InputError
from lake.ingest.run import ingest
from lake.settings import default_settings, load_settings
from lake.store.lake import Lake
from ml import registry

SMALL = ("--set", "model.steps=1", "--channels", "8", "--set", "model.n_rbf=8", "--set", "training.evaluate_every=10",
         "--set", "training.threads=1", "--device", "cpu", "--batch-size", "16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with 120 materials of MP and 20 records of AFLOW."""
    folder = tmp_path_factory.mktemp("train")
    lake = Lake.open(str(folder / "lake"), load_settings(workers=1))
    pages = sorted((REPO / "samples/mp/summary").glob("*.json.gz"))
    ingest(lake, "mp", saved=[str(pages[0])], limit=120)
    ingest(lake, "aflow", saved=[str(REPO / "samples/aflow/aflux/page-001.json.gz")], limit=20)
    return folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow, and settings read anew."""
    import torch

    torch.set_num_threads(1)
    monkeypatch.setenv("MATLAKE_TRACKING_URI", "off")
    default_settings.cache_clear()


@pytest.fixture
def matlake(folder: Path, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in this process; what it wrote to stdout and stderr, and how it ended."""
    def run(*words: str) -> tuple[str, str, int]:
        capfd.readouterr()
        status = 0
        try:
            main(["--root", str(folder / "lake"), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        shown = capfd.readouterr()
        return shown.out, shown.err, status

    return run


def test_a_network_is_trained_found_again_and_shown(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    words = ("train", "--source", "mp", "--model", "schnet", "--steps", "20", "--members", "2", "--inputs",
             "source,plus_u", *SMALL)
    out, err, status = matlake(*words, "--format", "json")
    assert status == 0, err
    rows = json.loads(out)
    assert [row["split"] for row in rows] == ["train", "validation", "test"]
    assert {row["unit"] for row in rows} == {"eV/atom"}
    assert "mp-formation-energy-schnet.1: 20 steps" in err
    assert "matlake sql model_errors --param model=mp-formation-energy-schnet.1" in err
    spec = registry.load(Lake.open(str(folder / "lake")), "mp-formation-energy-schnet").spec
    assert (spec.n_members, spec.inputs, spec.model["channels"]) == (2, ("source", "plus_u"), 8)
    out, err, status = matlake(*words)
    assert "nothing was done. --again" in err
    assert "mae_low" in out
    out, _, _ = matlake("models", "--format", "json")
    assert [row["model_id"] for row in json.loads(out)] == ["mp-formation-energy-schnet.1"]
    out, _, _ = matlake("models", "mp-formation-energy-schnet")
    assert out.startswith("# mp-formation-energy-schnet.1")
    out, _, _ = matlake("models", "mp-formation-energy-schnet", "--format", "json")
    assert json.loads(out)["settings_json"]["spec"]["kind"] == "schnet"


def test_settings_of_one_model_make_another_one(matlake, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = ("train", "--where", "n_elements > 1", "--target", "volume_angstrom3_per_atom",
            "--model", "forest", "--steps", "5", "--name", "volumes", "--split", "0.7,0.15,0.15", "--seed", "3")
    _, err, status = matlake(*made)
    assert status == 0, err
    file = tmp_path / "spec.json"
    _, _, status = matlake("models", "volumes", "--spec", "-o", str(file))
    assert status == 0
    _, err, status = matlake("train", "--source", "mp", "--target", "volume_angstrom3_per_atom", "--spec", str(file),
                             "--name", "volumes", "--key", "cell_key", "--split-seed", "4")
    assert status == 0, err
    first, second = registry.saved(Lake.open(str(folder / "lake")), "volumes")
    assert json.loads(first["settings_json"])["spec"] == json.loads(second["settings_json"])["spec"]
    assert (first["sources"], first["road"], second["road"]) == (["aflow", "mp"], "combined", "own")
    assert (second["split_key"], second["split_seed"], second["seed"]) == ("cell_key", 4, 3)
    _, err, status = matlake("models", "volumes.1", "--export", str(tmp_path / "out"))
    assert status == 0, err
    out, err, status = matlake("models", "guest", "--import", str(tmp_path / "out"))
    assert status == 0, err
    assert out.startswith("# guest.1")
    with (tmp_path / "out" / "weights.safetensors").open("r+b") as content:
        content.truncate(1000)
    _, err, status = matlake("models", "guest", "--import", str(tmp_path / "out"))
    assert status == 1
    assert "cut" in err


@pytest.mark.parametrize(("words", "message"), [
    ((), "Train on what? Give --subset NAME"),
    (("--source", "mp", "--target", "gap"), "'gap' cannot be a target"),
    (("--subset", "nobody"), "There is no subset 'nobody'"),
    (("--where", "n_sites > 10000"), "holds no calculation"),
    (("--where", "source"), "is no condition"),
    (("--source", "aflow,mp"), "--mixed-references"),
    (("--source", "mp", "--model", "gpt"), "no kind of model 'gpt'"),
    (("--source", "mp", "--set", "learning_rate"), "give it as path=value"),
    (("--source", "mp", "--set", "rate=1"), "There is no setting 'rate'"),
    (("--source", "mp", "--set", "training.rate=1"), "no setting 'rate'"),
    (("--source", "mp", "--split", "a"), "three numbers with commas"),
    (("--source", "mp", "--inputs", "sorce"), "Is source meant"),
    (("--source", "mp", "--device", "tpu"), "no device 'tpu'"),
    (("--source", "mp", "--name", "My model"), "cannot be the name"),
    (("--source", "mp", "--spec", "nowhere.json"), "cannot be read"),
    (("--source", "mp", "--format", "xml"), "one of table"),
])
def test_mistakes_are_said_before_any_work(matlake, words: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    out, err, status = matlake("train", *words)
    assert (status, out) == (1, "")
    assert message in err


def test_mistakes_about_models(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    for words, message in (
        (("nobody",), "There is no model 'nobody'"), (("--export", "x"), "of which model"),
        (("a", "--export", "x", "--spec"), "give one of them"), (("a", "--import", "nowhere"), "holds no model"),
    ):
        _, err, status = matlake("models", *words)
        assert status == 1
        assert message in err
    with pytest.raises(InputError):
        registry.find(Lake.open(str(folder / "lake")), "a")
