"""What a NOMAD reply or a saved file is: its kind, its records, their ids; and which replies are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lake.errors import BadReplyError, InputError
from lake.sources.base import Identity, Record
from lake.sources.nomad.density import holds_density

_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,128}")
_SECTIONS = ("run", "section_run", "metadata", "section_metadata", "results")
_EXPECTED = "a reply of entries/query or entries/archive/query, a list of entries or archives, or one of them"


def check(body: bytes, document: Any) -> None:
    """Refuse replies that are no page, and pages that do not go on where they were asked to.

    Raises:
        BadReplyError: no list of entries, or none of its ids lies behind ``page_after_value``.
    """
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        head = " ".join(body[:300].decode("utf-8", "replace").split())
        raise BadReplyError(f"NOMAD answered {head[:200]!r} instead of entries.")
    pagination = document.get("pagination")
    if not isinstance(pagination, dict):
        raise BadReplyError("NOMAD answered entries without saying which page they are.")
    after = pagination.get("page_after_value")
    ids = [found for record in document["data"] if (found := entry_id(record))]
    if isinstance(after, str) and ids and max(ids) <= after:
        raise BadReplyError(f"NOMAD sent entries up to {max(ids)} again when asked for those after {after}.")


def records(document: Any, origin: str) -> tuple[str, Sequence[Record]]:
    """The kind of a document, ``entry`` or ``archive``, and its records.

    Raises:
        InputError: the document is neither a reply nor an entry nor an archive.
    """
    if isinstance(document, list):
        return _kind(document, origin), document
    if isinstance(document, dict):
        data = document.get("data")
        if isinstance(data, list):
            return _kind(data, origin), data
        if any(name in document for name in _SECTIONS):
            return _kind([document], origin), [document]
        if isinstance(data, dict):
            return _kind([data], origin), [data]
        if "archive" in document or "entry_id" in document:
            return _kind([document], origin), [document]
    described = f"an object with the keys {', '.join(map(str, list(document)[:5]))[:100] or '(none)'}" \
        if isinstance(document, dict) else repr(document)[:60]
    raise InputError(f"{origin} holds {described}; expected {_EXPECTED}.")


def entry_id(record: Record) -> str | None:
    """The id of an entry or archive, also where it stands only in its metadata; None where there is none."""
    if not isinstance(record, dict):
        return None
    archive = record.get("archive")
    inner = archive if isinstance(archive, dict) else record
    for holder in (record, inner.get("metadata"), inner.get("section_metadata")):
        if not isinstance(holder, dict):
            continue
        for name in ("entry_id", "calc_id"):
            found = holder.get(name)
            if isinstance(found, str) and _ID.fullmatch(found):
                return found
    return None


def identify(record: Record, kind: str) -> Identity | None:
    """The row that a record will become; None where its id is missing or malformed."""
    found = entry_id(record)
    return Identity("dos" if kind.endswith("_dos") else "calculations", found) if found else None


def derived(records: Sequence[Record]) -> list[Record]:
    """The records that hold a density of states, arrays and not only paths to them."""
    return [record for record in records if isinstance(record, dict) and holds_density(record)]


def _kind(found: Sequence[Any], origin: str) -> str:
    if any(isinstance(r, dict) and ("archive" in r or "run" in r or "section_run" in r) for r in found):
        return "archive"
    return "archive" if not found and "/archive/" in origin else "entry"
