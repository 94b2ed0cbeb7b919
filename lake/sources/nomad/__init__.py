"""NOMAD and its Oases: entries, archives, and the densities of states in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lake.settings import Settings
from lake.sources.base import Context, Declaration, Identity, Page, Record, Walker
from lake.sources.batch import Batch
from lake.sources.nomad import fetch, records
from lake.sources.nomad.declaration import DECLARATION
from lake.sources.nomad.normalise import normalise_calculations, normalise_densities


class Nomad:
    """The source `nomad`, see :class:`lake.sources.base.Source`."""

    declaration: Declaration = DECLARATION
    version: int = 1

    def headers(self, settings: Settings) -> dict[str, str]:
        """The secret headers of a request: a bearer token where one is set."""
        token = settings.nomad_token
        return fetch.headers(token.get_secret_value() if token else None)

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
        """All entries or archives that the options name; see :mod:`lake.sources.nomad.fetch`."""
        return fetch.walk(walker, options, base_url)

    def check(self, body: bytes, document: Any) -> None:
        """Refuse replies that are no page of entries, and pages that come twice."""
        records.check(body, document)

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind of a document, ``entry`` or ``archive``, and its records."""
        return records.records(document, origin)

    def decode(self, body: bytes, origin: str) -> Any | None:  # noqa: ARG002 - NOMAD speaks JSON only
        """None: NOMAD speaks JSON only."""
        return None

    def identify(self, record: Record, kind: str) -> Identity | None:
        """The entry id of a record and the table that it belongs to."""
        return records.identify(record, kind)

    def derived(self, found: Sequence[Record], kind: str) -> tuple[str, list[Record]] | None:
        """The records that also make a row of `dos`."""
        return f"{kind}_dos", records.derived(found)

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:
        """Fill the columns of `calculations` or `dos`."""
        if kind.endswith("_dos"):
            normalise_densities(batch, context.origin)
        else:
            normalise_calculations(batch, context.origin)


SOURCE = Nomad()
