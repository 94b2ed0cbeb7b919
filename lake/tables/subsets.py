"""Homogeneous subsets: `subsets`, the recipes with everything that they were made from, and their members."""

from __future__ import annotations

from lake.tables.spec import FLOAT, INT, LONG, LONG_MAP, STRING, TIME, Column, Table

SUBSETS = Table(
    name="subsets",
    description="one version of a named recipe: its rules, the table versions it is pinned to, what it left out",
    columns=(
        Column("subset", STRING, "name of the recipe", nullable=False),
        Column("version", INT, "counts up from 1", nullable=False),
        Column("recipe_json", STRING, "what was asked: all that makes the members again", nullable=False),
        Column("predicate_sql", STRING, "the rules as one SQL condition over `calculations`", nullable=False),
        Column("sentence", STRING, "the rules in words", nullable=False),
        Column("table_versions", LONG_MAP, "version of every table that was read", nullable=False),
        Column("n_members", LONG, "calculations in it", nullable=False),
        Column("n_materials", LONG, "materials in it", nullable=False),
        Column("counts_by_source", LONG_MAP, "members by database", nullable=False),
        Column("funnel_json", STRING, "how many rows each rule left and took away, in order", nullable=False),
        Column("gain_json", STRING, "spread within materials and offset between databases, before and after"),
        Column("recipe_sha256", STRING, "digest of recipe and table versions", nullable=False),
        Column("members_sha256", STRING, "digest of the members", nullable=False),
        Column("matlake_version", STRING, "the matlake that made it"),
        Column("created_at", TIME, "when it was saved", nullable=False),
    ),
    key=("subset", "version"),
    partition_by=(),
    fingerprint="recipe_sha256",
)

SUBSET_MEMBERS = Table(
    name="subset_members",
    description="one calculation of one version of a subset",
    columns=(
        Column("subset", STRING, "name of the recipe", nullable=False),
        Column("version", INT, "version of the recipe", nullable=False),
        Column("calculation_id", STRING, "<source>/<id in that source>", nullable=False),
        Column("source", STRING, "database", nullable=False),
        Column("material_key", STRING, "the material: all rows of one go to one split", nullable=False),
        Column("split", STRING, "train, validation or test, by a digest of the material", nullable=False),
        Column("formation_energy_ev_per_atom", FLOAT, "formation energy on the subset's level", "eV/atom"),
        Column("formation_energy_correction_ev_per_atom", FLOAT,
               "what was added to bring it there; null = not corrected", "eV/atom"),
    ),
    key=("subset", "version", "calculation_id"),
    partition_by=("subset",),
    fingerprint="material_key",
)
