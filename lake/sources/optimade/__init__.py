"""OPTIMADE: structures of any provider of the common API, with the fields that known providers add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lake.sources.base import Context, Declaration, Identity, Page, Record, Walker
from lake.sources.batch import Batch
from lake.sources.optimade import fetch, records
from lake.sources.optimade.declaration import DECLARATION
from lake.sources.optimade.normalise import normalise_structures


class Optimade:
    """The source `optimade`, see :class:`lake.sources.base.Source`."""

    declaration: Declaration = DECLARATION
    version: int = 1

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
        """All structures that a filter selects; see :mod:`lake.sources.optimade.fetch`."""
        return fetch.walk(walker, options, base_url)

    def check(self, body: bytes, document: Any) -> None:
        """Refuse what comes with status 200 and is no reply."""
        records.check(body, document)

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind ``structures`` and the records of a document."""
        return records.records(document, origin)

    def decode(self, body: bytes, origin: str) -> Any | None:  # noqa: ARG002 - OPTIMADE speaks JSON only
        """None: OPTIMADE speaks JSON and JSON lines only."""
        return None

    def identify(self, record: Record, kind: str) -> Identity | None:  # noqa: ARG002 - there is one kind
        """``<provider prefix>/<id>``, a row of `calculations`."""
        return records.identify(record)

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:  # noqa: ARG002 - there is one kind
        """Fill the columns of `calculations`."""
        normalise_structures(batch, context.origin)


SOURCE = Optimade()
