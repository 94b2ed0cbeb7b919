"""`matlake predict` as its users meet it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from test_cli import REPO

from flows.cli import main
from lake.ingest.run import ingest
from lake.settings import default_settings, load_settings
from lake.store.lake import Lake
from ml.data import Selection, dataset
from ml.spec import ModelSpec
from ml.train import train

QUICK = {"steps": 20, "batch_size": 16, "evaluate_every": 10, "device": "cpu", "threads": 1}
SPECS = {
    "several": ModelSpec("schnet", {"channels": 8, "steps": 1, "n_rbf": 8}, QUICK, n_members=2,
                         inputs=("plus_u", "cutoff_ev")),
    "alone": ModelSpec("mlp", {"hidden": [4]}, QUICK),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with 150 materials of MP, a subset of them, and two models."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("predict")
    lake = Lake.open(str(folder / "lake"), load_settings(workers=1, tracking_uri="off"))
    ingest(lake, "mp", saved=[str(sorted((REPO / "samples/mp/summary").glob("*.json.gz"))[0])], limit=150)
    rows = dataset(lake, Selection("formation_energy_ev_per_atom"))
    for name, spec in SPECS.items():
        train(lake, rows, spec, name=name)
    oxide = Structure(Lattice.cubic(4.2), ["Mg", "Mg", "Mg", "Mg", "O", "O", "O", "O"], [
        [0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    oxide.to(str(folder / "MgO.cif"))
    oxide.replace_species({"Mg": "Es"}, in_place=False).to(str(folder / "EsO.cif"))
    oxide.scale_lattice(20)
    oxide.to(str(folder / "POSCAR"))
    (folder / "bad.cif").write_text("rubbish")
    return folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATLAKE_TRACKING_URI", "off")
    default_settings.cache_clear()


@pytest.fixture
def matlake(folder: Path, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in this process; what it wrote to stdout and stderr, and how it ended."""
    def run(*words: str, at: Path | None = None) -> tuple[str, str, int]:
        capfd.readouterr()
        status = 0
        try:
            main(["--root", str(at or folder / "lake"), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        shown = capfd.readouterr()
        return shown.out, shown.err, status

    return run


def test_a_file_is_predicted_with_uncertainty_level_and_unit(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    out, said, status = matlake("predict", "several", "--on", str(folder / "MgO.cif"), "--format", "json")
    assert status == 0
    (row,) = json.loads(out)
    assert row["calculation_id"] == str(folder / "MgO.cif")
    assert (row["formula_reduced"], row["unit"]) == ("MgO", "eV/atom")
    assert row["low"] < row["predicted"] < row["high"]
    assert row["uncertainty"] > 0
    assert "several.1: formation energy in eV/atom, referring to" in said
    assert "learned from mp" in said
    assert "calibrated standard deviations; 90 % of values" in said
    assert "at the level of plus_u" in said
    assert "(what is not given is what most training rows have)" in said


def test_good_files_are_predicted_beside_bad_ones_which_are_named(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    words = [str(folder / name) for name in ("MgO.cif", "bad.cif", "EsO.cif", "POSCAR", "gone.cif")]
    out, said, status = matlake("predict", "several", "--on", *words, "--format", "csv")
    assert status == 1
    lines = out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["calculation_id", words[0], words[3]]
    assert "covalent radii" in lines[2]
    assert "3 of 5 structures were not predicted:" in said
    assert f"{words[1]}: cannot be read as CIF" in said
    assert f"{words[2]}: holds Es, which the model has never seen: nothing is predicted." in said
    assert f"{words[4]}: cannot be read: No such file" in said
    assert "lie outside what the model has seen" in said
    out, said, status = matlake("predict", "alone", "--on", str(folder / "EsO.cif"))
    assert (out, status) == ("", 1)
    assert "Nothing was predicted." in said
    assert "holds Es" in said


def test_a_model_of_one_member_says_how_to_get_uncertainties(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    out, said, status = matlake("predict", "alone.1", str(folder / "MgO.cif"))
    assert status == 0
    assert "matlake train … --members 4" in said
    assert "eV/atom" in out


def test_calculations_are_predicted_with_errors_and_kept(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    lake = Lake.open(str(folder / "lake"))
    target = folder / "found.parquet"
    out, said, status = matlake("predict", "several", "--where", "n_sites < 20", "--save", "--format", "parquet",
                                "--output", str(target))
    assert (out, status) == ("", 0)
    table = pq.read_table(io.BytesIO(target.read_bytes()))
    assert {"actual", "error", "split", "outside", "uncertainty"} <= set(table.column_names)
    for row in table.to_pylist():
        if None in (row["actual"], row["predicted"]):
            assert row["error"] is None
        else:
            assert row["error"] == pytest.approx(row["predicted"] - row["actual"])
    assert "on" in said
    assert "calculations of materials that it was trained on" in said
    assert "of other materials" in said
    assert "rows are kept in predictions" in said
    kept = lake.read("predictions", where="model_id = 'several.1'")
    before = kept.num_rows
    known = {row["calculation_id"]: row["predicted"] for row in kept.to_pylist()}
    for row in table.to_pylist():
        assert row["predicted"] is None or known[row["calculation_id"]] == pytest.approx(row["predicted"], abs=1e-5)
    matlake("predict", "several", "--where", "n_sites < 20", "--save", "--format", "csv")
    assert lake.read("predictions", where="model_id = 'several.1'").num_rows == before


def test_a_subset_is_predicted_by_name(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    _, said, status = matlake("curate", "small", "--where", "n_sites < 10")
    assert status == 0, said
    out, said, status = matlake("predict", "alone", "--on", "small", "--format", "json")
    assert status == 0, said
    n = Lake.open(str(folder / "lake")).read("subset_members", where="subset = 'small'").num_rows
    assert len(json.loads(out)) == n > 10


def test_a_folder_is_a_model_without_any_lake(matlake, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert matlake("models", "several", "--export", str(tmp_path / "model"))[2] == 0
    words = ("--on", str(folder / "MgO.cif"), "--format", "csv")
    elsewhere = matlake("predict", str(tmp_path / "model"), *words, at=tmp_path / "none")
    assert elsewhere[2] == 0, elsewhere[1]
    assert elsewhere[0] == matlake("predict", "several", *words)[0]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("words", "message"), [
    ((), "Predict for what?"), (("--on", "nosuch"), "There is no subset 'nosuch'"),
    (("--on", "no/such.cif"), "neither a file nor a subset"),
    (("--on", "{folder}/MgO.cif", "--save"), "--save keeps predictions of calculations of the lake"),
    (("--on", "{folder}/MgO.cif", "--where", "true"), "leave one of them out"),
    (("--on", "{folder}/MgO.cif", "--source", "aflow"), "does not take source as an input; it takes plus_u, cutoff_ev"),
    (("--on", "{folder}/MgO.cif", "--input", "plus_u"), "give it as NAME=VALUE"),
    (("--on", "{folder}/MgO.cif", "--input", "cutoff_ev=high"), "is no number"),
    (("--where", "nonsense ="), "condition"), (("--where", "n_sites > 100000"), "no calculation to predict for"),
    (("--on", "{folder}/MgO.cif", "--format", "xml"), "--format"),
])
def test_what_cannot_be_meant_is_said(matlake, folder: Path, words: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    out, said, status = matlake("predict", "several", *(word.format(folder=folder) for word in words))
    assert (out, status) == ("", 1)
    assert message in said


def test_a_model_that_is_not_there_is_said(matlake, folder: Path) -> None:  # type: ignore[no-untyped-def]
    out, said, status = matlake("predict", "severl", "--on", str(folder / "MgO.cif"))
    assert (out, status) == ("", 1)
    assert "Is several meant?" in said


def test_the_standard_input_is_read(matlake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    read, write = os.pipe()
    os.write(write, (folder / "MgO.cif").read_bytes())
    os.close(write)
    with os.fdopen(read) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        out, said, status = matlake("predict", "alone", "--on", "-", "--format", "json")
    assert status == 0, said
    assert json.loads(out)[0]["formula_reduced"] == "MgO"
