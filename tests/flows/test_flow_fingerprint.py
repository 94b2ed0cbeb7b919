"""The flow `fingerprint` on a real Prefect server: grids, retries, the artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import fingerprint as parts
from lake.errors import InputError, TableError
from lake.ingest.run import ingest
from lake.store.lake import Lake
from tests.conftest import only_long

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
SAVED = Path(__file__).parents[1] / "data" / "mp"


@pytest.fixture
def root(tmp_path: Path, prefect_server: str) -> str:
    lake = Lake.open(str(tmp_path / "lake"))
    ingest(lake, "mp", saved=[str(path) for path in SAVED.glob("*dos*")])
    return lake.root.uri


def artifact() -> tuple[list[dict[str, Any]], str]:
    from prefect.artifacts import Artifact

    found = Artifact.get("fingerprint")
    assert found is not None
    return json.loads(str(found.data)), str(found.description)


@only_long
def test_several_grids_and_what_is_published(root: str) -> None:
    n = Lake.open(root).read("dos", ["source"]).num_rows
    assert n > 1
    counts = parts.fingerprint(grids=["reference", {"window_max_ev": 8}, "dos-reference"], root=root)
    assert [entry["new"] for entry in counts] == [n, n]
    rows, description = artifact()
    assert [row["grid_id"] for row in rows] == [entry["grid_id"] for entry in counts]
    for row in rows:
        assert row["n_calculations"] == row["new"] + row["changed"] + row["unchanged"]
        assert row["n_calculations"] == row["comparable"] + row["set_aside"]
    for entry in counts:
        for reason, count in entry["reasons"].items():
            assert f"- {count:,}: {reason} ({entry['grid_id']})" in description
    assert parts.fingerprint(root=root)[0]["unchanged"] == n


def test_a_commit_that_fails_is_tried_again_and_a_wrong_grid_is_not(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics.fingerprints import build as module

    monkeypatch.setattr(parts, "make", parts.make.with_options(retries=2, retry_delay_seconds=0))
    real, tries = module.build, []

    def fragile(*given: Any, **named: Any) -> Any:
        tries.append(given)
        if len(tries) == 1:
            raise TableError("too many writers at once")
        if len(tries) > 2:
            raise InputError("wrong")
        return real(*given, **named)

    monkeypatch.setattr(module, "build", fragile)
    assert parts.fingerprint(root=root)[0]["new"] > 0
    assert len(tries) == 2
    with pytest.raises(InputError, match="wrong"):
        parts.fingerprint(root=root)
    assert len(tries) == 3
    with pytest.raises(InputError, match="There is no grid"):
        parts.fingerprint(grids=["nix"], root=root)
