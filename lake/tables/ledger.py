"""The two ledgers of an ingest: `fetches`, what was taken, and `rejects`, what could not be."""

from __future__ import annotations

from lake.tables.spec import INT, LONG, STRING, TIME, Column, Table

FETCHES = Table(
    name="fetches",
    description="one page or file taken from a source",
    columns=(
        Column("fetch_id", STRING, "digest of source and request", nullable=False),
        Column("source", STRING, "database", nullable=False),
        Column("request", STRING, "what was asked, as JSON without keys or tokens; for files their digest"),
        Column("origin", STRING, "URL or file name, for a person"),
        Column("cursor", STRING, "where in the walk the page stands"),
        Column("bytes", LONG, "size of the reply as it came", "byte"),
        Column("sha256", STRING, "digest of the reply, its name under raw/<source>/"),
        Column("records", INT, "records in the reply"),
        Column("rejected", INT, "records of it that could not be taken"),
        Column("status", STRING, "taken or failed", nullable=False),
        Column("message", STRING, "why it failed"),
        Column("fetched_at", TIME, "when the reply was taken", nullable=False),
        Column("fingerprint", STRING, "digest of sha256, status and counts", nullable=False),
    ),
    key=("source", "fetch_id"),
    partition_by=("source",),
    fingerprint="fingerprint",
)

REJECTS = Table(
    name="rejects",
    description="one record that could not be taken",
    columns=(
        Column("reject_id", STRING, "digest of source and record", nullable=False),
        Column("source", STRING, "database", nullable=False),
        Column("calculation_id", STRING, "id of the record, where it can be read"),
        Column("reason", STRING, "reason code: bad_value, no_id, bad_structure, out_of_range, …", nullable=False),
        Column("message", STRING, "what was wrong, and in which column", nullable=False),
        Column("raw_text", STRING, "the first 2,000 characters of the record"),
        Column("raw_sha256", STRING, "the reply that it came in, under raw/<source>/"),
        Column("position", INT, "which record of that reply, from 0"),
        Column("record_kind", STRING, "kind of record"),
        Column("fetched_at", TIME, "when the reply was taken", nullable=False),
        Column("fingerprint", STRING, "digest of reason and message", nullable=False),
    ),
    key=("source", "reject_id"),
    partition_by=("source",),
    fingerprint="fingerprint",
)
