"""Delta tables: created on first use, written by key with optimistic commits, read by their own file list."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.errors import TableError
from lake.store.root import Root
from lake.tables import TABLES, Table

Result = TypeVar("Result")

ATTEMPTS = 60
FILES_BEFORE_COMPACTION = 24
LONGEST_PAUSE_SECONDS = 2.0
ONCE = CommitProperties(max_commit_retries=0)
WRITER = WriterProperties(compression="ZSTD", compression_level=3)


@dataclass(frozen=True)
class Change:
    """What an upsert did, in rows."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(
            self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged
        )


def open_table(root: Root, name: str, version: int | None = None) -> DeltaTable | None:
    """A table as it is now, or at a version; None where nothing was written to it yet.

    Raises:
        TableError: there is no such version.
    """
    if root.is_local:
        # Most tables of most lakes: asking deltalake for each would take milliseconds.
        try:
            os.stat(root.path(name, "_delta_log"))
        except FileNotFoundError:
            return None
        except OSError:
            pass  # deltalake says what is wrong
    try:
        return DeltaTable(root.path(name), version=version, storage_options=root.storage_options or None)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        raise TableError(f"Table {name} in {root.uri} cannot be opened: {error}") from error


def create(root: Root, table: Table) -> DeltaTable:
    """The table as declared, made empty where nothing was written to it yet."""
    if root.is_local:
        from pathlib import Path

        Path(root.uri).mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        root.path(table.name),
        schema=table.schema,
        mode="ignore",
        partition_by=list(table.partition_by),
        name=table.name,
        description=table.description,
        storage_options=root.storage_options or None,
    )


def file_list(delta: DeltaTable | None) -> list[str]:
    """The files that a snapshot consists of: what every reader must use instead of a glob."""
    if delta is None:
        return []
    return sorted(unquote(uri.removeprefix("file://")) for uri in delta.file_uris())


def lookup(
    root: Root, name: str, partition: str | None, keys: list[str], columns: list[str], by: str | None = None
) -> pa.Table:
    """Some columns of one partition's rows whose key (or column ``by``) is one of the given.

    Args:
        root: the lake's root.
        name: the table.
        partition: value of its partition column, such as a source; None for a table without one.
        keys: values to look for.
        columns: columns wanted.
        by: the column that holds the values; default: the last one of the table's key.
    """
    return _lookup(root, TABLES[name], open_table(root, name), partition, keys, columns, by)


def _lookup(
    root: Root, table: Table, delta: DeltaTable | None, partition: str | None, keys: list[str], columns: list[str],
    by: str | None = None,
) -> pa.Table:
    schema = pa.schema([table.schema.field(c) for c in columns])
    files = _partition(table, delta, partition)
    if not files or not keys:
        return schema.empty_table()
    from lake.store.duck import reader

    with reader(root) as connection:
        quoted = ", ".join(f'"{c}"' for c in columns)
        found = connection.sql(
            f"select {quoted} from read_parquet($files, hive_partitioning = true, union_by_name = true) "  # noqa: S608
            f'semi join (select unnest($keys::varchar[]) as wanted) on "{by or table.key[-1]}" = wanted',
            # As a parameter: registering an Arrow table would import pandas.
            params={"files": files, "keys": keys},
        ).to_arrow_table()
        return found.cast(schema)


def upsert(root: Root, name: str, rows: pa.Table) -> Change:
    """Insert new rows, update changed ones, leave the others alone; nothing changed commits nothing.

    Rows must be of one partition and unique by the last column of the key. A row differs where its fingerprint
    does; where the fingerprint is a map by view of the record, a row from another view keeps what it does not know.
    Each try reads one snapshot and commits only if nobody else did since, so two writers cannot both insert
    a row: that holds for appends as well, which Delta by itself would let through.

    Raises:
        TableError: the commit failed for another reason than a concurrent one, or too often.
    """
    table = TABLES[name]
    if rows.num_rows == 0:
        return Change()
    return retried(name, lambda: _commit(root, table, open_table(root, name) or create(root, table), rows))


def retried(name: str, write: Callable[[], Result]) -> Result:
    """What a write returns once nobody else commits in the middle of it; it opens its snapshot itself."""
    for attempt in range(ATTEMPTS):
        try:
            return write()
        except CommitFailedError:
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2 ** min(attempt, 8))))  # noqa: S311
        except DeltaError as error:
            if "concurrent" not in str(error).lower():
                raise TableError(f"Table {name} could not be written: {error}") from error
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311
    raise TableError(f"Table {name} could not be committed in {ATTEMPTS} tries: too many writers at once.")


def _commit(root: Root, table: Table, delta: DeltaTable, rows: pa.Table) -> Change:
    key = table.key[-1]
    part = partition_of(table, rows)
    keys = rows.column(key).to_pylist()
    if len(set(keys)) != len(keys):
        raise TableError(f"Rows for {table.name} are not unique by {key}.")
    known = _fingerprints(_lookup(root, table, delta, part, keys, [key, table.fingerprint]), table)
    new, changed = [], []
    for index, (row_key, mark) in enumerate(
        zip(keys, rows.column(table.fingerprint).to_pylist(), strict=True)
    ):
        if row_key not in known:
            new.append(index)
        elif not _same(known[row_key], mark):
            changed.append(index)
    if changed:
        updated = _take(rows, changed)
        if pa.types.is_map(table.schema.field(table.fingerprint).type):
            columns = [c.name for c in table.columns]
            old = _lookup(root, table, delta, part, updated.column(key).to_pylist(), columns)
            updated = _filled(table, old, updated)
        _merge(table, delta, pa.concat_tables([_take(rows, new), updated]))
    elif new:
        write_deltalake(
            delta, _take(rows, new), mode="append", commit_properties=ONCE, writer_properties=WRITER
        )
    return Change(len(new), len(changed), rows.num_rows - len(new) - len(changed))


def _take(rows: pa.Table, indices: list[int]) -> pa.Table:
    return rows.take(pa.array(indices, pa.int64()))


def _merge(table: Table, delta: DeltaTable, rows: pa.Table) -> None:
    predicate = " and ".join(f"t.{c} = s.{c}" for c in table.key)
    (
        delta.merge(
            rows, predicate, source_alias="s", target_alias="t",
            commit_properties=ONCE, writer_properties=WRITER,
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )


def _fingerprints(found: pa.Table, table: Table) -> dict[str, Any]:
    marks = found.column(table.fingerprint).to_pylist()
    return dict(zip(found.column(table.key[-1]).to_pylist(), marks, strict=True))


def _same(old: Any, new: Any) -> bool:
    if isinstance(new, list):
        return not set(map(tuple, new)) - set(map(tuple, old or []))
    return bool(old == new)


def _filled(table: Table, old: pa.Table, new: pa.Table) -> pa.Table:
    """New rows with the old values where they know nothing, if they come from another view of the record."""
    by_key = {row[table.key[-1]]: row for row in old.to_pylist()}
    rows = new.to_pylist()
    for row in rows:
        before = by_key[row[table.key[-1]]]
        marks = dict(before[table.fingerprint])
        marks.update(row[table.fingerprint])
        if len(marks) > 1:
            for column, value in before.items():
                if row[column] is None:
                    row[column] = value
        row[table.fingerprint] = sorted(marks.items())
    return pa.Table.from_pylist(rows, schema=table.schema)


def partition_of(table: Table, rows: pa.Table) -> str | None:
    """The value of the partition column that all rows share; None for a table without one.

    Raises:
        TableError: the rows are of several partitions.
    """
    if not table.partition_by:
        return None
    values = rows.column(table.partition_by[0]).unique().to_pylist()
    if len(values) != 1:
        raise TableError(f"Rows for {table.name} are of several partitions: {', '.join(map(str, values[:5]))}.")
    return str(values[0])


def compact(root: Root, name: str, partition: str) -> None:
    """Merge the many small files that batches leave in one partition; the rows stay as they are.

    A reader opens every file, so thousands of small ones would cost it seconds. Where another writer commits at
    the same time, its next ingest will do it.
    """
    table, delta = TABLES[name], open_table(root, name)
    if delta is None or len(_partition(table, delta, partition)) < FILES_BEFORE_COMPACTION:
        return
    with suppress(CommitFailedError):
        delta.optimize.compact(
            partition_filters=[(table.partition_by[0], "=", partition)], max_concurrent_tasks=1,
            writer_properties=WRITER, commit_properties=ONCE,
        )


def _partition(table: Table, delta: DeltaTable | None, partition: str | None) -> list[str]:
    if partition is None:
        return file_list(delta)
    return [path for path in file_list(delta) if f"/{table.partition_by[0]}={partition}/" in path]


def delete_keys(root: Root, name: str, partition: str, keys: list[str]) -> int:
    """Remove the rows of one partition with the given keys; returns how many there were.

    Raises:
        TableError: the commit failed for another reason than a concurrent one, or too often.
    """
    return retried(name, lambda: _delete(root, TABLES[name], open_table(root, name), partition, keys))


def _delete(root: Root, table: Table, delta: DeltaTable | None, partition: str, keys: list[str]) -> int:
    key = table.key[-1]
    matched = _lookup(root, table, delta, partition, keys, [key]).column(0).to_pylist()
    if delta is None or not matched:
        return 0
    condition = f"{key} in ({', '.join(map(quoted, matched))})"
    delta.delete(
        f"{table.partition_by[0]} = {quoted(partition)} and {condition}", commit_properties=ONCE,
        writer_properties=WRITER,
    )
    return len(matched)


def quoted(value: str | int | float) -> str:
    """A value as it stands in a Delta predicate."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
