"""The flow `similar` on a real Prefect server: counts, retries, the artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analytics.similarity.pairs import TooManyPairsError
from flows import similar as parts
from lake.errors import TableError, WorkerError
from lake.store.lake import Lake
from lake.tables import TABLES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
GRID = "dos-reference"


@pytest.fixture
def root(tmp_path: Path, prefect_server: str) -> str:
    """A lake of 20 fingerprints, each a little larger than the one before it."""
    lake = Lake.open(str(tmp_path / "lake"))
    rows = []
    for k in range(20):
        counts = np.full(144, 10)
        counts[:5 * k] += 1
        rows.append({
            "calculation_id": f"x/{k:02}", "grid_id": GRID, "source": "x", "kind": "dos", "counts": counts.tolist(),
            "total": int(counts.sum()), "start_interval": 0, "stop_interval": 144, "input_sha256": "a",
        })
    lake.upsert("fingerprints", pa.Table.from_pylist(rows, schema=TABLES["fingerprints"].schema))
    return lake.root.uri


def test_counts_are_returned_and_published(root: str) -> None:
    from prefect.artifacts import Artifact

    counts = parts.similar(threshold=0.99, root=root)
    lake = Lake.open(root)
    assert lake.catalogue_path.exists()
    # 1440 + 5 i counts against 1440 + 5 j: at most (j − i) = 2 for 0.99, and three of the larger ones.
    expected = sum((1440 + 5 * i) / (1440 + 5 * j) >= 0.99 for i in range(20) for j in range(i + 1, 20))
    assert counts["n_pairs"] == lake.read("similarities").num_rows == expected > 20
    assert counts["is_new"]
    found = Artifact.get(f"similar-{GRID}")
    assert found is not None
    [row] = json.loads(str(found.data))
    assert (row["n_pairs"], row["n_fingerprints"], row["threshold"]) == (expected, 20, 0.99)
    assert not parts.similar(threshold=0.99, root=root)["is_new"]


def test_a_commit_that_fails_is_tried_again_and_too_many_pairs_are_not(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics.similarity import run as module

    monkeypatch.setattr(parts, "compare", parts.compare.with_options(retries=1, retry_delay_seconds=0))
    real, tries = module.all_pairs, []

    def fragile(*given: Any, **named: Any) -> Any:
        tries.append(named)
        if len(tries) == 1:
            raise TableError("too many writers at once")
        return real(*given, **named)

    monkeypatch.setattr(module, "all_pairs", fragile)
    assert parts.similar(threshold=0.99, root=root)["n_pairs"] > 20
    assert len(tries) == 2
    with pytest.raises(TooManyPairsError, match="More than 5 pairs"):
        parts.similar(threshold=0.9, most_pairs=5, root=root)
    assert len(tries) == 3


def test_what_took_its_workers_down_is_not_tried_again(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from analytics.similarity import run as module

    monkeypatch.setattr(parts, "compare", parts.compare.with_options(retries=1, retry_delay_seconds=0))
    tries = []

    def deadly(*given: Any, **named: Any) -> Any:
        tries.append(named)
        raise WorkerError("pairs-00000-00000 took 3 workers down")

    monkeypatch.setattr(module, "all_pairs", deadly)
    with pytest.raises(WorkerError, match="pairs-00000-00000"):
        parts.similar(threshold=0.99, root=root)
    assert len(tries) == 1
    assert Lake.open(root).read("similarities").num_rows == 0
