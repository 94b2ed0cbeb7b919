"""The table `rejects`: what stands in it, and when a record leaves it again."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import pyarrow as pa

from lake.ingest.items import Item, canonical
from lake.ingest.outcome import Outcome
from lake.sources.batch import Reject
from lake.store.delta import Change, delete_keys, lookup
from lake.store.lake import Lake
from lake.tables import TABLES

RAW_TEXT_CHARACTERS = 2_000


def reject_id(source: str, item: Item) -> str:
    """The key of a record in `rejects`: what it holds, so that two bad versions are two rows."""
    return hashlib.sha256(f"{source}|{item.kind}|{item.content}".encode()).hexdigest()[:32]


def add_rejects(source: str, rejects: list[tuple[Item, Reject]], outcome: Outcome) -> None:
    """Count the rejected records of some pages and describe them as rows of `rejects`."""
    rows: dict[str, dict[str, Any]] = {}
    for item, reject in rejects:
        if not item.derived:
            outcome.rejected[item.page.fetch_id] += 1
            outcome.reasons[reject.reason] += 1
        named = f"{source}/{item.identity.source_id}" if item.identity else None
        key = reject_id(source, item)
        message = printable(reject.message)
        rows[key] = {
            "reject_id": key,
            "source": source,
            "calculation_id": named,
            "reason": reject.reason,
            "message": message,
            "raw_text": printable(canonical(item.record)[: 4 * RAW_TEXT_CHARACTERS].decode("utf-8", "replace")),
            "raw_sha256": item.page.raw_sha256,
            "position": item.position,
            "record_kind": item.kind,
            "fetched_at": item.page.fetched_at,
            "fingerprint": hashlib.sha256(f"{item.digest}|{reject.reason}|{message}".encode()).hexdigest()[:32],
        }
    if rows:
        outcome.rejects = pa.Table.from_pylist(list(rows.values()), schema=TABLES["rejects"].schema)


def printable(text: str) -> str:
    """A text that any terminal, file and database takes: no control characters, no lone surrogates."""
    shown = "".join(c if c.isprintable() else "�" for c in text[:RAW_TEXT_CHARACTERS])
    return shown.encode("utf-8", "replace").decode()


def commit_rejects(lake: Lake, source: str, rejects: pa.Table) -> Change:
    """Write rejects, but not those of records that a later reply has brought in order."""
    latest = {key: index for index, key in enumerate(rejects.column("reject_id").to_pylist())}
    ids = rejects.column("calculation_id").to_pylist()
    times = rejects.column("fetched_at").to_pylist()
    good = _taken_at(lake, source, sorted({i for i in ids if i}))
    keep = [i for i in latest.values() if ids[i] not in good or good[ids[i]] <= times[i]]
    return lake.upsert("rejects", rejects.take(pa.array(sorted(keep), pa.int64())))


def _taken_at(lake: Lake, source: str, ids: list[str]) -> dict[str, datetime]:
    found = lookup(lake.root, "calculations", source, ids, ["calculation_id", "fetched_at"])
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def clear_rejects(lake: Lake, source: str, tables: list[pa.Table], cleared: list[str]) -> None:
    """Remove the rejects of records that are rows now: the same content, or an earlier reply of the same id."""
    taken: dict[str, datetime] = {}
    for rows in tables:
        times = rows.column("fetched_at").to_pylist()
        for key, moment in zip(rows.column("calculation_id").to_pylist(), times, strict=True):
            taken[key] = max(moment, taken.get(key, moment))
    columns = ["reject_id", "calculation_id", "fetched_at"]
    found = lookup(lake.root, "rejects", source, list(taken), columns, by="calculation_id").to_pylist()
    earlier = [row["reject_id"] for row in found if row["fetched_at"] < taken[row["calculation_id"]]]
    delete_keys(lake.root, "rejects", source, earlier + cleared)
