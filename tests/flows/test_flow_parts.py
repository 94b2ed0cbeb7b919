"""The parts of the flow `ingest` that need no server."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from flows import ingest as parts
from lake.errors import IncompleteError, InputError, RefusedError, SettingsError, TableError
from lake.ingest.result import IncompleteIngestError, IngestResult, Progress


@pytest.fixture(autouse=True)
def three_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    import lake.sources

    def find(name: str) -> str:
        if name not in ("aflow", "mp", "nomad", "optimade"):
            raise SettingsError(f"There is no source {name!r}.")
        return name

    monkeypatch.setattr(lake.sources, "find", find)


def result(**counts: Any) -> IngestResult:
    return IngestResult("aflow", **counts)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("all", ("aflow", "mp", "nomad")),
        ("mp", ("mp",)),
        (" nomad, mp ,nomad", ("nomad", "mp")),
        ("optimade", ("optimade",)),
    ],
)
def test_source_names(given: str, names: tuple[str, ...]) -> None:
    assert parts.chosen(given, for_one=False) == names


@pytest.mark.parametrize("given", ["", " , ", "materials-project", "mp,all"])
def test_bad_source_names_are_refused(given: str) -> None:
    with pytest.raises(SettingsError):
        parts.chosen(given, for_one=False)


def test_saved_replies_belong_to_one_source() -> None:
    assert parts.chosen("mp", for_one=True) == ("mp",)
    with pytest.raises(SettingsError, match="name one"):
        parts.chosen("all", for_one=True)


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (3, "3"), (0.5, "0.5"), ("x", "x")])
def test_options_become_text(value: object, text: str) -> None:
    assert parts.as_text(value) == text


@pytest.mark.parametrize(
    ("saved", "asks"),
    [((), True), (("a.json",), False), (("a.json", "https://x.org/b.json"), True)],
)
def test_only_servers_are_asked_again(saved: tuple[str, ...], asks: bool) -> None:
    assert parts.Question("mp", saved=saved).asks_a_server is asks


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (IncompleteIngestError(result(missing=["page 3"])), True),
        (IncompleteError("page 3"), True),
        (TableError("conflict"), True),
        (ConnectionResetError("gone"), True),
        (SettingsError("no key"), False),
        (RefusedError("bad query"), False),
        (InputError("no such file"), False),
        (ValueError("a fault of ours"), False),
    ],
)
def test_what_is_tried_again(error: Exception, again: bool) -> None:
    state = SimpleNamespace(result=lambda raise_on_failure: error)
    assert parts.worth_another_try(*parts.WORTH_ANOTHER_TRY)(None, None, state) is again


def test_counts_add_up_and_are_plain() -> None:
    counts = parts.counts_of(
        result(pages=2, fetched=10, new=4, changed=1, unchanged=3, rejected=2, seconds=1.234,
               versions={"rejects": 1, "calculations": 7})
    )
    assert counts["fetched"] == sum(counts[n] for n in ("new", "changed", "unchanged", "rejected"))
    assert counts["versions"] == "calculations 7, rejects 1"
    assert {type(value) for value in counts.values()} <= {int, float, str}


def test_description_names_reasons_and_what_is_missing() -> None:
    text = parts.description(
        result(reasons=Counter(no_id=3, bad_structure=12), missing=[f"page {n}" for n in range(30)])
    )
    assert text.index("12: bad_structure") < text.index("3: no_id")
    assert "Missing (30)" in text
    assert "`page 19`" in text
    assert "`page 20`" not in text


def test_take_keeps_the_counts_of_a_failed_try(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    import lake.ingest.run

    def half(*_: object, **given: Any) -> IngestResult:
        given["progress"](Progress("aflow", 1, 5, 5))
        raise IncompleteIngestError(result(fetched=5, new=5, missing=["https://x.org/?page=2"]))

    monkeypatch.setattr(lake.ingest.run, "ingest", half)
    tries = parts.Tries()
    with pytest.raises(IncompleteIngestError, match="page=2"):
        parts.take.fn(parts.Question("aflow", root=str(tmp_path)), tries)
    assert [r.new for r in tries.results] == [5]


def test_progress_is_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "matlake.flows")
    often = parts.log_progress(seconds=0)
    often(Progress("mp", 2, 2_000, 1_000, 5_000))
    seldom = parts.log_progress(seconds=60)
    seldom(Progress("mp", 3, 3_000, 2_000))
    assert [record.getMessage() for record in caplog.records] == [
        "mp: 2 pages, 1,000 of 5,000 records done"
    ]
