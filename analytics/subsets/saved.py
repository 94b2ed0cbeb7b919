"""Saved subsets: rows of `subsets`, read and written so that nobody ever sees half of one.

Members are written first, and that commit claims the version: of two writers at once one sees the other's rows and
takes the next number. The row of `subsets` makes them visible. A writer that dies in between leaves members
that no view shows, and a number that is not given again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics.subsets.recipe import Recipe, check_name
from lake.errors import InputError
from lake.store.catalogue import select_table
from lake.store.duck import connect
from lake.tables import TABLES

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake


@dataclass(frozen=True)
class Subset:
    """One version of a subset. ``version`` 0 = not saved.

    Attributes:
        recipe: what was asked.
        version: its number, from 1.
        predicate_sql: the rules that look at one row, as one condition over `calculation_traits`.
        sentence: all rules in words.
        table_versions: table → version that was read; -1 = nothing had been written to it.
        n_members: calculations in it.
        n_materials: materials in it.
        counts_by_source: members by database.
        funnel: ``steps`` (:func:`analytics.subsets.funnel.funnel_of`), ``learned``, ``correction``, ``splits``.
        gain: what homogeneity bought (:func:`analytics.subsets.gain.gain_of`).
        recipe_sha256: digest of recipe and table versions.
        members_sha256: digest of the members.
        matlake_version: the matlake that made it.
        created_at: when it was saved.
        is_new: false where the newest version already was this recipe on these table versions.
    """

    recipe: Recipe
    version: int
    predicate_sql: str
    sentence: str
    table_versions: dict[str, int]
    n_members: int
    n_materials: int
    counts_by_source: dict[str, int]
    funnel: dict[str, Any]
    gain: dict[str, Any]
    recipe_sha256: str
    members_sha256: str
    matlake_version: str
    created_at: datetime
    is_new: bool = False

    @property
    def name(self) -> str:
        """The name of the subset."""
        return self.recipe.name

    def row(self) -> dict[str, Any]:
        """The row of `subsets`."""
        return {
            "subset": self.name, "version": self.version, "recipe_json": self.recipe.json(),
            "predicate_sql": self.predicate_sql, "sentence": self.sentence,
            "table_versions": sorted(self.table_versions.items()), "n_members": self.n_members,
            "n_materials": self.n_materials, "counts_by_source": sorted(self.counts_by_source.items()),
            "funnel_json": json.dumps(self.funnel, ensure_ascii=False),
            "gain_json": json.dumps(self.gain, ensure_ascii=False), "recipe_sha256": self.recipe_sha256,
            "members_sha256": self.members_sha256, "matlake_version": self.matlake_version,
            "created_at": self.created_at,
        }

    @classmethod
    def of(cls, row: dict[str, Any]) -> Subset:
        """The subset that a row of `subsets` tells of."""
        return cls(
            Recipe.of(json.loads(row["recipe_json"])), row["version"], row["predicate_sql"], row["sentence"],
            dict(row["table_versions"]), row["n_members"], row["n_materials"], dict(row["counts_by_source"]),
            json.loads(row["funnel_json"]), json.loads(row["gain_json"] or "{}"), row["recipe_sha256"],
            row["members_sha256"], row["matlake_version"], row["created_at"],
        )


def saved(lake: Lake, name: str | None = None) -> list[Subset]:
    """All versions of all subsets or of one, by name and version."""
    where = None if name is None else f"subset = '{check_name(name)}'"
    rows = lake.read("subsets", where=where).to_pylist()
    return [Subset.of(row) for row in sorted(rows, key=lambda row: (row["subset"], row["version"]))]


def find(lake: Lake, name: str, version: int | None = None) -> Subset:
    """One version of a subset; None = the newest.

    Raises:
        InputError: there is no such subset or version; the message names those that are.
    """
    versions = saved(lake, name)
    if not versions:
        names = sorted(set(lake.read("subsets", ["subset"])["subset"].to_pylist()))
        raise InputError(f"There is no subset {name!r}. Subsets: {', '.join(names) or 'none so far'}.")
    if version is None:
        return versions[-1]
    for one in versions:
        if one.version == version:
            return one
    numbers = ", ".join(str(one.version) for one in versions)
    raise InputError(f"The subset {name} has no version {version}. Versions: {numbers}.")


def stored_members(lake: Lake, name: str, version: int) -> pa.Table:
    """The rows of `subset_members` of one version, by calculation_id."""
    found = lake.read("subset_members", where=f"subset = '{check_name(name)}' and version = {int(version)}")
    return found.sort_by("calculation_id")


def save(lake: Lake, subset: Subset, members: pa.Table) -> Subset:
    """Write members and recipe under the next version.

    Returns:
        The saved subset; or the newest version, if it is the same recipe on the same table versions.
    """
    newest = _newest(saved(lake, subset.name), subset)
    if newest:
        return newest
    claimed = replace(subset, version=_claim(lake, subset.name, members))
    there: list[Subset] = []

    def make(delta: DeltaTable | None) -> pa.Table:
        there[:] = []
        schema = TABLES["subsets"].schema
        others = saved_at(lake, delta, subset.name)
        if same := _newest(others, subset):
            # Somebody else saved the same at the same time: theirs stands.
            there.append(same)
            return schema.empty_table()
        return pa.Table.from_pylist([replace(claimed, created_at=datetime.now(UTC)).row()], schema)

    lake.append("subsets", make)
    return there[0] if there else replace(find(lake, subset.name, claimed.version), is_new=True)


def _newest(versions: list[Subset], subset: Subset) -> Subset | None:
    same = versions and versions[-1].recipe_sha256 == subset.recipe_sha256
    return versions[-1] if same else None


def _claim(lake: Lake, name: str, members: pa.Table) -> int:
    """Write the members under a version that nobody has; the number."""
    claimed = 0
    schema = TABLES["subset_members"].schema

    def make(delta: DeltaTable | None) -> pa.Table:
        nonlocal claimed
        claimed = _last_version(lake, delta, "subset_members", name) + 1
        n = members.num_rows
        columns = {
            "subset": pa.repeat(pa.scalar(name), n), "version": pa.repeat(pa.scalar(claimed, pa.int32()), n),
            **{column: members[column] for column in members.column_names},
        }
        return pa.table(columns).select(schema.names).cast(schema)

    lake.append("subset_members", make)
    return claimed


def saved_at(lake: Lake, delta: DeltaTable | None, name: str) -> list[Subset]:
    """All versions of a subset in one snapshot of `subsets`."""
    with connect(lake.root) as connection:
        found = connection.sql(
            f"from ({select_table('subsets', delta)}) where subset = $name order by version", params={"name": name}
        ).to_arrow_table()
    return [Subset.of(row) for row in found.to_pylist()]


def _last_version(lake: Lake, delta: DeltaTable | None, table: str, name: str) -> int:
    with connect(lake.root) as connection:
        found = connection.execute(
            f"select max(version) from ({select_table(table, delta)}) where subset = $name", {"name": name}  # noqa: S608
        ).fetchall()
    return int(found[0][0] or 0)
