"""Where a row is from and under which licence; rows under CC BY-NC are left out unless they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lake.sources.batch import Batch, dig
from lake.sources.mp.declaration import LICENSE, LICENSE_BY_NC, WEB_URL
from lake.sources.mp.functionals import release
from lake.sources.values import text

CONTROLLED_BATCHES = frozenset({"gnome_r2scan_statics"})
"""Batches whose terms must be accepted first, as the API's heartbeat lists them."""
CONTROLLED = "matlake_access_controlled"
"""Set on records read from S3 whose batch the heartbeat lists."""


def add_provenance(batch: Batch, ids: list[str | None], page: str, options: Mapping[str, str]) -> None:
    """Set URL, release and licence of every row; reject BY-NC rows (``by_nc``) unless they are wanted.

    Args:
        batch: the records.
        ids: the id in the URL of every record's page.
        page: the part of the web site that shows them: materials or tasks.
        options: the source options of this ingest.
    """
    batch.set("source_url", [f"{WEB_URL}/{page}/{i}" if i else None for i in ids])
    batch.set("database_version", [database_version(record) for record in batch.records])
    limited = [is_by_nc(record) for record in batch.records]
    batch.set("license", [LICENSE_BY_NC if nc else LICENSE for nc in limited])
    batch.set("redistributable", [not nc for nc in limited])
    if options.get("include_by_nc", "false") != "true":
        for index, nc in enumerate(limited):
            if nc:
                batch.reject(index, "by_nc", "under CC BY-NC: left out; take it with the option include_by_nc=true")


def is_by_nc(record: Mapping[str, Any]) -> bool:
    """Whether a record is under CC BY-NC: it says so, or its batch is known to be."""
    stated = dig(record, ("builder_meta", "license")) or record.get("license")
    if isinstance(stated, str) and stated.strip().upper().replace("_", "-") == "BY-NC":
        return True
    batches = (record.get("batch_id"), dig(record, ("builder_meta", "batch_id")))
    return record.get(CONTROLLED) is True or any(isinstance(b, str) and b in CONTROLLED_BATCHES for b in batches)


def database_version(record: Mapping[str, Any]) -> str | None:
    """The release that a record is from; the partition of an S3 table counts where the record is silent."""
    stated = dig(record, ("builder_meta", "database_version"))
    for value in (stated, record.get("version")):
        if isinstance(value, str) and release(value):
            return text(value, 100)
    return None
