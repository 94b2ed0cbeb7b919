"""AFLOW: searches over AFLUX, whole entries, and their densities of states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lake.sources.aflow import records, texts
from lake.sources.aflow.declaration import DECLARATION
from lake.sources.aflow.density import normalise_densities
from lake.sources.aflow.fetch import walk
from lake.sources.aflow.normalise import normalise_entries
from lake.sources.base import Context, Declaration, Identity, Page, Record, Walker
from lake.sources.batch import Batch


class Aflow:
    """The source `aflow`, see :class:`lake.sources.base.Source`."""

    declaration: Declaration = DECLARATION
    version: int = 1

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
        """All records that the options name, partition by partition; see :mod:`lake.sources.aflow.fetch`."""
        return walk(walker, options, base_url)

    def check(self, body: bytes, document: Any) -> None:
        """Refuse AFLUX's error texts and cut DOSCARs."""
        records.check(body, document)

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind of a document (aflux, aflowlib, dosdata, doscar) and its records."""
        return records.records(document, origin)

    def decode(self, body: bytes, origin: str) -> Any | None:  # noqa: ARG002 - known by its shape
        """A DOSCAR or an `aflowlib.out` as a document; None for JSON."""
        return texts.decode(body)

    def identify(self, record: Record, kind: str) -> Identity | None:
        """The auid of an entry and the table that its record belongs to."""
        return records.identify(record, kind)

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:
        """Fill the columns of `calculations` or `dos`."""
        if kind in records.DOS_KINDS:
            normalise_densities(batch, kind, context.origin)
        else:
            normalise_entries(batch)


SOURCE = Aflow()
