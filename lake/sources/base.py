"""What a source is: a declaration, a walk over its pages, and a normaliser of its records.

A new source is a new folder beside this file whose ``__init__`` holds ``SOURCE``, an object of this
protocol. Nothing else is edited: :func:`lake.sources.find` reads the folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lake.sources.batch import Batch

Record = Any
"""One record as decoded from JSON: a dict if all is well, anything at all if it is not."""


@dataclass(frozen=True)
class Declaration:
    """What a source is, under which terms, how fast it may be asked, and what can be asked of it.

    ``options`` maps each source option (``matlake ingest NAME --option key=value``) to its meaning;
    ``secret_headers`` names the request headers that are never logged or stored.
    """

    name: str
    title: str
    homepage: str
    api_url: str
    license: str | None
    redistributable: bool
    terms: str
    citations: tuple[str, ...]
    energy_reference: str
    requests_per_second: float
    concurrent_requests: int
    options: Mapping[str, str] = field(default_factory=dict)
    secret_headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """One question to a server. ``cursor`` says, for a person, where in the walk it stands."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    method: str = "GET"
    cursor: str = ""


@dataclass(frozen=True)
class Page:
    """One reply, decoded. ``body`` is the reply as it came, decompressed; ``document`` its JSON value."""

    request: Request
    body: bytes
    document: Any
    records: Sequence[Record]
    kind: str
    origin: str
    fetched_at: datetime


class Walker(Protocol):
    """How a source asks: politely, with retries, and from the receipts of an interrupted run first."""

    def get(self, request: Request) -> Page:
        """Ask once; raises :class:`lake.errors.IncompleteError` after the last try."""

    def get_many(self, requests: Sequence[Request]) -> Iterator[Page]:
        """Ask several, some at once; pages come in the order of the requests.

        A request that fails for good is recorded as :meth:`fail` does, and left out.
        """

    def take(self, request: Request, read: Callable[[], bytes]) -> Page:
        """A page that comes another way than over HTTP, resumed like any other.

        Args:
            request: what names the page; nothing is sent.
            read: gives its body, where there is no receipt of it; may raise BadReplyError.

        Raises:
            IncompleteError: it could not be had; it is recorded as failed.
        """

    def fail(self, request: Request, message: str) -> None:
        """Record that something is missing: the ingest goes on and ends as incomplete, naming it."""

    def forget(self, request: Request) -> None:
        """Take back a recorded failure: what the request was for is asked for in another way."""

    @property
    def limit(self) -> int | None:
        """How many records the user asked for at most; None = all. The walker stops by itself as well."""


@dataclass(frozen=True)
class Context:
    """What a normaliser may know beside the record itself.

    ``options`` are the source options of this ingest; ``origin`` is the URL or path of the page. Licence and
    time of the reply are filled in by the pipeline where the normaliser leaves their columns null.
    """

    options: Mapping[str, str]
    origin: str = ""


@dataclass(frozen=True)
class Identity:
    """Which row a record will become: the table, and the id within the source."""

    table: str
    source_id: str


class Source(Protocol):
    """One database: the same few functions in every source folder.

    A source may also have

    - ``headers(settings) -> dict[str, str]``: secret headers (keys, tokens); they go to the first host asked and
      appear in no log, table or message;
    - ``check_settings(settings, options, base_url)``: raise SettingsError before a live call that cannot work;
    - ``derived(records, kind) -> tuple[str, list[Record]] | None``: a further kind, and the records that are of it
      as well, for a second table. Their rows of `calculations` yield to those of any other kind.
    """

    declaration: Declaration
    version: int
    """Raised whenever the normaliser changes what it makes of a record: known records are then redone."""

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
        """Ask the live API for everything that the options name, page by page."""

    def check(self, body: bytes, document: Any) -> None:
        """Raise BadReplyError or RefusedError where a reply with status 200 is none."""

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind of a document (live or saved: recognised by its shape and name) and its records.

        Raises:
            InputError: the document is nothing that this source knows.
        """

    def decode(self, body: bytes, origin: str) -> Any | None:
        """A document from a body that is not JSON (DOSCAR, CIF); None where this source has no such form."""

    def identify(self, record: Record, kind: str) -> Identity | None:
        """The row that a record will become; None where it has no readable id."""

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:
        """Fill the batch's columns, by column work; reject what cannot be taken."""
