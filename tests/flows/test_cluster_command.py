"""`matlake cluster` as its users meet it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from in_process import matlake

from lake.store.lake import Lake
from lake.tables import TABLES

GRID = "dos-reference"


def put(lake: Lake, name: str, rows: list[dict]) -> int:
    return lake.replace(name, pa.Table.from_pylist(rows, schema=TABLES[name].schema), {"grid_id": GRID})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake in which x/1, x/2 and x/3 are alike and x/4 is not."""
    lake = Lake.open(str(tmp_path / "lake"))
    version = put(lake, "fingerprints", [
        {"calculation_id": f"x/{n}", "grid_id": GRID, "source": "x", "kind": "dos", "counts": [n], "input_sha256": "a"}
        for n in (1, 2, 3, 4)
    ])
    pairs = put(lake, "similarities", [
        {"grid_id": GRID, "left_id": left, "right_id": right, "similarity": value}
        for left, right, value in (("x/1", "x/2", 0.9), ("x/2", "x/3", 0.85), ("x/3", "x/4", 0.5))
    ])
    put(lake, "similarity_runs", [{
        "grid_id": GRID, "threshold": 0.5, "aligned": False, "n_fingerprints": 4, "n_representatives": 4, "n_pairs": 3,
        "fingerprints_version": version, "similarities_version": pairs, "computed_at": datetime(2026, 1, 1, tzinfo=UTC),
    }])
    return tmp_path


def test_clusters_are_stored_and_shown(folder: Path) -> None:
    done = matlake("--root", "lake", "cluster", "--threshold", "0.8", "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    [shown] = json.loads(done.stdout)
    assert (shown["n_members"], shown["center_id"]) == (3, "x/2")
    assert "3 in 1 clusters, 1 single" in done.stderr
    stored = Lake.open(str(folder / "lake")).read("clusters").to_pylist()
    assert [(row["calculation_id"], row["cluster"]) for row in sorted(stored, key=lambda r: r["calculation_id"])] == [
        ("x/1", 0), ("x/2", 0), ("x/3", 0), ("x/4", -1),
    ]


def test_a_lower_threshold_than_was_listed_names_the_command(folder: Path) -> None:
    done = matlake("--root", "lake", "cluster", "--threshold", "0.3", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "matlake similar --threshold 0.3" in done.stderr


def test_components_and_an_unknown_method(folder: Path) -> None:
    done = matlake("--root", "lake", "cluster", "--method", "components", "--threshold", "0.5", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "4 in 1 clusters, 0 single" in done.stderr
    done = matlake("--root", "lake", "cluster", "--method", "k-means", cwd=folder)
    assert done.returncode == 1
    assert "greedy, components" in done.stderr
