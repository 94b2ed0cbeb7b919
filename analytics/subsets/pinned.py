"""The tables that a subset is made from, at the versions that are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.store.pinned import versions_of

if TYPE_CHECKING:
    from analytics.subsets.recipe import Recipe
    from lake.store.lake import Lake


def tables_read(recipe: Recipe) -> tuple[str, ...]:
    """The tables that decide who is a member."""
    return ("calculations", "fingerprints") if recipe.learn or recipe.grid else ("calculations",)


def present_versions(lake: Lake, recipe: Recipe) -> dict[str, int]:
    """The version that each of these tables is at now."""
    return versions_of(lake, tables_read(recipe))
