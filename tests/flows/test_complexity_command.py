"""`matlake complexity` as its users meet it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from in_process import matlake

from lake.ingest.run import ingest
from lake.settings import load_settings
from lake.store.lake import Lake

REPO = Path(__file__).parents[2]
QUIET = {"MATLAKE_TRACKING_URI": "off", "MATLAKE_ROOT": "lake"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with 60 real records of AFLOW, with gaps."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("complexity")
    lake = Lake.open(str(folder / "lake"), load_settings(workers=1))
    ingest(lake, "aflow", saved=[str(REPO / "samples/aflow/aflux/page-001.json.gz")], limit=60)
    return folder


def test_an_empty_lake_has_nothing_to_measure(tmp_path: Path) -> None:
    done = matlake("complexity", "--format", "json", cwd=tmp_path, **QUIET)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "no models yet" in done.stderr


def test_the_paper_s_study_runs_on_any_lake_and_its_models_are_measured_and_matched(folder: Path) -> None:
    words = ("complexity", "--study", "forest-against-network", "--sizes", "400", "--steps", "20", "--tolerance", "0.5")
    done = matlake(*words, "--format", "json", cwd=folder, **QUIET)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {row["kind"] for row in rows} == {"forest", "mlp"}
    assert len(rows) == 4
    assert all(row["complexity"] == row["n_parameters"] and row["comparison"] == 1 for row in rows)
    assert "the paper had 61,898 of AFLOW" in done.stderr
    assert "4 models were trained" in done.stderr
    again = matlake(*words, "--a", "0", "--c", "2", "--format", "json", cwd=folder, **QUIET)
    assert "0 models were trained" in again.stderr
    for row in json.loads(again.stdout):
        assert row["complexity"] == row["n_linear"] + 2 * row["n_nonlinear"]
    measured = matlake("complexity", "--match", "--tolerance", "0.5", "--format", "csv", cwd=folder, **QUIET)
    names = [row["model_id"] for row in csv.DictReader(measured.stdout.splitlines())]
    assert sorted(names) == sorted(f"forest-against-network-{kind}-{size}.1" for kind in ("forest", "mlp")
                                   for size in ("400", "default"))
    assert "parameters: forest-against-network-forest-400.1" in measured.stderr
    one = matlake("complexity", "forest-against-network-mlp-400", cwd=folder, **QUIET)
    assert one.stdout.count("forest-against-network-") == 1
    asked = matlake("sql", "model_comparisons", "--format", "json", cwd=folder, **QUIET)
    assert {row["comparison"].partition(":")[0] for row in json.loads(asked.stdout)} == {
        "forest-against-network", "lake"}


@pytest.mark.parametrize(("words", "message"), [
    (("no-such",), "no-such"),
    (("--a", "-1"), "a of C(h)"),
    (("--c", "nan"), "c of C(h)"),
    (("--study", "oracle"), "no study 'oracle'"),
    (("--tolerance", "1.5"), "--tolerance"),
    (("--sizes", "many", "--match", "--source", "aflow"), "--sizes"),
    (("--sizes", "100"), "--sizes cannot be used here"),
    (("--table", "x.csv"), "--table cannot be used here"),
    (("--study", "sisso-against-network", "--source", "mp"), "--source cannot be used here"),
    (("--study", "sisso-against-network"), "give --table FILE"),
    (("--study", "forest-against-network", "--match"), "leave it out"),
    (("forest", "--match", "--source", "aflow"), "leave one of them out"),
    (("--match", "--source", "aflow", "--kinds", "forest"), "two different"),
    (("--format", "xml"), "--format"),
])
def test_what_cannot_be_done_is_said(folder: Path, words: tuple[str, ...], message: str) -> None:
    done = matlake("complexity", *words, cwd=folder, **QUIET)
    assert done.returncode != 0
    assert message in done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr
