"""The flow `ingest`: take pages, with retries; refresh the catalogue; publish the counts.

`lake.ingest.run.ingest` does the work and needs no Prefect.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import MissingContextError

from flows.retries import worth_another_try
from flows.slots import source_slot
from lake.errors import BadReplyError, IncompleteError, SettingsError, TableError
from lake.ingest.result import IncompleteIngestError, IngestResult, Progress

DEFAULT_SOURCES = ("aflow", "mp", "nomad")
"""What `all` means: the sources that need no option to know what to ask."""

RETRY_SECONDS = (30, 120, 600)
"""Pauses before the tries after the first; a try fetches only what the ones before it missed."""

WORTH_ANOTHER_TRY = (IncompleteError, BadReplyError, TableError, OSError)
SECONDS_BETWEEN_LINES = 10.0

LoggerLike = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class Question:
    """What one ingest is asked to take, and into which lake; see :func:`lake.ingest.run.ingest`."""

    source: str
    options: dict[str, str] = field(default_factory=dict)
    saved: tuple[str, ...] = ()
    base_url: str | None = None
    limit: int | None = None
    root: str | None = None

    @property
    def asks_a_server(self) -> bool:
        """Whether anything can be better at another try: a broken local file stays broken."""
        return not self.saved or any(place.startswith(("http://", "https://")) for place in self.saved)


class Tries:
    """The result of every try of one source, for the artifact: a retried ingest took its rows in several."""

    def __init__(self) -> None:
        self.results: list[IngestResult] = []


@flow(name="ingest", flow_run_name="ingest {source}", validate_parameters=True)
def ingest(
    source: str = "all",
    options: dict[str, str | int | float | bool] | None = None,
    saved: list[str] | None = None,
    base_url: str | None = None,
    limit: int | None = None,
    root: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Take records of one source, several or all into the lake.

    Args:
        source: a source's name, several with commas, or `all` for AFLOW, MP and NOMAD.
        options: source options, see `matlake sources`; for one source only. Never a key.
        saved: files, folders or URLs of saved replies; default: ask the live API. For one source only.
        base_url: another server than the source's own. For one source only.
        limit: stop after so many records of each source.
        root: the lake; default: the worker's `MATLAKE_ROOT`.

    Returns:
        The counts by source: fetched, new, changed, unchanged, rejected, ….

    Raises:
        IncompleteError: a source misses something; the message names it. The other sources are taken.
        Exception: what a single source failed of.
    """
    given = {name: as_text(value) for name, value in (options or {}).items()}
    questions = [
        Question(name, given, tuple(saved or ()), base_url, limit, root)
        for name in chosen(source, bool(given or saved or base_url))
    ]
    counts: dict[str, dict[str, Any]] = {}
    faults: dict[str, Exception] = {}
    for question in questions:
        with source_slot(question.source):
            try:
                counts[question.source] = take_and_publish(question)
            except Exception as error:
                if len(questions) == 1:
                    raise
                faults[question.source] = error
                run_logger().error("%s failed", question.source, exc_info=error)
    if faults:
        said = "\n".join(f"{name}: {error}" for name, error in faults.items())
        raise IncompleteError(f"{len(faults)} of {len(questions)} sources are not complete.\n{said}")
    return counts


def chosen(source: str, for_one: bool) -> tuple[str, ...]:
    """The source names that the flow's parameter means.

    Args:
        source: `all`, or names with commas.
        for_one: whether something was given that can only be meant for one source.

    Raises:
        SettingsError: a name is unknown, or several are given where one is needed.
    """
    from lake.sources import find

    names = tuple(dict.fromkeys(word.strip() for word in source.split(",") if word.strip()))
    if names == ("all",):
        names = DEFAULT_SOURCES
    if not names:
        raise SettingsError("source is empty: give a name, several with commas, or all.")
    for name in names:
        find(name)
    if for_one and len(names) > 1:
        raise SettingsError(
            f"options, saved and base_url are meant for one source, and source is {source!r}: name one."
        )
    return names


def as_text(value: object) -> str:
    """A source option as text; JSON's true and false in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def take_and_publish(question: Question) -> dict[str, Any]:
    """Take one source; whatever comes of it, refresh the catalogue and publish the counts."""
    tries = Tries()
    step = take if question.asks_a_server else take.with_options(retries=0)
    try:
        step(question, tries)
    finally:
        if tries.results:
            refresh(question.root)
            publish(question.source, tries)
    return counts_of(tries.results[-1])


@task(
    task_run_name="take {question.source}",
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=list(RETRY_SECONDS),
    retry_jitter_factor=0.3,
    retry_condition_fn=worth_another_try(*WORTH_ANOTHER_TRY),
    cache_policy=NO_CACHE,
    persist_result=False,
)
def take(question: Question, tries: Tries) -> None:
    """Fetch and commit; a retry resumes where the try before it ended."""
    from lake.ingest.run import ingest as ingest_source
    from lake.store.lake import Lake

    try:
        result = ingest_source(
            Lake.open(question.root), question.source, options=question.options, saved=question.saved,
            base_url=question.base_url, limit=question.limit, progress=log_progress(),
        )
    except IncompleteIngestError as error:
        tries.results.append(error.result)
        raise
    tries.results.append(result)


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def refresh(root: str | None) -> None:
    """Rebuild `lake.duckdb`, so that it shows what was taken even if the ingest failed."""
    from lake.store.lake import Lake

    run_logger().info("Catalogue: %s", Lake.open(root).refresh())


@task(task_run_name="publish {source}", cache_policy=NO_CACHE, persist_result=False)
def publish(source: str, tries: Tries) -> None:
    """Write the table artifact `ingest-<source>`: one line per try, the counts of each adding up."""
    create_table_artifact(
        [{"try": number, **counts_of(result)} for number, result in enumerate(tries.results, 1)],
        key=f"ingest-{source}".replace("_", "-").lower(),
        description=description(tries.results[-1]),
    )


def counts_of(result: IngestResult) -> dict[str, Any]:
    """The counts of an ingest as plain values; fetched = new + changed + unchanged + rejected."""
    names = ("source", "pages", "fetched", "new", "changed", "unchanged", "rejected", "resumed_pages")
    counts = {name: getattr(result, name) for name in names}
    return counts | {
        "missing": len(result.missing),
        "seconds": round(result.seconds, 2),
        "versions": ", ".join(f"{table} {version}" for table, version in sorted(result.versions.items())),
    }


def description(result: IngestResult, most: int = 20) -> str:
    """What the table does not say, in Markdown: rejects by reason, and what is missing."""
    lines = [f"Records of {result.source}: fetched = new + changed + unchanged + rejected."]
    if result.reasons:
        lines.append("\nRejected:\n")
        lines += [f"- {count:,}: {reason}" for reason, count in result.reasons.most_common(most)]
    if result.missing:
        lines.append(f"\nMissing ({len(result.missing):,}); run again, and only this is fetched:\n")
        lines += [f"- `{item}`" for item in result.missing[:most]]
    return "\n".join(lines)


def run_logger() -> LoggerLike:
    """The logger of this run; outside a run, where the functions work as well, a plain one."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("matlake.flows")


def log_progress(seconds: float = SECONDS_BETWEEN_LINES) -> Callable[[Progress], None]:
    """A progress function that logs a line now and then to the run."""
    logger = run_logger()
    last = time.monotonic()

    def show(state: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < seconds:
            return
        last = time.monotonic()
        of = f" of {state.records_expected:,}" if state.records_expected else ""
        logger.info("%s: %s pages, %s%s records done", state.source, f"{state.pages:,}", f"{state.committed:,}", of)

    return show
