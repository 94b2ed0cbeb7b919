"""The lake as one object: open it, read it, write to it by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import duckdb
import pyarrow as pa

from lake.errors import TableError
from lake.settings import Settings, default_settings
from lake.store import catalogue, delta, whole
from lake.store.duck import connect, reader
from lake.store.root import Root
from lake.tables import TABLES

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Lake:
    """A lake: Delta tables, raw replies and a DuckDB catalogue below one root."""

    root: Root
    settings: Settings

    @classmethod
    def open(cls, root: str | None = None, settings: Settings | None = None) -> Lake:
        """The lake at a folder or s3:// URI; default: the setting ``MATLAKE_ROOT``. Nothing is written yet."""
        settings = settings or default_settings()
        return cls(Root.of(root or settings.root, settings), settings)

    def versions(self) -> dict[str, int]:
        """The current Delta version of every table that something was written to."""
        return catalogue.versions(catalogue.snapshot(self.root))

    def files(self, name: str, version: int | None = None) -> list[str]:
        """The Parquet files that a table consists of, now or at a version.

        Never glob a table's folder: it also holds files that later commits replaced.
        """
        self._known(name)
        return delta.file_list(delta.open_table(self.root, name, version))

    def connect(self, versions: Mapping[str, int] | None = None) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB connection with a view per table, empty ones included.

        Args:
            versions: table → Delta version to show; the other tables are shown as of now.
        """
        connection = connect(self.root)
        catalogue.create_views(connection, self.root, catalogue.snapshot(self.root, versions))
        return connection

    def read(
        self, name: str, columns: Sequence[str] | None = None, where: str | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows of a table as Arrow.

        Args:
            name: the table.
            columns: which columns; default all.
            where: a DuckDB condition. It is SQL: never build it from outside input.
            version: a Delta version; default the current one.

        Raises:
            TableError: no such table or column.
        """
        schema = self._known(name)
        unknown = set(columns or ()) - set(schema.names)
        if unknown:
            raise TableError(f"Table {name} has no column {', '.join(sorted(unknown))}.")
        if columns:
            schema = pa.schema([schema.field(c) for c in columns])
        rows = catalogue.select_table(name, delta.open_table(self.root, name, version))
        listed = ", ".join(f'"{c}"' for c in schema.names)
        condition = f" where {where}" if where else ""
        with reader(self.root) as connection:
            found = connection.sql(f'select {listed} from ({rows}) as "{name}"{condition}')  # noqa: S608
            return found.to_arrow_table().cast(schema)

    def scan(self, name: str, version: int | None = None) -> pl.LazyFrame:
        """A table as a polars LazyFrame over its own file list."""
        import polars as pl

        schema = self._known(name)
        paths = self.files(name, version)
        if not paths:
            return cast("pl.DataFrame", pl.from_arrow(schema.empty_table())).lazy()
        options = None if self.root.is_local else self.root.storage_options
        return pl.scan_parquet(
            paths, glob=False, hive_partitioning=True, storage_options=options, missing_columns="insert"
        ).select(schema.names)

    def upsert(self, name: str, rows: pa.Table) -> delta.Change:
        """Insert new rows and update changed ones by key; see :func:`lake.store.delta.upsert`."""
        self._known(name)
        return delta.upsert(self.root, name, rows)

    def replace(self, name: str, rows: pa.Table, where: Mapping[str, whole.Value]) -> int:
        """Put rows in the place of those with the given values; see :func:`lake.store.whole.replace`."""
        self._known(name)
        return whole.replace(self.root, name, rows, where)

    def append(self, name: str, make: Callable[[DeltaTable | None], pa.Table]) -> int:
        """Append rows made from the table as it is; see :func:`lake.store.whole.append`."""
        self._known(name)
        return whole.append(self.root, name, make)

    def write_part(
        self, name: str, partition: Mapping[str, str], file_name: str, rows: pa.Table
    ) -> whole.Part:
        """Write a file that no reader sees before it is published; see :func:`lake.store.whole.write_part`."""
        self._known(name)
        return whole.write_part(self.root, name, partition, file_name, rows)

    def publish(self, name: str, partition: Mapping[str, str], parts: Sequence[whole.Part]) -> int:
        """Make files the whole content of a partition; see :func:`lake.store.whole.publish`."""
        self._known(name)
        return whole.publish(self.root, name, partition, parts)

    def refresh(self) -> Path:
        """Rebuild `lake.duckdb`; returns its path."""
        return catalogue.refresh(self.root)

    @property
    def catalogue_path(self) -> Path:
        """Where `lake.duckdb` lies."""
        return catalogue.catalogue_path(self.root)

    def _known(self, name: str) -> pa.Schema:
        if name not in TABLES:
            raise TableError(f"There is no table {name!r}. Tables: {', '.join(TABLES)}.")
        return TABLES[name].schema
