"""`matlake convergence` as its users meet it, on the shipped series of h-BN."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from in_process import matlake
from test_cli import REPO

from lake.settings import load_settings
from lake.store.lake import Lake
from lake.tables import TABLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the first page of the series and its fingerprints."""
    from analytics.fingerprints.grid import REFERENCE
    from analytics.fingerprints.histogram import dos_counts
    from analytics.fingerprints.profiles import Profiles
    from lake.ingest.run import ingest

    folder = tmp_path_factory.mktemp("convergence")
    lake = Lake.open(str(folder / "lake"), load_settings(workers=1))
    ingest(lake, "nomad", saved=[str(REPO / "samples/nomad/archive-h-BN/page-001.json.gz")])
    profiles = Profiles.of_table(lake.read("dos"))
    counts, starts, stops = dos_counts(profiles, REFERENCE)
    lake.replace("fingerprints", pa.Table.from_pylist([
        {"calculation_id": name, "grid_id": "dos-reference", "source": "nomad", "kind": "dos",
         "counts": counts[i].tolist(), "start_interval": int(starts[i]), "stop_interval": int(stops[i]),
         "input_sha256": name}
        for i, name in enumerate(profiles.ids)
    ], schema=TABLES["fingerprints"].schema), {"grid_id": "dos-reference"})
    return folder


def test_a_terminal_shows_blocks_importance_and_convergence(folder: Path) -> None:
    done = matlake("--root", "lake", "convergence", "BN_194", "--level", "0.8", cwd=folder)
    assert done.returncode == 0, done.stderr
    for said in ("BN_194 on dos-reference", "12×12×4", "Which setting matters most", "converged at 0.8", "√2"):
        assert said in done.stdout
    assert done.stderr == ""


def test_json_is_complete_and_all_that_stdout_holds(folder: Path) -> None:
    first = matlake("--root", "lake", "convergence", "BN_194", "--format", "json", cwd=folder)
    document = json.loads(first.stdout)
    ids = [row["calculation_id"] for row in document["calculations"]]
    assert len(document["similarity"]) == len(ids) == document["n_calculations"]
    assert {"blocks", "differences", "convergence", "effects", "aligned", "shifts_ev"} <= set(document)
    done = matlake("--root", "lake", "convergence", "B2N2_194", "--pair", ids[0], ids[1], "-o", "study.json",
                   cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    pair = json.loads((folder / "study.json").read_text())["pair"]
    assert (pair["left"]["calculation_id"], pair["right"]["calculation_id"]) == (ids[0], ids[1])
    assert pair["similarity"] == pytest.approx(document["similarity"][0][1], abs=1e-6)
    assert sum(pair["overlap"]) / sum(pair["union"]) == pair["similarity"]


def test_one_pair_is_shown_under_the_tables(folder: Path) -> None:
    ids = Lake.open(str(folder / "lake")).read("fingerprints")["calculation_id"].to_pylist()
    done = matlake("--root", "lake", "convergence", "BN_194", "--pair", ids[0], ids[1], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "One pair in detail" in done.stdout
    assert "shared counts" in done.stdout


def test_a_page_stands_alone(folder: Path) -> None:
    done = matlake("--root", "lake", "convergence", "BN_194", "--output", "study.html", cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    page = (folder / "study.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "BN_194" in page
    assert "src=\"http" not in page


@pytest.mark.parametrize(("words", "said"), [
    (("BN_195",), "BN_194"), (("BN_194", "--level", "0"), "above 0"), (("BN_194", "--format", "csv"), "table, json"),
    (("BN_194", "--output", "x.pdf"), ".html or .json"), (("BN_194", "--grid", "dos-paper"), "matlake fingerprint"),
    (("BN_194", "--pair", "a", "b"), "no calculation 'a'"),
    (("BN_194", "--pair", "a", "b", "-o", "x.html"), "chooses its pairs"),
])
def test_mistakes_end_as_one_message(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = matlake("--root", "lake", "convergence", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("matlake: ")
    assert said in done.stderr
