"""Writes that replace or add rows as a whole, for results that are computed and not merged by key.

``publish`` makes files visible that workers have written beside the table: until then no reader sees them, and
afterwards every reader sees all of them.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction

from lake.errors import TableError
from lake.store.delta import ONCE, WRITER, create, open_table, quoted, retried
from lake.store.root import Root
from lake.tables import TABLES, Table

Value = str | int | float
ROW_GROUP_ROWS = 100_000
DICTIONARY_BYTES = 2**26


@dataclass(frozen=True)
class Part:
    """One Parquet file in a table's folder that is not yet a part of the table.

    ``path`` is relative to the table's folder.
    """

    path: str
    size: int
    rows: int
    minima: Mapping[str, Value]
    maxima: Mapping[str, Value]


def replace(root: Root, name: str, rows: pa.Table, where: Mapping[str, Value]) -> int:
    """Put rows in the place of those whose columns have the given values, in one commit.

    Args:
        root: the lake's root.
        name: the table.
        rows: what is there afterwards; all of them must have these values, and there may be none.
        where: column → value.

    Returns:
        The version that holds them.

    Raises:
        TableError: rows with other values, or the commit failed too often.
    """
    table = TABLES[name]
    for column, value in where.items():
        if rows.num_rows and rows.column(column).unique().to_pylist() != [value]:
            raise TableError(f"Rows for {name} are meant for {column} = {value!r} and have other values there.")

    def write() -> int:
        delta = open_table(root, name) or create(root, table)
        write_deltalake(
            delta, rows.select(table.schema.names).cast(table.schema), mode="overwrite",
            predicate=" and ".join(f"{column} = {quoted(value)}" for column, value in where.items()),
            commit_properties=ONCE, writer_properties=WRITER,
        )
        return version_of(delta)

    return retried(name, write)


def append(root: Root, name: str, make: Callable[[DeltaTable | None], pa.Table]) -> int:
    """Append the rows that ``make`` returns for the table as it is; made anew if somebody else committed.

    Returns:
        The version that holds them.

    Raises:
        TableError: the commit failed for another reason than a concurrent one, or too often.
    """
    table = TABLES[name]

    def write() -> int:
        delta = open_table(root, name) or create(root, table)
        rows = make(delta)
        if rows.num_rows:
            write_deltalake(
                delta, rows.select(table.schema.names).cast(table.schema), mode="append",
                commit_properties=ONCE, writer_properties=WRITER,
            )
        return version_of(delta)

    return retried(name, write)


def version_of(delta: DeltaTable) -> int:
    """The version that a table object has come to."""
    delta.update_incremental()
    return int(delta.version())


def write_part(root: Root, name: str, partition: Mapping[str, str], file_name: str, rows: pa.Table) -> Part:
    """Write rows into a table's folder as a file that no reader sees before it is published.

    Args:
        root: the lake's root.
        name: the table.
        partition: value of every partition column, in the table's order.
        file_name: a name that no other writer uses; the same name again overwrites the file.
        rows: the rows; partition columns may be left out. Where a column of strings comes as a dictionary, the file
            has one row group with that dictionary, which spares writing every string by itself.
    """
    table = TABLES[name]
    stored = [field for field in table.schema if field.name not in table.partition_by]
    encoded = [field.name for field in stored if pa.types.is_dictionary(rows.schema.field(field.name).type)]
    kept = [field.with_type(rows.schema.field(field.name).type) if field.name in encoded else field for field in stored]
    chosen = rows.select([field.name for field in stored]).cast(pa.schema(kept))
    sink = io.BytesIO()
    if encoded:
        # Statistics of a column of strings cost as much as writing it; the file's own are in the commit.
        pq.write_table(
            chosen, sink, compression="zstd", row_group_size=max(chosen.num_rows, 1), use_dictionary=encoded,
            write_statistics=[field.name for field in stored if field.name not in encoded[1:]],
            dictionary_pagesize_limit=DICTIONARY_BYTES, store_schema=False,
        )
    else:
        pq.write_table(chosen, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    path = _part_path(table, partition, file_name)
    content = sink.getvalue()
    root.write(content, name, *path.split("/"))
    minima, maxima = _extremes(chosen)
    return Part(path, len(content), chosen.num_rows, minima, maxima)


def publish(root: Root, name: str, partition: Mapping[str, str], parts: Sequence[Part]) -> int:
    """Make the given files the whole content of a partition, in one commit.

    Returns:
        The version that holds them.

    Raises:
        TableError: the commit failed for another reason than a concurrent one, or too often.
    """
    table = TABLES[name]

    def write() -> int:
        delta = open_table(root, name) or create(root, table)
        # Published before (a run that was interrupted after its commit): Delta refuses to add a file twice.
        present = set(delta.file_uris()) if delta.version() else set()
        if parts and {_uri(root, name, part.path) for part in parts} == {
            uri for uri in present if f"/{_folder(table, partition)}/" in uri
        }:
            return int(delta.version())
        delta.create_write_transaction(
            [_action(part, partition) for part in parts], "overwrite", table.schema, list(table.partition_by),
            [(column, "=", value) for column, value in partition.items()], commit_properties=ONCE,
        )
        return version_of(delta)

    return retried(name, write)


def _uri(root: Root, name: str, path: str) -> str:
    return root.path(name, path)


def _folder(table: Table, partition: Mapping[str, str]) -> str:
    return "/".join(f"{column}={quote(partition[column])}" for column in table.partition_by)


def _part_path(table: Table, partition: Mapping[str, str], file_name: str) -> str:
    folder = _folder(table, partition)
    return f"{folder}/{file_name}" if folder else file_name


def _action(part: Part, partition: Mapping[str, str]) -> AddAction:
    stats = {"numRecords": part.rows, "minValues": dict(part.minima), "maxValues": dict(part.maxima)}
    now = int(time.time() * 1000)
    return AddAction(part.path, part.size, dict(partition), now, True, json.dumps(stats))


def _extremes(rows: pa.Table) -> tuple[dict[str, Value], dict[str, Value]]:
    minima: dict[str, Value] = {}
    maxima: dict[str, Value] = {}
    for field in rows.schema:
        column = rows.column(field.name)
        if pa.types.is_dictionary(field.type):
            column = column.unique().dictionary_decode()
        if rows.num_rows and (pa.types.is_string(column.type) or pa.types.is_primitive(column.type)):
            found = pa.compute.min_max(column).as_py()
            if isinstance(found["min"], str | int | float) and not isinstance(found["min"], bool):
                minima[field.name], maxima[field.name] = found["min"], found["max"]
    return minima, maxima
