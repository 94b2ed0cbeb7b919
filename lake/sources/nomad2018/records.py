"""What a file of the competition is: its kind, its records, their ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lake.errors import BadReplyError, InputError
from lake.sources.base import Identity, Record

ALLOYS = "alloys"
TABLE = "competition_table"
GEOMETRY = "geometry"

PART = "@part"
"""Training or test part, kept with each record: both parts number their records from 1."""

_MARKS = {ALLOYS: "cartesian_positions_angstrom", TABLE: "number_of_total_atoms"}
"""The column by which each kind is told from others (sample_submission.csv, with invented values, has neither)."""
_PART = re.compile(r"(?:^|[^a-z])(train|test)(?:ing)?(?![a-z])", re.IGNORECASE)
_GEOMETRY = re.compile(r"([^/\\]+)[/\\](\d+)[/\\][^/\\]*$")
_ID = re.compile(r"\d{1,18}")
_EXPECTED = (
    f"records with the column {_MARKS[ALLOYS]}, the competition's train.csv or test.csv ({_MARKS[TABLE]}), or a "
    "geometry.xyz"
)


def check(body: bytes, document: Any) -> None:
    """Refuse a page that is nothing of the competition, such as an error text behind a URL.

    Raises:
        BadReplyError: it is neither a list of records nor a geometry.
    """
    if not isinstance(document, list) and not (isinstance(document, dict) and GEOMETRY in document):
        head = " ".join(body[:200].decode("utf-8", "replace").split())
        raise BadReplyError(f"{head!r} is no file of the NOMAD 2018 competition: expected {_EXPECTED}.")


def records(document: Any, origin: str) -> tuple[str, Sequence[Record]]:
    """The kind of a document and its records, each with the part of the competition that its file names.

    Raises:
        InputError: the document is nothing of the competition.
    """
    if isinstance(document, dict) and isinstance(document.get(GEOMETRY), dict):
        return GEOMETRY, [_geometry(document[GEOMETRY], origin)]
    found = document.get("data") if isinstance(document, dict) else document
    if isinstance(found, list):
        if not found:
            return ALLOYS, []
        for kind, mark in _MARKS.items():
            if any(isinstance(record, dict) and mark in record for record in found):
                part = _part(_file_name(origin)) or _part(origin)
                return kind, [_with_part(record, part) for record in found]
    raise InputError(f"{origin} holds nothing of the NOMAD 2018 competition: expected {_EXPECTED}.")


def identify(record: Record) -> Identity | None:
    """``<part>/<id>``, such as train/1; the id alone where no file or folder name tells the part."""
    number = record.get("id")
    text = str(number).strip() if isinstance(number, int | str) and not isinstance(number, bool) else ""
    if not _ID.fullmatch(text):
        return None
    part = record.get(PART)
    return Identity("calculations", f"{part}/{int(text)}" if part else str(int(text)))


def _geometry(geometry: dict[str, Any], origin: str) -> Record:
    place = _GEOMETRY.search(origin)
    record = {**geometry, "id": place[2] if place else None}
    return _with_part(record, (_part(place[1]) or _part(origin)) if place else None)


def _with_part(record: Any, part: str | None) -> Any:
    if not isinstance(record, dict):
        return record
    own = record.get("part")
    stated = _part(own) if isinstance(own, str) else None
    return {**record, PART: stated or part} if stated or part else record


def _file_name(origin: str) -> str:
    return re.split(r"[/\\]", origin)[-1]


def _part(text: str) -> str | None:
    """The part that a name tells; None where it tells none, or both."""
    found = {name.lower() for name in _PART.findall(text)}
    return found.pop() if len(found) == 1 else None
