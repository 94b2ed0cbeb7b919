"""The demo's steps on similarity: on records, on a lake without densities of states, and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.demo_similarity import DOS_GRID, PAIRS_FROM, run_similarity
from lake.ingest.run import ingest
from lake.settings import load_settings
from lake.store.lake import Lake

SAMPLES = Path(__file__).parents[1] / "data" / "servers"


def lake_of(folder: Path, *sources: str) -> Lake:
    lake = Lake.open(str(folder), load_settings(workers=1, dask_workers=1))
    for source in sources:
        ingest(lake, source, saved=[str(SAMPLES / source)])
    return lake


def test_every_step_says_what_it_did(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lake = lake_of(tmp_path / "lake", "aflow", "mp", "nomad")
    run_similarity(lake, first=3)
    said = capfd.readouterr().out
    for number, name in enumerate(("Fingerprint", "Similar", "Convergence", "Curate"), start=3):
        assert f"{number}  {name}" in said
    with lake.connect() as connection:
        counts = connection.execute(
            "select count(*), count(counts) from fingerprints where grid_id = ?", [DOS_GRID]).fetchall()[0]
        n_dos = connection.execute("select count(*) from dos").fetchall()[0][0]
        lowest = connection.execute("select min(similarity) from similarities").fetchall()[0][0]
        subsets = connection.execute("select subset, n_members from subsets").fetchall()
    assert counts[0] == n_dos > 2
    assert f"{n_dos:,} densities of states" in said
    assert f"{counts[1]:,} comparable" in said
    assert lowest is None or lowest >= PAIRS_FROM
    assert subsets
    for name, _ in subsets:
        assert f"{name} version 1" in said
    run_similarity(lake)
    assert "0 new + 0 changed" in capfd.readouterr().out
    assert lake.versions()["subsets"] == len(subsets)


def test_a_lake_without_densities_of_states_is_told_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_similarity(lake_of(tmp_path / "lake", "mp"))
    said = capfd.readouterr().out
    assert "no densities of states" in said or "No density of states" in said
    assert "No material has two comparable densities of states." in said


def test_an_empty_lake_is_no_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_similarity(lake_of(tmp_path / "lake"))
    said = capfd.readouterr().out
    assert "No density of states can be compared" in said
    assert "leaves no calculation" in said or "There are no calculations" in said
