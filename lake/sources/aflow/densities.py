"""Fetching the densities of states of entries, each by an address that names its auid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from lake.errors import IncompleteError
from lake.sources.aflow.lists import texts
from lake.sources.aflow.normalise import entry_url
from lake.sources.aflow.records import auid_of
from lake.sources.base import Page, Record, Request, Walker
from lake.sources.values import BadValueError

_SUFFIXES = ("_dosdata.json.xz", "_dosdata.json", "_dosdata.json.bz2", "_dosdata.json.gz")
_DOSCARS = ("DOSCAR.static.xz", "DOSCAR.static", "DOSCAR.static.bz2", "DOSCAR.static.gz")


def fetch_densities(walker: Walker, server: str, records: Sequence[Record]) -> Iterator[Page]:
    """The densities of states of some entries, and whole entries where a row does not list its files.

    Args:
        walker: how to ask.
        server: the server of the entries' files, without trailing slash.
        records: AFLUX rows; those without aurl have no files.
    """
    wanted: list[Request] = []
    for record in records:
        address, auid = entry_url(record.get("aurl"), server), auid_of(record)
        if address is None or auid is None:
            continue
        files = _files(record)
        if files is None:
            page = _entry(walker, address, auid)
            if page is None:
                continue
            yield page
            files = _files(page.document) or []
        name = density_file(files)
        if name is not None:
            wanted.append(density_request(address, name, auid))
    yield from walker.get_many(wanted)


def density_file(files: Sequence[str]) -> str | None:
    """The file that holds an entry's density of states, JSON before DOSCAR; None where there is none."""
    for suffix in _SUFFIXES:
        found = next((name for name in files if name.endswith(suffix) and "/" not in name), None)
        if found:
            return found
    return next((name for name in _DOSCARS if name in files), None)


def density_request(address: str, name: str, auid: str) -> Request:
    """The request for such a file.

    The fragment is not sent; it stays in the page's origin, so that the reply can be attributed to its
    entry whenever it is read again.
    """
    return Request(f"{address}/{quote(name)}#{auid}", cursor=auid)


def _entry(walker: Walker, address: str, auid: str) -> Page | None:
    try:
        return walker.get(Request(f"{address}/aflowlib.json", cursor=auid))
    except IncompleteError:
        return None  # the walker has recorded it as missing


def _files(record: Any) -> list[str] | None:
    if not isinstance(record, dict) or record.get("files") is None:
        return None
    try:
        return texts(record["files"]) or []
    except BadValueError:
        return None
