"""`matlake fingerprint` as its users meet it, on real records of three databases."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from in_process import matlake

from lake.ingest.run import ingest
from lake.store.lake import Lake

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fingerprints")
    lake = Lake.open(str(folder / "lake"))
    for source, place in (("nomad", "nomad/archive-h-BN"), ("mp", "mp/dos"), ("aflow", "aflow/dos")):
        ingest(lake, source, saved=[str(SAMPLES / place)])
    return folder


def test_counts_add_up_and_the_second_time_nothing_is_done(folder: Path) -> None:
    n = {row["source"] for row in Lake.open(str(folder / "lake")).read("dos", ["source"]).to_pylist()}
    assert n == {"aflow", "mp", "nomad"}
    done = matlake("--root", "lake", "fingerprint", "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    [shown] = json.loads(done.stdout)
    lake = Lake.open(str(folder / "lake"))
    assert shown["n_calculations"] == shown["new"] == lake.read("dos", ["source"]).num_rows
    assert shown["comparable"] + shown["set_aside"] == shown["n_calculations"]
    assert sum(shown["reasons"].values()) == shown["set_aside"]
    made = lake.read("fingerprints", ["calculation_id", "counts", "source"]).to_pylist()
    # the convergence series of h-BN is whole
    assert sum(row["source"] == "nomad" and row["counts"] is not None for row in made) == 112
    again = matlake("--root", "lake", "fingerprint", cwd=folder)
    assert again.returncode == 0, again.stderr
    n_rows = shown["n_calculations"]
    assert again.stdout.startswith(
        f"dos-reference: {n_rows} densities of states = 0 new + 0 changed + {n_rows} unchanged = "
    )
    for reason, count in shown["reasons"].items():
        assert f"  set aside {count}: {reason}" in again.stdout


def test_several_grids_a_condition_and_csv(folder: Path) -> None:
    done = matlake(
        "--root", "lake", "fingerprint", "--grid", "all", "--grid-param", "window_max_ev=8", "--where",
        "source = 'nomad'", "--format", "csv", cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["grid_id"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    [own] = set(rows) - {"dos-reference", "dos-paper", "composition", "structure"}
    assert own.startswith("dos-")
    assert rows[own]["new"] == rows["dos-paper"]["new"] == rows["structure"]["comparable"] == "112"
    asked = matlake("--root", "lake", "sql", "fingerprint_counts", "--format", "json", cwd=folder)
    counted = {(row["grid_id"], row["reason"]): row["n_calculations"] for row in json.loads(asked.stdout)
               if row["source"] == "nomad"}
    assert counted[own, None] == 112
    by_id = matlake("--root", "lake", "fingerprint", "--grid", own, "--where", "source = 'nomad'", cwd=folder)
    assert "112 unchanged" in by_id.stdout


@pytest.mark.parametrize(("words", "said"), [
    (["--grid", "nix"], "There is no grid 'nix'. Grids: reference, paper, composition, structure"),
    (["--grid-param", "window_max_ev"], "give it as name=number"),
    (["--where", "nothing = 3"], "is no condition on the table calculations"),
    (["--minimum-coverage", "2"], "minimum_coverage is 2.0"),
    (["--format", "xml"], "one of table, json, csv, parquet"),
])
def test_what_cannot_be_done_is_one_message(folder: Path, words: list[str], said: str) -> None:
    done = matlake("--root", "lake", "fingerprint", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    done = matlake("--root", "lake", "fingerprint", cwd=tmp_path)
    assert done.returncode == 0
    assert "matlake ingest" in done.stdout
    assert not (tmp_path / "lake").exists()
