"""Saved subsets looked at again: verified, set against each other, and asked what they left out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analytics.subsets.curate import made
from analytics.subsets.funnel import left_out_rows
from analytics.subsets.members import digest_of
from analytics.subsets.saved import Subset, find, stored_members

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.store.lake import Lake


@dataclass(frozen=True)
class Verdict:
    """Whether a version still is what it says.

    Attributes:
        subset: the version.
        stored: whether the members in the lake have the digest that was written down.
        repeated: whether the recipe, run again on the pinned versions, gives these members.
        missing: members that a repetition lacks.
        added: members that only a repetition has.
    """

    subset: Subset
    stored: bool
    repeated: bool
    missing: int
    added: int

    @property
    def holds(self) -> bool:
        """Whether all of it is as written down."""
        return self.stored and self.repeated


def verify(lake: Lake, name: str, version: int | None = None) -> Verdict:
    """Run a version again on its pinned tables, and compare digests.

    Raises:
        InputError: there is no such version.
        TableError: a table is not there any more at the version that it was read at.
    """
    subset = find(lake, name, version)
    members = stored_members(lake, name, subset.version)
    with made(lake, subset.recipe, subset.table_versions) as again:
        ids = [set(table["calculation_id"].to_pylist()) for table in (members, again.members)]
        return Verdict(
            subset, digest_of(members) == subset.members_sha256,
            again.subset.members_sha256 == subset.members_sha256, len(ids[0] - ids[1]), len(ids[1] - ids[0]),
        )


def left_out(lake: Lake, name: str, version: int | None = None) -> pa.Table:
    """Every row that a version left out: calculation_id, source, material_key, step, reason.

    Raises:
        InputError, TableError: see :func:`verify`.
    """
    subset = find(lake, name, version)
    with made(lake, subset.recipe, subset.table_versions) as again:
        return left_out_rows(again.selection)


def difference(lake: Lake, name: str, first: int, second: int) -> dict[str, Any]:
    """What changed from one version to another.

    Returns:
        ``recipe``: field → [before, after]; ``tables``: the same for table versions; ``removed`` and ``added``:
        ids of members, and ``removed_because`` and ``added_because``: how many by source and reason, the reason
        being the step of the version without them that leaves them out, or that its lake did not hold them;
        ``changed``: members whose energy or split differs.

    Raises:
        InputError, TableError: see :func:`verify`.
    """
    one, two = find(lake, name, first), find(lake, name, second)
    old, new = (_by_id(stored_members(lake, name, subset.version)) for subset in (one, two))
    removed, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    return {
        "subset": name, "versions": [one.version, two.version],
        "recipe": _changes(json.loads(one.recipe.json()), json.loads(two.recipe.json())),
        "tables": _changes(one.table_versions, two.table_versions),
        "n_members": [one.n_members, two.n_members],
        "removed": removed, "removed_because": _because(lake, two, removed),
        "added": added, "added_because": _because(lake, one, added),
        "changed": sorted(key for key in old.keys() & new.keys() if old[key] != new[key]),
    }


def _by_id(members: pa.Table) -> dict[str, tuple[Any, ...]]:
    return {
        row["calculation_id"]: tuple(value for column, value in row.items() if column not in ("subset", "version"))
        for row in members.to_pylist()
    }


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [old.get(name), new.get(name)] for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _because(lake: Lake, without: Subset, ids: list[str]) -> list[dict[str, Any]]:
    """Why a version does not have some members: counts by source, step and reason, the largest first."""
    if not ids:
        return []
    with made(lake, without.recipe, without.table_versions) as again:
        rows = {row["calculation_id"]: row for row in left_out_rows(again.selection).to_pylist()}
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in ids:
        row = rows.get(one)
        step, reason = (row["step"], row["reason"]) if row else ("lake", "the lake did not hold it")
        counts[one.partition("/")[0], step, reason] += 1
    return [
        {"source": source, "step": step, "reason": reason, "n": n}
        for (source, step, reason), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
