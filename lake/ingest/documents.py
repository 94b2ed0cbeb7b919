"""A reply or file as it travels to a worker, and the document in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from lake.errors import BadReplyError
from lake.ingest.depth import shallow
from lake.sources.base import Source


@dataclass(frozen=True)
class PageBody:
    """One page on its way to a worker: ``take`` is how many of its records are wanted (None = all)."""

    fetch_id: str
    body: bytes
    origin: str
    fetched_at: datetime
    raw_sha256: str
    take: int | None = None


def decode(source: Source, body: bytes, origin: str) -> Any:
    """The document in a body: the source's own form, JSON, or JSON lines.

    Raises:
        BadReplyError: it is none of these.
    """
    document = source.decode(body, origin)
    if document is not None:
        return document
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and isinstance(_loads(lines[0]), dict):
            # A line that is cut is a record that is rejected: the others are good.
            return [_loads(line, line.decode("utf-8", "replace")) for line in lines]
        document = _loads(body, error)
        if document is error:
            start = body[:60].decode("utf-8", "replace")
            raise BadReplyError(f"{origin} is no JSON ({error}); it begins with {start!r}.") from None
        return document


def _loads(body: bytes, otherwise: Any = None) -> Any:
    """A JSON value in whatever form databases write it; ``otherwise`` where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python's reader takes NaN and Infinity, which some databases write; they become null later.
        return json.loads(body)
    except (UnicodeDecodeError, RecursionError):
        pass
    except ValueError:
        return otherwise
    try:
        return json.loads(shallow(body).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return otherwise
