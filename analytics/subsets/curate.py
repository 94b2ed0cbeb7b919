"""From a recipe to a saved subset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analytics.subsets.funnel import described, funnel_of
from analytics.subsets.gain import gain_of
from analytics.subsets.learn import learned_from
from analytics.subsets.level import corrections_to
from analytics.subsets.members import choose_representatives, choose_same_plus_u, digest_of, members_of
from analytics.subsets.pinned import present_versions
from analytics.subsets.saved import Subset, save, saved
from analytics.subsets.selection import Selection
from analytics.subsets.steps import predicate_of, row_steps
from lake import __version__
from lake.errors import InputError
from lake.store.pinned import connection_at

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.subsets.recipe import Recipe
    from lake.store.lake import Lake


@dataclass(frozen=True)
class Result:
    """What a recipe comes to at some table versions, not saved.

    Attributes:
        subset: all about it; its ``version`` is 0.
        members: rows of `subset_members` without subset and version, by calculation_id.
        selection: every row of the lake and where it was left out; open as long as the connection is.
    """

    subset: Subset
    members: pa.Table
    selection: Selection


def curate(lake: Lake, recipe: Recipe) -> Subset:
    """Make a subset and save it as a version.

    The tables are read at the versions that they have now, and these are written down with it. Where the newest
    version is the same recipe on the same table versions, nothing is made: it is returned with ``is_new`` false.

    Args:
        lake: the lake.
        recipe: what belongs into the subset.

    Raises:
        QueryError: a rule is no condition over one row, or need not mean the same another time.
        InputError: a column or source is not there, or nothing is left; the message shows which step took the rest.
    """
    versions = present_versions(lake, recipe)
    digest = recipe_digest(recipe, versions)
    known = saved(lake, recipe.name)
    if known and known[-1].recipe_sha256 == digest:
        return known[-1]
    with made(lake, recipe, versions) as result:
        if result.members.num_rows == 0:
            raise InputError(
                f"The recipe {recipe.name} leaves no calculation:\n{described(result.subset.funnel['steps'])}\n"
                "Loosen the step that takes the last rows."
            )
        return save(lake, result.subset, result.members)


@contextmanager
def made(lake: Lake, recipe: Recipe, versions: Mapping[str, int]) -> Iterator[Result]:
    """What a recipe comes to at given table versions; the same, whenever it is asked.

    Raises:
        QueryError, InputError: see :func:`curate`.
        TableError: a table has no such version any more.
    """
    with connection_at(lake, versions) as connection:
        with connection_at(lake, {}) as blank:
            steps = row_steps(connection, blank, recipe)
        selection = Selection(connection, recipe, steps)
        extra = _narrowed(selection, recipe)
        members = members_of(selection, recipe, extra.pop("by_id"))
        funnel = {"steps": funnel_of(selection), **extra, "splits": _counts(members, "split")}
        subset = Subset(
            recipe, 0, predicate_of(selection.steps), sentence_of(selection), dict(versions), members.num_rows,
            len(members["material_key"].unique()), _counts(members, "source"), funnel,
            gain_of(selection, members, extra["correction"]),
            recipe_digest(recipe, versions), digest_of(members), __version__, datetime.now(UTC),
        )
        yield Result(subset, members, selection)


def _narrowed(selection: Selection, recipe: Recipe) -> dict[str, Any]:
    """Take the steps that look at more than one row, in the order of the funnel."""
    found: dict[str, Any] = {"learned": None, "correction": None, "by_id": None}
    if recipe.hubbard_u == "same":
        choose_same_plus_u(selection, recipe)
    if recipe.learn:
        learned = learned_from(selection, recipe.learn)
        selection.narrow(learned.step(recipe.learn))
        found["learned"] = learned.facts
    if recipe.correct and selection.n_kept:
        corrections = corrections_to(selection, recipe.correct, recipe.correct_at_least)
        selection.register("impossible", {"calculation_id": corrections.impossible})
        selection.narrow(corrections.step, "select calculation_id from impossible")
        found["correction"], found["by_id"] = corrections.facts, corrections.by_id
    if recipe.members == "one":
        choose_representatives(selection, recipe)
    return found


def sentence_of(selection: Selection) -> str:
    """All rules in words, as one sentence."""
    phrases = [step.phrase for step in selection.steps if step.phrase]
    silent = [step.sentence for step in selection.steps if step.name == "learned" and not step.phrase]
    head = "Calculations" if selection.recipe.deprecated else "Calculations that are not withdrawn"
    text = f"{head}: {'; '.join(phrases)}" if phrases else head
    return ". ".join([text, *(s[0].upper() + s[1:] for s in silent)]) + "."


def recipe_digest(recipe: Recipe, versions: Mapping[str, int]) -> str:
    """The digest of a recipe and the table versions that it is pinned to."""
    text = json.dumps({"recipe": json.loads(recipe.json()), "versions": dict(versions)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _counts(members: pa.Table, column: str) -> dict[str, int]:
    counted = members.group_by(column, use_threads=False).aggregate([([], "count_all")]).to_pylist()
    return {row[column]: row["count_all"] for row in sorted(counted, key=lambda row: row[column])}
