"""An empty catalogue kept in the cache: copying its views and macros takes a tenth of the time of creating them.

DuckDB plans every view and macro as it creates it, together with all that it uses: for those of `sql/` that takes
a quarter of a second, for every connection of every command. Nothing depends on the copy: where it cannot be read
or written, the statements are run.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from lake.store.duck import NO_EXTENSIONS
from lake.store.root import Root

KEPT_SECONDS = 30 * 86_400
"""Copies of other definitions than today's are removed after so long."""
_ATTACHED = "matlake_template"


def cache_folder(root: Root) -> Path:
    """The folder of what can be made again.

    Raises:
        RuntimeError: this user has no home folder, and none is set.
    """
    cache = root.settings.cache_dir or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "matlake"


def copy_definitions(connection: duckdb.DuckDBPyConnection, root: Root, statements: Sequence[str]) -> bool:
    """Create on a connection what statements would create, by copying it from the cache.

    Args:
        connection: to a database without any of it, outside of a transaction.
        root: says where the cache is.
        statements: create views and macros (or replace them), in order, of a database that holds nothing else.

    Returns:
        Whether that could be done; if not, run the statements.
    """
    try:
        path = _template(cache_folder(root), statements)
        target = connection.execute("select current_database()").fetchall()[0][0]
    except (OSError, RuntimeError, duckdb.Error):
        return False
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"attach '{quoted}' as {_ATTACHED} (read_only)")
        connection.execute(f'copy from database {_ATTACHED} to "{target}"')
        connection.execute(f"detach {_ATTACHED}")
    except duckdb.Error:
        # Cut, or of another DuckDB: the next one makes it anew.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        with suppress(duckdb.Error):
            connection.execute(f"detach database if exists {_ATTACHED}")
        return False
    return True


def _template(folder: Path, statements: Sequence[str]) -> Path:
    """The file in which the statements have been run, made if it is not there."""
    mark = hashlib.sha256("\0".join([duckdb.__version__, *statements]).encode()).hexdigest()[:16]
    path = folder / f"definitions-{mark}.duckdb"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _remove_old(folder)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with duckdb.connect(str(beside), config=NO_EXTENSIONS) as connection:
            connection.execute("begin")
            for statement in statements:
                connection.execute(statement)
            connection.execute("commit")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _remove_old(folder: Path) -> None:
    for other in folder.glob("definitions-*.duckdb"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > KEPT_SECONDS:
                other.unlink()
