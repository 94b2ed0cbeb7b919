"""The flow `ingest` on a real Prefect server: tries, artifacts, slots, and the whole way from the shell."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import ingest as parts
from flows.slots import slot_name
from lake.errors import IncompleteError, RefusedError
from lake.ingest.result import IncompleteIngestError, IngestResult
from lake.store.lake import Lake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
SAVED = Path(__file__).parents[1] / "data" / "servers" / "aflow" / "aflux"
Outcome = IngestResult | Exception


def went(source: str, new: int, missing: tuple[str, ...] = ()) -> Outcome:
    result = IngestResult(source, fetched=new, new=new, missing=list(missing))
    return IncompleteIngestError(result) if missing else result


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, prefect_server: str) -> Callable[..., list[str]]:
    """Let every ingest of a source go as told, try by try, without pauses; returns the list of tries."""
    import lake.ingest.run
    import lake.sources

    asked: list[str] = []

    def setup(**outcomes: list[Outcome]) -> list[str]:
        def ingest(_: Lake, source: str, **_given: Any) -> IngestResult:
            asked.append(source)
            outcome = outcomes[source].pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(lake.ingest.run, "ingest", ingest)
        return asked

    monkeypatch.setattr(lake.sources, "find", lambda name: name)
    monkeypatch.setattr(parts, "take", parts.take.with_options(retries=3, retry_delay_seconds=0))
    return setup


def artifact(key: str) -> tuple[list[dict[str, Any]], str]:
    """The rows and the description of the newest artifact of a key."""
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    assert found.type == "table"
    return json.loads(str(found.data)), str(found.description)


def test_another_try_takes_the_rest(play: Callable[..., list[str]], tmp_path: Path) -> None:
    asked = play(aflow=[went("aflow", 5, ("page 2",)), ConnectionResetError("gone"), went("aflow", 3)])
    counts = parts.ingest("aflow", root=str(tmp_path))
    assert asked == ["aflow"] * 3
    assert counts["aflow"]["new"] == 3
    rows, _ = artifact("ingest-aflow")
    assert [(row["try"], row["new"], row["missing"]) for row in rows] == [(1, 5, 1), (2, 3, 0)]
    assert (tmp_path / "lake.duckdb").exists()


def test_what_stays_missing_is_named(play: Callable[..., list[str]], tmp_path: Path) -> None:
    asked = play(mp=[went("mp", 0, ("page 7",)) for _ in range(9)])
    with pytest.raises(IncompleteError, match="page 7"):
        parts.ingest("mp", root=str(tmp_path))
    assert len(asked) == 4
    rows, description = artifact("ingest-mp")
    assert len(rows) == 4
    assert "page 7" in description


def test_a_refusal_is_not_repeated_and_the_other_sources_are_taken(
    play: Callable[..., list[str]], tmp_path: Path
) -> None:
    asked = play(aflow=[went("aflow", 2)], mp=[RefusedError("key needed")], nomad=[went("nomad", 4)])
    with pytest.raises(IncompleteError, match=r"1 of 3 sources(?s:.*)mp: key needed"):
        parts.ingest(root=str(tmp_path))
    assert asked == ["aflow", "mp", "nomad"]
    assert artifact("ingest-nomad")[0][0]["new"] == 4


def test_broken_local_files_are_read_once(play: Callable[..., list[str]], tmp_path: Path) -> None:
    asked = play(nomad=[went("nomad", 1, ("cut.json",)), went("nomad", 1)])
    with pytest.raises(IncompleteError, match=r"cut\.json"):
        parts.ingest("nomad", saved=["cut.json"], root=str(tmp_path))
    assert asked == ["nomad"]


def test_the_slot_of_a_source_is_made_once_and_left_as_set(play: Callable[..., list[str]], tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    play(slotted=[went("slotted", 1), went("slotted", 1)])
    name = slot_name("slotted")
    with get_client(sync_client=True) as client:
        parts.ingest("slotted", root=str(tmp_path))
        limit = client.read_global_concurrency_limit_by_name(name)
        assert (limit.limit, limit.active_slots) == (1, 0)
        client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=2))
        parts.ingest("slotted", root=str(tmp_path))
        assert client.read_global_concurrency_limit_by_name(name).limit == 2


@pytest.mark.timeout(240)
def test_from_the_shell(prefect: Callable[..., Any], tmp_path: Path) -> None:
    """Deploy, `prefect deployment run ingest`, a worker: the rows are in the lake, the counts on the server."""
    made = prefect("work-pool", "create", "matlake", "--type", "process")
    assert made.returncode == 0, made.stdout + made.stderr
    deployed = prefect("deploy", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr

    asked = {"source": "aflow", "saved": [str(SAVED)], "root": str(tmp_path / "lake")}
    started = prefect("deployment", "run", "ingest", "--params", json.dumps(asked))
    assert started.returncode == 0, started.stdout + started.stderr
    assert "ingest/ingest" in started.stdout

    worker = prefect("worker", "start", "--pool", "matlake", "--run-once")
    assert "Completed()" in worker.stdout + worker.stderr, worker.stdout + worker.stderr
    records = sum(len(json.loads(gzip.decompress(page.read_bytes()))) for page in SAVED.glob("*.gz"))
    row = artifact("ingest-aflow")[0][-1]
    assert row["fetched"] == records
    assert row["fetched"] == row["new"] + row["changed"] + row["unchanged"] + row["rejected"]
    lake = Lake.open(str(tmp_path / "lake"))
    assert lake.read("calculations", ["calculation_id"]).num_rows == row["new"] > 0
    assert lake.catalogue_path.exists()
