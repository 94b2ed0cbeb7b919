"""Records on their way to rows: who they are, and how to tell whether they changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import orjson

from lake.ingest.documents import PageBody
from lake.sources import values
from lake.sources.base import Identity, Record, Source
from lake.sources.batch import Reject

LONGEST_ID = 300


@dataclass
class Item:
    """One record with where it came from and which row it will be.

    ``content`` is the digest of the record alone, ``digest`` that of the record with everything else that its row
    depends on, the normaliser's version.
    """

    record: Record
    page: PageBody
    position: int
    kind: str
    identity: Identity | None = None
    view: str = ""
    content: str = ""
    digest: str = ""
    derived: bool = False


def identify(
    source: Source, items: list[Item], rejects: list[tuple[Item, Reject]]
) -> None:
    """Give every record its digests, its view and its row's id, or the reason why it has none."""
    salt = f"{source.version}|".encode()
    for item in items:
        content = hashlib.sha256(canonical(item.record))
        item.content = content.hexdigest()[:32]
        item.digest = hashlib.sha256(salt + content.digest()).hexdigest()[:32]
        item.view = view_of(item.record, item.kind)
        if not isinstance(item.record, dict):
            rejects.append((item, Reject("not_an_object", f"a record must be a JSON object, this is "
                                         f"{values.show(item.record)}")))
            continue
        reject = _set_identity(source, item)
        if reject:
            rejects.append((item, reject))


def _set_identity(source: Source, item: Item) -> Reject | None:
    try:
        identity = source.identify(item.record, item.kind)
    except Exception as error:  # noqa: BLE001 - whatever a record holds, it rejects that record alone
        return Reject("no_id", f"the id cannot be read: {error}"[:500])
    if identity is None:
        return Reject("no_id", f"no id of a {item.kind} record of {source.declaration.name} can be read")
    try:
        if values.text(identity.source_id, LONGEST_ID) != identity.source_id:
            return Reject("no_id", f"{values.show(identity.source_id)} is no id")
    except values.BadValueError as error:
        return Reject("no_id", f"source_id: {error}")
    item.identity = identity
    return None


def derive(source: Source, items: list[Item]) -> list[Item]:
    """Rows of a second table in the same records, where a source has them.

    Such as the DOS in a NOMAD archive, or the crystal in a DOS document of MP.
    """
    further = getattr(source, "derived", None)
    if further is None:
        return []
    result = []
    for item in items:
        if item.identity is None:
            continue
        try:
            kind, records = further([item.record], item.kind) or (item.kind, [])
        except Exception:  # noqa: BLE001, S112 - the record's own row tells what is wrong with it
            continue
        for record in records:
            twin = Item(record, item.page, item.position, kind, content=item.content, digest=item.digest,
                        derived=True)
            twin.view = twin.kind
            if _set_identity(source, twin) is None:
                result.append(twin)
    return result


def view_of(record: Record, kind: str) -> str:
    """Which part of a record this is: its kind and the fields that were asked for.

    Two replies with other fields are two views of one record: each keeps what only the other knows.
    """
    if not isinstance(record, dict):
        return kind
    fields = "\n".join(sorted(map(str, record))).encode("utf-8", "replace")
    return f"{kind}:{hashlib.sha256(fields).hexdigest()[:8]}"


def canonical(record: Record) -> bytes:
    """A record as bytes that do not depend on the order of its keys."""
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except (TypeError, RecursionError):
        try:
            return json.dumps(record, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
        except (TypeError, ValueError, RecursionError):
            return repr(record).encode("utf-8", "backslashreplace")
