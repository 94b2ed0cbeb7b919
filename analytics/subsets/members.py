"""From rows to members: one representative where asked for, energies on the subset's level, and the split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics.subsets.prints import prints_of, typicality
from analytics.subsets.rule import number_literal
from analytics.subsets.steps import Step

if TYPE_CHECKING:
    from analytics.subsets.recipe import Recipe
    from analytics.subsets.selection import Selection

ROWS_AT_ONCE = 50_000


def choose_same_plus_u(selection: Selection, recipe: Recipe) -> None:
    """Keep, within every material, the rows of one +U."""
    unknown = "kept is null" if recipe.unknown_hubbard_u == "drop" else "false"
    tail = ", or unknown" if recipe.unknown_hubbard_u == "keep" else ", and known"
    step = Step("same_hubbard_u", f"it has the +U that most of its material have{tail}", None,
                "with another +U than most of its material",
                "the same +U within a material" + (" if known" if recipe.unknown_hubbard_u == "keep" else ""))
    selection.narrow(step, f"select calculation_id from same_plus_u('kept') where not kept or {unknown}")  # noqa: S608


def choose_representatives(selection: Selection, recipe: Recipe) -> None:
    """Keep one calculation per material, or per material and database: see `sql/macros/preferred.sql`."""
    grid = recipe.grid or (recipe.learn.grid if recipe.learn else None)
    typical = typicality(prints_of(selection, grid)) if grid else {}
    selection.register("typical", {"calculation_id": list(typical), "typicality": list(typical.values()) or [0.0][:0]})
    selection.connection.execute(
        "create or replace temp table candidates as select kept.*, cast(typicality as double) as typicality "
        "from kept left join typical using (calculation_id)"
    )
    per_source = "true" if recipe.per == "material-and-source" else "false"
    of = "material and database" if recipe.per == "material-and-source" else "material"
    step = Step("representative", f"it is the one that represents its {of}", None,
                f"represented by another of its {of}", f"one per {of}")
    selection.narrow(step, f"select calculation_id from preferred('candidates', {per_source}) where place > 1")  # noqa: S608


def members_of(selection: Selection, recipe: Recipe, corrections: Mapping[str, float] | None) -> pa.Table:
    """The rows that are still in, as rows of `subset_members` without subset and version, by calculation_id."""
    moved = corrections or {}
    selection.register("moved", {"calculation_id": list(moved), "correction": list(moved.values()) or [0.0][:0]})
    train, validation, _ = map(number_literal, recipe.split)
    return selection.rows(
        "select calculation_id, source, material_key, "  # noqa: S608
        f"material_split(reduced_key, {train}, {validation}) as split, "
        "formation_energy_ev_per_atom + coalesce(cast(correction as double), 0) as formation_energy_ev_per_atom, "
        "cast(correction as double) as formation_energy_correction_ev_per_atom "
        "from kept left join moved using (calculation_id) order by calculation_id"
    )


def digest_of(members: pa.Table) -> str:
    """The digest of members in the order of their ids, of the values alone."""
    import orjson

    digest = hashlib.sha256()
    columns = ["calculation_id", "source", "material_key", "split", "formation_energy_ev_per_atom",
               "formation_energy_correction_ev_per_atom"]
    ordered = members.select(columns).sort_by("calculation_id")
    for batch in ordered.combine_chunks().to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
            digest.update(orjson.dumps(row) + b"\n")
    return digest.hexdigest()
