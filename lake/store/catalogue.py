"""`lake.duckdb`: one view per table over its current files, and the views of `sql/views/`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from lake.errors import QueryError
from lake.store.delta import file_list, open_table
from lake.store.duck import connect, duckdb_type
from lake.store.root import Root
from lake.store.template import cache_folder, copy_definitions
from lake.tables import TABLES

FILE_NAME = "lake.duckdb"


def snapshot(root: Root, at: Mapping[str, int] | None = None) -> dict[str, DeltaTable | None]:
    """Every table as it is now, or at the version that ``at`` gives for it."""
    return {name: open_table(root, name, (at or {}).get(name)) for name in TABLES}


def versions(tables: Mapping[str, DeltaTable | None]) -> dict[str, int]:
    """The version of every table that something was written to."""
    return {name: delta.version() for name, delta in tables.items() if delta is not None}


def catalogue_path(root: Root) -> Path:
    """Where `lake.duckdb` lies: in the root, or for s3:// in a folder of the cache named by the root."""
    if root.is_local:
        return Path(root.uri) / FILE_NAME
    return cache_folder(root) / hashlib.sha256(root.uri.encode()).hexdigest()[:16] / FILE_NAME


def refresh(root: Root) -> Path:
    """Write `lake.duckdb` anew beside the old one and rename it over: a reader never sees half of it."""
    target = catalogue_path(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    while True:
        tables = snapshot(root)
        beside = target.with_name(f".{FILE_NAME}.{secrets.token_hex(4)}")
        try:
            with connect(root, str(beside)) as connection:
                create_views(connection, root, tables)
                # One transaction: each commit of its own would be written through to the disk.
                connection.execute("begin")
                _create_versions(connection, tables)
                connection.execute("commit")
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        # Another writer's older snapshot must not end up on top of a newer one.
        if versions(snapshot(root)) == versions(tables):
            return target


def create_views(
    connection: duckdb.DuckDBPyConnection, root: Root, tables: Mapping[str, DeltaTable | None]
) -> None:
    """Create the views of the tables, and what `sql/` ships, on a connection to an empty database.

    Raises:
        QueryError: a view or macro of `sql/` cannot be created.
    """
    empty = {name: _view(name, None) for name in TABLES}
    copied = copy_definitions(connection, root, [*empty.values(), *_shipped_definitions().values()])
    connection.execute("begin")
    for name, delta in tables.items():
        if not copied or file_list(delta):
            connection.execute(_view(name, delta))
    for name, statement in ({} if copied else _shipped_definitions()).items():
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            raise QueryError(f"A definition of sql/ cannot be created: {name}: {error}") from error
    connection.execute("commit")


def _view(name: str, delta: DeltaTable | None) -> str:
    return f'create or replace view "{name}" as {select_table(name, delta)}'


@lru_cache(maxsize=1)
def _shipped_definitions() -> dict[str, str]:
    """The statements that create the macros of `sql/macros/` and the views of `sql/views/`, in order."""
    sql = files("sql")
    statements = {}
    for folder, start in (("macros", ""), ("views", 'create or replace view "{name}" as ')):
        for path in sql.joinpath(folder).iterdir():
            if path.name.endswith(".sql"):
                name = path.name.removesuffix(".sql")
                statements[name] = start.format(name=name) + path.read_text()
    return {name: statements[name] for name in _in_order(statements)}


def _in_order(statements: Mapping[str, str]) -> list[str]:
    """The names such that each comes after those that its statement speaks of.

    Raises:
        QueryError: two need each other.
    """
    used = {
        name: {word for word in re.findall(r"\w+", re.sub(r"--.*", "", statement)) if word in statements} - {name}
        for name, statement in sorted(statements.items())
    }
    try:
        return list(TopologicalSorter(used).static_order())
    except CycleError as error:
        raise QueryError(f"Definitions of sql/ need each other: {' → '.join(error.args[1])}.") from error


def select_table(name: str, delta: DeltaTable | None) -> str:
    """The SELECT of a view over a table's current files, with every declared column in its type."""
    table = TABLES[name]
    types = {field.name: duckdb_type(field.type) for field in table.schema}
    paths = file_list(delta)
    if delta is None or not paths:
        columns = ", ".join(f'cast(null as {t}) as "{c}"' for c, t in types.items())
        return f"select {columns} where false"
    present = {field.name for field in delta.schema().fields}
    columns = ", ".join(f'"{c}"' if c in present else f'cast(null as {t}) as "{c}"' for c, t in types.items())
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return (
        f"select {columns} from read_parquet([{listed}], "  # noqa: S608
        "hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    )


def _create_versions(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, DeltaTable | None]
) -> None:
    connection.execute(
        "create or replace table lake_tables "
        '("table" varchar, version bigint, files bigint, description varchar, refreshed_at timestamptz)'
    )
    rows: list[object] = []
    for name, delta in tables.items():
        version = None if delta is None else delta.version()
        rows += [name, version, len(file_list(delta)), TABLES[name].description]
    # In one statement: each takes a millisecond or two, and there are as many as tables.
    places = ", ".join(["(?, ?, ?, ?, now())"] * len(tables))
    connection.execute(f"insert into lake_tables values {places}", rows)  # noqa: S608
