"""A flow against a database whose pages fail: the tries after the first bring what it missed, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import ingest as parts
from lake.ingest.run import ingest
from lake.settings import default_settings
from tests.servers import FAULTS, Server
from tests.servers.trial import CASES, QUICK, contents, databases, open_lake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
PAGE_OF_RECORD = frozenset({"raw_sha256", "position"})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, prefect_server: str) -> Iterator[None]:
    """Settings and retries without long pauses, for the flow as well."""
    for name, value in QUICK.items():
        monkeypatch.setenv(f"MATLAKE_{name.upper()}", str(value))
    monkeypatch.setattr(parts, "take", parts.take.with_options(retries=3, retry_delay_seconds=0))
    default_settings.cache_clear()
    yield
    default_settings.cache_clear()


def test_the_next_try_fetches_only_what_is_missing(quick: None, tmp_path: Path) -> None:
    case, held = CASES["aflow"], databases()
    whole = open_lake(tmp_path / "whole")
    with Server(held) as server:
        ingest(whole, case.source, options=case.options, base_url=server.url + case.path)

    failing = FAULTS["500"]()
    failing.rate, failing.times = 0.2, QUICK["attempts"]
    with Server(held, [failing], seed=5) as server:
        counts = parts.ingest(
            case.source, options=dict(case.options), base_url=server.url + case.path, root=str(tmp_path / "lake")
        )
        answered = [asked.question.key for asked in server.log if asked.status == 200]
    assert any(asked.faults for asked in server.log)
    assert counts["aflow"]["missing"] == 0
    assert counts["aflow"]["resumed_pages"] > 0
    assert len(answered) == len(set(answered)), "a page that was there already was fetched again"
    lake = open_lake(tmp_path / "lake")
    assert contents(lake, case, PAGE_OF_RECORD) == contents(whole, case, PAGE_OF_RECORD)
