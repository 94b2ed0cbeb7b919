"""One ingest from beginning to end: pages, normalising, commits, counts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pyarrow as pa

from lake.errors import IncompleteError, InputError, MatlakeError, SettingsError
from lake.ingest.documents import PageBody, decode
from lake.ingest.files import find_saved, read_saved
from lake.ingest.http import Client
from lake.ingest.journal import Journal, fetch_id, request_text
from lake.ingest.outcome import Outcome
from lake.ingest.rejects import clear_rejects, commit_rejects
from lake.ingest.result import IncompleteIngestError, IngestResult, Progress, ProgressFunction
from lake.ingest.rounds import unique_rounds
from lake.ingest.walker import LiveWalker
from lake.ingest.workers import Task, normalised, tasks
from lake.sources import find
from lake.sources.base import Page, Request, Source
from lake.store import raw
from lake.store.delta import Change, compact
from lake.store.lake import Lake
from lake.tables import TABLES


def ingest(
    lake: Lake,
    source_name: str,
    *,
    options: Mapping[str, str] | None = None,
    saved: Sequence[str] = (),
    base_url: str | None = None,
    limit: int | None = None,
    progress: ProgressFunction | None = None,
) -> IngestResult:
    """Take records of one source into the lake.

    Args:
        lake: where to.
        source_name: aflow, mp, nomad, optimade, or another folder of `lake/sources`.
        options: what the source is asked, see its declaration.
        saved: files, folders or URLs of saved replies; empty = ask the live API.
        base_url: another server than the source's own.
        limit: stop after so many records.
        progress: called after every page and every commit.

    Returns:
        The counts, with ``fetched == new + changed + unchanged + rejected``.

    Raises:
        SettingsError: unknown source or option, or a key is missing.
        InputError: nothing to read at a place in ``saved``.
        IncompleteIngestError: everything that could be had is committed, and something is missing.
    """
    source = find(source_name)
    chosen = dict(options or {})
    _check_options(source, chosen)
    if limit is not None and limit < 1:
        raise SettingsError(f"--limit {limit}: a positive number is needed.")
    _refuse_credentials(base_url, *saved)
    run = _Run(lake, source, chosen, limit, progress)
    started = time.monotonic()
    files = [place for place in saved if not place.startswith(("http://", "https://"))]
    urls = [place for place in saved if place not in files]
    if files:
        run.commit_all(run.saved_pages(files))
    if urls or not saved:
        run.live(base_url, urls)
    return run.finish(time.monotonic() - started)


def _check_options(source: Source, options: Mapping[str, str]) -> None:
    known = source.declaration.options
    unknown = sorted(set(options) - set(known))
    if unknown:
        listed = "\n".join(f"  {name}: {meaning}" for name, meaning in known.items()) or "  (none)"
        raise SettingsError(
            f"{source.declaration.name} has no option {', '.join(unknown)}. Its options:\n{listed}"
        )


def _refuse_credentials(*addresses: str | None) -> None:
    """An address is written to the table `fetches`: a password in it would be, too."""
    for address in addresses:
        if address and address.startswith(("http://", "https://")) and urlsplit(address).username is not None:
            host = urlsplit(address).hostname
            raise SettingsError(f"The address at {host} holds a user name or password: addresses are stored. Leave "
                                "them out; keys are given as settings (MATLAKE_MP_API_KEY, MATLAKE_NOMAD_TOKEN).")


class _Run:
    """The state of one ingest: what was seen, what is left to commit."""

    def __init__(
        self, lake: Lake, source: Source, options: dict[str, str], limit: int | None,
        progress: ProgressFunction | None,
    ) -> None:
        self.lake = lake
        self.source = source
        self.name = source.declaration.name
        self.options = options
        self.limit = limit
        self.progress = progress
        self.result = IngestResult(self.name)
        self._requests: dict[str, tuple[str, str, str]] = {}
        self._sizes: dict[str, int] = {}
        self._seen = 0

    def saved_pages(self, places: Sequence[str]) -> Iterator[PageBody]:
        """The pages of saved replies; a file that cannot be read is recorded as missing."""
        for saved in find_saved(list(places)):
            try:
                for page in read_saved(saved, self.lake.root, self.name):
                    self._requests[page.fetch_id] = (f'{{"file":"{page.raw_sha256}"}}', saved.origin, "")
                    if self.limit is None:
                        # Counted by the normaliser; this only closes batches, at 1 kB a record.
                        self._sizes[page.fetch_id] = max(1, len(page.body) // 1_000)
                        yield page
                        continue
                    left = self.limit - self._seen
                    if left <= 0:
                        return
                    self._sizes[page.fetch_id] = self._count(page)
                    yield replace(page, take=left)
            except InputError as error:
                self._miss(hashlib.sha256(saved.origin.encode()).hexdigest()[:32], saved.origin, str(error))

    def _count(self, page: PageBody) -> int:
        try:
            document = decode(self.source, page.body, page.origin)
            return len(self.source.records(document, page.origin)[1])
        except MatlakeError:
            return 0

    def live(self, base_url: str | None, urls: Sequence[str]) -> None:
        """Ask the server, or fetch saved replies from URLs, and commit everything."""
        asked = dict(self.options) | ({"urls": " ".join(urls)} if urls else {})
        journal = Journal(self.lake.root, self.name, asked | {"limit": str(self.limit)}, base_url)
        headers = {} if urls else self._secret_headers(base_url)
        client = Client(self.source.declaration, self.lake.settings, headers)
        walker = LiveWalker(self.source, self.lake.root, client, journal, self.limit)
        journal.start()
        try:
            walk = (
                walker.get_many([Request(url) for url in urls]) if urls
                else self.source.walk(walker, self.options, base_url)
            )
            self.commit_all(self._live_pages(walk))
        finally:
            client.close()
        self.result.resumed_pages = walker.resumed_pages
        for key, (request, message) in walker.failed.items():
            self._requests[key] = (request_text(request), request.url, request.cursor)
            self._miss(key, f"{request.url} {request.cursor}".strip(), message)
        if not self.result.missing:
            journal.finish()

    def _secret_headers(self, base_url: str | None) -> dict[str, str]:
        check = getattr(self.source, "check_settings", None)
        if check:
            check(self.lake.settings, self.options, base_url)
        give = getattr(self.source, "headers", None)
        return dict(give(self.lake.settings)) if give else {}

    def _live_pages(self, walk: Iterator[Page]) -> Iterator[PageBody]:
        seen = 0
        try:
            for page in walk:
                key = fetch_id(self.name, page.request)
                self._requests[key] = (request_text(page.request), page.origin, page.request.cursor)
                self._sizes[key] = len(page.records)
                left = None if self.limit is None else self.limit - seen
                seen += len(page.records)
                yield PageBody(key, page.body, page.origin, page.fetched_at, raw.digest(page.body), left)
                if self.limit is not None and seen >= self.limit:
                    return
        except IncompleteError:
            return  # the walker has recorded what is missing; what came before it is good

    def commit_all(self, pages: Iterator[PageBody]) -> None:
        """Normalise and commit pages batch by batch; memory holds a few batches, however many pages come."""
        work = tasks(self._counted(pages), self._sizes, self.lake.settings)
        done: Task = []
        outcome = Outcome()
        for task, part in normalised(self.name, self.lake.root, self.options, work):
            done, outcome = done + task, outcome + part
            size = sum(len(page.body) for page in done)
            limits = self.lake.settings
            if outcome.records.total() >= limits.batch_records or size >= limits.batch_megabytes * 2**20:
                self._commit(done, outcome)
                done, outcome = [], Outcome()
        if done:
            self._commit(done, outcome)

    def _counted(self, pages: Iterator[PageBody]) -> Iterator[PageBody]:
        for page in pages:
            self.result.pages += 1
            self._seen += self._sizes.get(page.fetch_id, 0)
            yield page
            self._report()

    def _report(self) -> None:
        if self.progress:
            done = self.result.new + self.result.changed + self.result.unchanged + self.result.rejected
            self.progress(Progress(self.name, self.result.pages, max(self._seen, done), done, self.limit))

    def _commit(self, batch: Task, outcome: Outcome) -> None:
        result = self.result
        for (table, derived), rows in outcome.rows.items():
            self._commit_rows(table, rows, counted=not derived)
        clear_rejects(self.lake, self.name, list(outcome.rows.values()), outcome.cleared)
        result.unchanged += outcome.unchanged
        result.fetched += outcome.records.total()
        result.rejected += outcome.rejected.total()
        result.reasons += outcome.reasons
        if outcome.rejects is not None:
            result.add_rows("rejects", commit_rejects(self.lake, self.name, outcome.rejects))
        result.missing.extend(outcome.unreadable.values())
        self.lake.upsert("fetches", self._fetch_rows(batch, outcome))
        for page in batch:
            self._requests.pop(page.fetch_id, None)
            self._sizes.pop(page.fetch_id, None)
        self._report()

    def _commit_rows(self, table: str, rows: pa.Table, counted: bool) -> None:
        rounds, repeated = unique_rounds(rows)
        change = Change(unchanged=repeated)
        for part in rounds:
            change += self.lake.upsert(table, part)
        self.result.add_rows(table, change)
        if counted:
            self.result.new += change.new
            self.result.changed += change.changed
            self.result.unchanged += change.unchanged

    def _fetch_rows(self, batch: Task, outcome: Outcome) -> pa.Table:
        rows: dict[str, dict[str, object]] = {}
        for page in batch:
            failure = outcome.unreadable.get(page.fetch_id)
            request, origin, cursor = self._requests.get(page.fetch_id, ("", page.origin, ""))
            rows[page.fetch_id] = _fetch_row(
                fetch_id=page.fetch_id, source=self.name, request=request, origin=origin, cursor=cursor,
                bytes=len(page.body), sha256=page.raw_sha256, records=outcome.records[page.fetch_id],
                rejected=outcome.rejected[page.fetch_id], status="failed" if failure else "taken",
                message=failure, fetched_at=page.fetched_at,
            )
        return pa.Table.from_pylist(list(rows.values()), schema=TABLES["fetches"].schema)

    def _miss(self, key: str, what: str, message: str) -> None:
        self.result.missing.append(message if what in message else f"{what}: {message}")
        request, origin, cursor = self._requests.get(key, ("", what, ""))
        row = _fetch_row(
            fetch_id=key, source=self.name, request=request, origin=origin, cursor=cursor, bytes=None,
            sha256=None, records=None, rejected=None, status="failed", message=message,
            fetched_at=datetime.now(UTC),
        )
        self.lake.upsert("fetches", pa.Table.from_pylist([row], schema=TABLES["fetches"].schema))

    def finish(self, seconds: float) -> IngestResult:
        """Refresh the catalogue if there is anything new, check the counts, and tell."""
        result = self.result
        result.seconds = seconds
        changed = [name for name, change in result.tables.items() if change.new or change.changed]
        for name in changed:
            compact(self.lake.root, name, self.name)
        result.versions = self.lake.versions()
        if changed or not self.lake.catalogue_path.exists():
            self.lake.refresh()
        if not result.balanced:
            raise MatlakeError(
                f"Ingest of {self.name} does not add up: {result.fetched} fetched, {result.new} new, "
                f"{result.changed} changed, {result.unchanged} unchanged, {result.rejected} rejected. "
                "What is committed is whole; please report this with the raw replies."
            )
        if result.missing:
            raise IncompleteIngestError(result)
        return result


def _fetch_row(**values: object) -> dict[str, object]:
    mark = "|".join(str(values[n]) for n in ("sha256", "status", "records", "rejected", "message"))
    return {**values, "fingerprint": hashlib.sha256(mark.encode()).hexdigest()[:32]}
