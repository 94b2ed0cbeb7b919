"""What a reply or a saved file is: its kind, its records, their ids; and which replies are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from lake.errors import BadReplyError, InputError
from lake.sources.base import Identity, Record

AUID = re.compile(r"aflow:[0-9a-f]{16}")
_NUMBERED = re.compile(r"\d+ of (\d+)")
_FAILURES = ("lux fail", "db fail", "count fail")
_EXPECTED = (
    "an AFLUX reply (a list of entries, or an object with keys like '1 of 912'), an aflowlib.json, "
    "a …_dosdata.json, a DOSCAR or an aflowlib.out"
)
DOS_KINDS = ("dosdata", "doscar")


def check(body: bytes, document: Any) -> None:
    """Refuse AFLUX's error texts, which come with status 200.

    Raises:
        BadReplyError: the reply is an error text, or nothing at all.
    """
    head = " ".join(body[:400].decode("utf-8", "replace").split())
    if not isinstance(document, list | dict) or (isinstance(document, list) and _is_text(document)):
        fault = next((f for f in _FAILURES if f in head.lower()), None)
        if fault or not isinstance(document, list):
            raise BadReplyError(f"AFLUX answered {head[:200]!r} instead of entries.")
    doscar = document.get("doscar") if isinstance(document, dict) else None
    if isinstance(doscar, dict):
        columns = doscar["columns"]
        found = len(columns[0]) if columns else 0
        if found < doscar["points"]:
            raise BadReplyError(f"a DOSCAR with {found:,} of {doscar['points']:,} points: it is cut.")


def records(document: Any, origin: str) -> tuple[str, Sequence[Record]]:
    """The kind of a document and its records.

    Kinds: ``aflux`` (rows of a search, also from CSV or Parquet), ``aflowlib`` (one whole entry), ``dosdata``
    and ``doscar`` (densities of states; the auid is taken from the document, the origin's fragment, or an
    `aflowlib.json` beside the file).

    Raises:
        InputError: the document is none of these.
    """
    if isinstance(document, list):
        return _listed(document, origin)
    if isinstance(document, dict):
        if "tDOS_data" in document:
            return "dosdata", [_with_auid(document, document, origin)]
        if isinstance(document.get("doscar"), dict):
            return "doscar", [_with_auid(document["doscar"], document, origin)]
        if "auid" in document or "aurl" in document:
            return "aflowlib", [document]
        if all(_NUMBERED.fullmatch(str(key)) for key in document):
            return "aflux", list(document.values())
    raise InputError(f"{origin} holds {_described(document)}; expected {_EXPECTED}.")


def stated_total(document: Any) -> int | None:
    """How many records match a search, where the reply says so (old AFLUX: keys like '1 of 912')."""
    if not isinstance(document, dict):
        return None
    totals = [int(found[1]) for key in document if (found := _NUMBERED.fullmatch(str(key)))]
    return max(totals, default=None)


def auid_of(record: Record) -> str | None:
    """The id of an entry, such as ``aflow:ed51b7b3938f117f``; None where there is none."""
    value = record.get("auid") if isinstance(record, dict) else None
    if not isinstance(value, str) or len(value) > 100:
        return None
    found = value.strip().lower()
    return found if AUID.fullmatch(found) else None


def identify(record: Record, kind: str) -> Identity | None:
    """The row that a record will become; None where its auid is missing or malformed."""
    auid = auid_of(record)
    return Identity("dos" if kind in DOS_KINDS else "calculations", auid) if auid else None


def _listed(document: list[Any], origin: str) -> tuple[str, Sequence[Record]]:
    if document and _is_text(document):
        raise InputError(f"{origin} holds {_described(document)}; expected {_EXPECTED}.")
    if document and all(isinstance(d, dict) and "tDOS_data" in d for d in document):
        return "dosdata", document
    return "aflux", document


def _is_text(document: list[Any]) -> bool:
    return not any(isinstance(item, dict) for item in document)


def _described(document: Any) -> str:
    if isinstance(document, dict):
        return f"an object with the keys {', '.join(map(str, list(document)[:5]))[:100] or '(none)'}"
    if isinstance(document, list):
        return f"a list of texts ({str(document[0])[:60]!r} …)"
    return f"{str(document)[:60]!r}"


def _with_auid(record: dict[str, Any], document: dict[str, Any], origin: str) -> dict[str, Any]:
    if auid_of(document):
        return {**record, "auid": auid_of(document)}
    named = AUID.search(origin.rpartition("#")[2]) if "#" in origin else None
    auid = named[0] if named else _sibling_auid(record, origin)
    return {**record, "auid": auid} if auid else record


def _sibling_auid(record: dict[str, Any], origin: str) -> str | None:
    """The auid in the `aflowlib.json` beside a saved file, if that is of the same cell."""
    if "://" in origin:
        return None
    try:
        entry = orjson.loads((Path(origin).parent / "aflowlib.json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(entry, dict):
        return None
    stated = (record.get("composition"), record.get("n_atoms"))
    beside = (entry.get("composition"), entry.get("natoms"))
    if any(a is not None and b is not None and a != b for a, b in zip(stated, beside, strict=True)):
        return None
    return auid_of(entry)
