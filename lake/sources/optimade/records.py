"""What an OPTIMADE reply or a saved file is: its records, who provides them, their ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lake.errors import BadReplyError, InputError
from lake.sources.base import Identity, Record
from lake.sources.batch import dig

PROVIDER = "@provider"
LICENSE = "@license"
"""What a reply says once for all of its records, kept with each of them."""

UNKNOWN_PROVIDER = "unknown"
_PREFIX = re.compile(r"[a-z][a-z0-9.\-]{0,99}")
_OWN_FIELD = re.compile(r"_([a-z0-9]+)_\w+")
_EXPECTED = "a reply of /structures, a list or lines of structure resources, or one of them"


def check(body: bytes, document: Any) -> None:
    """Refuse what comes with status 200 and is no reply.

    Raises:
        BadReplyError: there are no data, or there are errors.
    """
    head = " ".join(body[:300].decode("utf-8", "replace").split())
    if not isinstance(document, dict) or document.get("errors") or "data" not in document:
        raise BadReplyError(f"The provider answered {head[:200]!r} instead of structures.")
    if not isinstance(document["data"], list | dict | None):
        raise BadReplyError(f"The provider answered {head[:200]!r}: data are no list.")


def records(document: Any, origin: str) -> tuple[str, Sequence[Record]]:
    """The kind ``structures`` and the records of a document, each with its provider's prefix.

    Raises:
        InputError: the document is nothing that OPTIMADE knows.
    """
    found, meta = _found(document, origin)
    kept = [r for r in found if not (isinstance(r, dict) and ("x-optimade" in r or r.get("type") == "info"))]
    links = document.get("links") if isinstance(document, dict) else None
    stated = dig(meta, ("provider", "prefix"))
    licence = _license(meta)
    return "structures", [_with_provider(r, stated, licence, f"{origin} {links}") for r in kept]


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a resource; of a flat record (csv, Parquet) the record itself."""
    found = record.get("attributes")
    return found if isinstance(found, dict) else record


def local_id(record: Record) -> str | None:
    """The id of a structure at its provider."""
    found = record.get("id") if isinstance(record, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found.strip() if isinstance(found, str) and 0 < len(found.strip()) <= 200 else None


def identify(record: Record) -> Identity | None:
    """``<prefix>/<id>``; None for other resources than structures and where there is no id."""
    found = local_id(record)
    if found is None or record.get("type", "structures") != "structures":
        return None
    return Identity("calculations", f"{record.get(PROVIDER, UNKNOWN_PROVIDER)}/{found}")


def _found(document: Any, origin: str) -> tuple[Sequence[Any], Any]:
    if isinstance(document, list):
        header = next((d["x-optimade"] for d in document[:2] if isinstance(d, dict) and "x-optimade" in d), None)
        return document, dig(header, ("meta",))
    if isinstance(document, dict):
        data = document.get("data")
        if isinstance(data, list):
            return data, document.get("meta")
        if isinstance(data, dict):
            return [data], document.get("meta")
        if "data" in document and data is None and isinstance(document.get("meta"), dict) and "links" in document:
            return [], document["meta"]
        if "attributes" in document or "lattice_vectors" in document:
            return [document], None
    described = f"an object with the keys {', '.join(map(str, list(document)[:5]))[:100] or '(none)'}" \
        if isinstance(document, dict) else repr(document)[:60]
    raise InputError(f"{origin} holds {described}; expected {_EXPECTED}.")


def _with_provider(record: Any, stated: Any, licence: str | None, context: str) -> Any:
    if not isinstance(record, dict):
        return record
    prefix = _prefix(record, stated, context)
    return {**record, PROVIDER: prefix} | ({LICENSE: licence} if licence else {})


def _prefix(record: dict[str, Any], stated: Any, context: str) -> str:
    """The provider: as the reply says, by the names of its own fields, or its host."""
    if isinstance(record.get(PROVIDER), str) and _PREFIX.fullmatch(record[PROVIDER]):
        return str(record[PROVIDER])
    own = (m[1] for name in attributes(record) if isinstance(name, str) and (m := _OWN_FIELD.fullmatch(name)))
    host = urlsplit(context.split(" ")[0]).hostname if "://" in context else None
    candidates = (stated.strip("_").lower() if isinstance(stated, str) else None, next(own, None), host)
    found = next((c for c in candidates if c and _PREFIX.fullmatch(c)), UNKNOWN_PROVIDER)
    # Both of Alexandria's databases call themselves alexandria and use the same ids.
    return "alexandria-pbesol" if found == "alexandria" and "/pbesol" in context else found


def _license(meta: Any) -> str | None:
    """A licence in ``meta``: a name, a link, or a link object."""
    for path in (("license",), ("license", "href"), ("implementation", "license")):
        found = dig(meta, path)
        if isinstance(found, str) and 0 < len(found) <= 200 and found.isprintable():
            return found
    return None
