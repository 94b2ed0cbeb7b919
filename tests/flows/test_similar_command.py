"""`matlake similar` as its users meet it: one calculation, all pairs, one material, and every mistake."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_process import matlake
from test_cli import REPO

from lake.settings import load_settings
from lake.store.lake import Lake
from lake.tables import TABLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the first page of the series of h-BN, fingerprints of it, and one more that is set aside."""
    from analytics.fingerprints import kinds
    from analytics.fingerprints.build import build
    from lake.ingest.run import ingest

    folder = tmp_path_factory.mktemp("similar")
    lake = Lake.open(str(folder / "lake"), load_settings(workers=1))
    ingest(lake, "nomad", saved=[str(REPO / "samples/nomad/archive-h-BN/page-001.json.gz")])
    put_one_more(lake, "nomad/aside", reference_level=None)
    build(lake)
    build(lake, kinds.find("composition"))
    return folder


def put_one_more(lake: Lake, name: str, **more: object) -> None:
    """Another calculation of h-BN, with the density of one that is there."""
    for table in ("calculations", "dos"):
        row = lake.read(table).to_pylist()[0]
        chosen = {k: v for k, v in more.items() if table == "dos"}
        row |= {"calculation_id": name, "source_id": name.split("/")[1], "source": name.split("/")[0]} | chosen
        lake.upsert(table, pa.Table.from_pylist([row], schema=TABLES[table].schema))


def ids(folder: Path) -> list[str]:
    rows = Lake.open(str(folder / "lake")).read("fingerprints").to_pylist()
    return sorted(r["calculation_id"] for r in rows if r["grid_id"] == "dos-reference" and r["counts"] is not None)


def test_to_one_calculation(folder: Path) -> None:
    one, n = ids(folder)[0], len(ids(folder))
    done = matlake("--root", "lake", "similar", "--to", one, "-k", "3", "--format", "json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert [row["rank"] for row in shown] == [1, 2, 3]
    assert one not in {row["calculation_id"] for row in shown}
    for row in shown:
        assert row["aligned_similarity"] >= row["similarity"]
        assert (row["reduced_key"], row["source"], len(row["k_grid"])) == ("BN_194", "nomad", 3)
    table = matlake("--root", "lake", "similar", "--to", one, "--not-aligned", cwd=folder, COLUMNS="200")
    assert table.returncode == 0, table.stderr
    assert f"{min(10, n - 1)} rows" in table.stderr
    assert all(row["calculation_id"] in table.stdout for row in shown)
    assert "×" in table.stdout
    assert "aligned" not in table.stdout
    files = matlake("--root", "lake", "similar", "--to", one, "--grid", "composition", "-o", "top.csv", "--format",
                    "csv", cwd=folder)
    assert (files.returncode, files.stdout) == (0, "")
    rows = list(csv.DictReader((folder / "top.csv").open()))
    assert {row["similarity"] for row in rows} == {"1.0"}
    assert len(rows) == min(10, n)


def test_all_pairs_and_what_to_ask_next(folder: Path) -> None:
    from analytics.similarity.block import block_of

    done = matlake("--root", "lake", "similar", "--threshold", "0.7", cwd=folder)
    assert done.returncode == 0, done.stderr
    block = block_of(Lake.open(str(folder / "lake")), "BN_194", "dos-reference", aligned=False)
    above = np.argwhere(np.triu(block.similarity, 1) >= 0.7)
    expected = {(block.ids[i], block.ids[j]): block.similarity[i, j] for i, j in above}
    assert expected
    assert f"{len(block.ids)} fingerprints" in done.stdout
    assert "in this process" in done.stdout
    for following in ("matlake cluster --threshold 0.7", "matlake sql similar_pairs"):
        assert following in done.stdout
        asked = matlake("--root", "lake", *following.split()[1:], "--format", "json", cwd=folder)
        assert asked.returncode == 0, asked.stderr
    found = {(row["left_id"], row["right_id"]): row["similarity"] for row in json.loads(asked.stdout)}
    assert found == pytest.approx(expected)
    again = matlake("--root", "lake", "similar", "-t", "0.7", "--format", "json", cwd=folder)
    [shown] = json.loads(again.stdout)
    assert shown["is_new"] is False
    assert shown["n_pairs"] + shown["n_identical"] <= len(expected)
    assert shown["n_representatives"] + shown["n_identical"] + shown["n_near"] == shown["n_fingerprints"]
    folded = matlake("--root", "lake", "similar", "-t", "0.7", "--fold-above", "2", "--fold-similarity", "0.8",
                     "--workers", "1", "--format", "json", cwd=folder)
    assert json.loads(folded.stdout)[0]["n_near"] > 0
    whole = matlake("--root", "lake", "similar", "-t", "0.7", "--no-fold", "--aligned", "--where", "here", cwd=folder)
    assert "0 folded" in whole.stdout


def test_a_run_that_finds_nothing_says_so(folder: Path, tmp_path: Path) -> None:
    lake = Lake.open(str(tmp_path / "lake"))
    rows = [
        {"calculation_id": f"x/{n}", "grid_id": "dos-reference", "source": "x", "kind": "dos", "total": 40,
         "counts": [40 * (place == n) for place in range(144)], "start_interval": 0, "stop_interval": 144,
         "input_sha256": "a"} for n in range(3)
    ]
    lake.upsert("fingerprints", pa.Table.from_pylist(rows, schema=TABLES["fingerprints"].schema))
    done = matlake("--root", "lake", "similar", "--threshold", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dos-reference: 0 pairs from 0.5 on")
    assert "try a lower --threshold" in done.stdout


def test_within_a_material(folder: Path) -> None:
    names = ids(folder)
    n = len(names)
    done = matlake("--root", "lake", "similar", "--within", "BN_194", "--format", "parquet", "-o", "w.parquet",
                   cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"BN_194 on dos-reference: {n} calculations, 1 set aside" in done.stderr
    assert "nomad/aside: no_reference_level" in done.stderr
    table = pq.read_table(folder / "w.parquet")
    assert table.column_names == ["left_id", "right_id", "similarity", "aligned_similarity", "aligned_shift_ev"]
    assert table.num_rows == n * (n - 1) // 2
    assert all(row["left_id"] < row["right_id"] for row in table.to_pylist())
    shown = matlake("--root", "lake", "similar", "--within", "B2N2_194", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert "at the best shift" in shown.stdout
    plain = matlake("--root", "lake", "similar", "--within", "BN_194", "--grid", "composition", "--format", "csv",
                    cwd=folder)
    rows = list(csv.DictReader(io.StringIO(plain.stdout)))
    assert len(rows) == n * (n + 1) // 2
    assert {(row["similarity"], row["aligned_similarity"]) for row in rows} == {("1.0", "")}


def test_few_calculations_are_a_matrix(folder: Path, tmp_path: Path) -> None:
    whole, few = Lake.open(str(folder / "lake")), Lake.open(str(tmp_path / "lake"))
    names = ids(folder)[:3]
    for table in ("calculations", "dos", "fingerprints"):
        rows = [row for row in whole.read(table).to_pylist()
                if row["calculation_id"] in names and row.get("grid_id", "dos-reference") == "dos-reference"]
        few.upsert(table, pa.Table.from_pylist(rows, schema=TABLES[table].schema))
    done = matlake("--root", "lake", "similar", "--within", "BN_194", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = matlake("--root", "lake", "similar", "--within", "BN_194", "--format", "json", cwd=tmp_path)
    pairs = json.loads(listed.stdout)
    assert len(pairs) == 3
    cells = [line.strip("│").split("│") for line in done.stdout.splitlines() if line.startswith("│") and "·" in line]
    matrix = [[cell.strip() for cell in row[1:]] for row in cells if len(row) == 4]
    assert [row[i] for i, row in enumerate(matrix)] == ["·"] * 3
    above = sorted(matrix[i][j] for i, j in ((0, 1), (0, 2), (1, 2)))
    below = sorted(matrix[j][i] for i, j in ((0, 1), (0, 2), (1, 2)))
    assert above == sorted(f"{pair['similarity']:.2f}" for pair in pairs)
    assert below == sorted(f"{pair['aligned_similarity']:.2f}" for pair in pairs)


def test_what_came_later_is_a_hint(folder: Path, tmp_path: Path) -> None:
    from shutil import copytree

    copytree(folder / "lake", tmp_path / "lake")
    put_one_more(Lake.open(str(tmp_path / "lake")), "x/later")
    done = matlake("--root", "lake", "similar", "--to", ids(folder)[0], "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)
    assert "1 densities of states of the lake have no fingerprint on dos-reference so far" in done.stderr
    assert "matlake fingerprint --grid dos-reference" in done.stderr
    asked = matlake("--root", "lake", "similar", "--to", "x/later", cwd=tmp_path)
    assert asked.returncode == 1
    assert "x/later has no fingerprint on the grid dos-reference so far" in asked.stderr


@pytest.mark.parametrize(("words", "said"), [
    ((), "One of --to CALCULATION_ID, --threshold SIMILARITY and --within KEY is needed; none was given"),
    (("--to", "a", "--within", "b"), "not --to and --within together"),
    (("--to", "a", "--no-fold", "--where", "here"), "--no-fold, --where: only with --threshold, not with --to"),
    (("--within", "BN_194", "-k", "3"), "-k: only with --to, not with --within"),
    (("--threshold", "0.9", "--no-fold", "--fold-above", "5"), "leave one of them out"),
    (("--to", "nomad/aside"), "was set aside on the grid dos-reference, no_reference_level"),
    (("--to", "nomad/asyde"), "Close ones: nomad/aside"),
    (("--to", "nomad/aside", "-k", "0"), "at least 1"),
    (("--threshold", "0"), "above 0 and up to 1"),
    (("--threshold", "0.9", "--grid", "paper"), "run matlake fingerprint --grid dos-paper"),
    (("--threshold", "0.9", "--where", "moon"), "Work cannot be done at 'moon'"),
    (("--threshold", "0.1", "--most-pairs", "1"), "More than 1 pairs"),
    (("--threshold", "0.9", "--grid", "composition", "--aligned"), "only densities of states can be shifted"),
    (("--within", "BN_195"), "Close ones: BN_194"),
    (("--within", "BN_194", "--grid", "paper"), "matlake fingerprint --grid dos-paper"),
    (("--within", "BN_194", "--grid", "nix"), "There is no grid 'nix'"),
    (("--within", "BN_194", "--format", "xml"), "one of table, json, csv, parquet"),
])
def test_mistakes_end_as_one_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...],
    said: str,
) -> None:
    from flows.cli import main

    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main(["--root", "lake", "similar", *words])
    shown = capsys.readouterr()
    assert (left.value.code, shown.out) == (1, "")
    assert shown.err.count("matlake: ") == 1
    assert said in shown.err
