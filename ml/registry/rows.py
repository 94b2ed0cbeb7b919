"""Rows of `models`: found by name, written so that nobody ever sees half of a model.

The learning curve is written first, and that commit claims the version: of two writers at once one sees the other's
rows and takes the next number. The row of `models` comes last and makes the model visible. A writer that dies in
between leaves rows that belong to no model, and a number that is not given again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError, TableError
from lake.store.catalogue import select_table
from lake.store.duck import connect
from lake.tables import TABLES
from ml.registry.champion import champion_id

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MODEL_ID = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})\.([1-9][0-9]{0,8})")


def check_name(name: str) -> str:
    """The name of a model, once it is sure that it is one.

    Raises:
        InputError: it is none.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"{name!r:.80} cannot be the name of a model: a–z, 0–9, _ and -, at most 64, the first "
                         "a letter or number.")
    return name


def saved(lake: Lake, name: str | None = None) -> list[dict[str, Any]]:
    """All versions of all models or of one, by name and version, as rows of `models`."""
    where = None if name is None else f"name = '{check_name(name)}'"
    rows = [plain(row) for row in lake.read("models", where=where).to_pylist()]
    return sorted(rows, key=lambda row: (row["name"], row["version"]))


def find(lake: Lake, name_or_id: str) -> dict[str, Any]:
    """The row of a model, by id (``name.version``) or by name: the champion, or without one the newest version.

    Raises:
        InputError: there is no such model; the message names those that are.
    """
    found = MODEL_ID.fullmatch(name_or_id)
    name = found[1] if found else name_or_id
    versions = saved(lake, name) if NAME.fullmatch(name) else []
    if not versions:
        names = sorted({row["name"] for row in saved(lake)})
        close = get_close_matches(name, names, n=1)
        hint = f" Is {close[0]} meant?" if close else ""
        listed = f"Models: {', '.join(names)}." if names else "There are none so far: matlake train makes one."
        raise InputError(f"There is no model {name_or_id!r:.80}.{hint} {listed}")
    wanted = name_or_id if found else champion_id(lake, name) or versions[-1]["model_id"]
    for row in versions:
        if row["model_id"] == wanted:
            return row
    numbers = ", ".join(str(row["version"]) for row in versions)
    raise InputError(f"The model {name} has no version {wanted.rpartition('.')[2]}. Versions: {numbers}.")


def claim(lake: Lake, name: str, curve: Sequence[Mapping[str, Any]]) -> int:
    """Write a learning curve under a version that nobody has; the number."""
    claimed = 0
    schema = TABLES["learning_curves"].schema
    points = list(curve) or [{"step": 0}]

    def make(delta: DeltaTable | None) -> pa.Table:
        nonlocal claimed
        there = [row["version"] for row in saved(lake, name)]
        claimed = max([_last_claimed(lake, delta, name), *there]) + 1
        rows = [{"model_id": f"{name}.{claimed}", **point} for point in points]
        return pa.Table.from_pylist(rows, schema=schema)

    lake.append("learning_curves", make)
    return claimed


def insert(lake: Lake, row: Mapping[str, Any]) -> None:
    """Add a row to `models`.

    Raises:
        TableError: its version is there already.
    """
    schema = TABLES["models"].schema

    def make(delta: DeltaTable | None) -> pa.Table:
        with connect(lake.root) as connection:
            there = connection.execute(
                f"select count(*) from ({select_table('models', delta)}) where model_id = $model_id",  # noqa: S608
                {"model_id": row["model_id"]},
            ).fetchall()
        if there[0][0]:
            raise TableError(f"The model {row['model_id']} is there already, written by another program.")
        return pa.Table.from_pylist([stored(row) | {"created_at": datetime.now(UTC)}], schema=schema)

    lake.append("models", make)


def update(lake: Lake, model_id: str, **columns: Any) -> dict[str, Any]:
    """Write other values into some columns of a model's row, such as its calibration.

    Returns:
        The row as it is now.

    Raises:
        InputError: there is no such model.
        TableError: no such columns, or ones that tell which model it is.
    """
    row = find(lake, model_id)
    fixed = {"model_id", "name", "version", "weights_sha256", "folder"} & set(columns)
    unknown = set(columns) - set(TABLES["models"].schema.names)
    if fixed or unknown:
        raise TableError(f"{', '.join(sorted(fixed | unknown))} of a model cannot be changed.")
    changed = row | columns
    lake.replace(
        "models", pa.Table.from_pylist([stored(changed)], schema=TABLES["models"].schema),
        {"name": row["name"], "version": row["version"]},
    )
    return changed


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its map as a dict."""
    return dict(row) | {"table_versions": dict(row["table_versions"])}


def stored(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as Arrow takes it."""
    return dict(row) | {"table_versions": sorted(dict(row["table_versions"]).items())}


def _last_claimed(lake: Lake, delta: DeltaTable | None, name: str) -> int:
    with connect(lake.root) as connection:
        found = connection.execute(
            f"select distinct model_id from ({select_table('learning_curves', delta)}) "  # noqa: S608
            "where starts_with(model_id, $name || '.')", {"name": name},
        ).fetchall()
    return max((int(model_id.rpartition(".")[2]) for (model_id,) in found), default=0)
