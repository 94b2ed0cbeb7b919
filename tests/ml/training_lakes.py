"""Small lakes to learn from: rock salts whose energy is a sum over their elements and a term of their volume."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lake.store.lake import Lake
from lake.tables import TABLES

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
CATIONS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Ti", "Zn")
ANIONS = ("O", "S", "Se", "F", "Cl", "Br", "N", "H")
LEVEL_EV = {name: -0.2 - 0.13 * n for n, name in enumerate(CATIONS)} | {
    name: -1.5 + 0.17 * n for n, name in enumerate(ANIONS)
}


def rock_salt(source: str, cation: str, anion: str, length: float = 4.2, cells: int = 1, **more: Any) -> dict[str, Any]:
    """A row of `calculations`: MX in its primitive cell, or ``cells`` of them in a row."""
    half = length / 2
    lattice = [[0.0, half, half], [half, 0.0, half], [half * cells, half * cells, 0.0]]
    positions = [[x, x, (x + c) / cells] for c in range(cells) for x in (0.0, 0.5)]
    formula = "".join(sorted((cation, anion)))
    cell = formula if cells == 1 else "".join(f"{e}{cells}" for e in sorted((cation, anion)))
    energy = (LEVEL_EV[cation] + LEVEL_EV[anion]) / 2 + 0.1 * (length - 4.2)
    name = more.pop("name", f"{cation}{anion}-{length:g}-{cells}")
    return {
        "calculation_id": f"{source}/{name}", "source": source, "source_id": name, "formula_reduced": formula,
        "formula_cell": cell, "elements": sorted((cation, anion)), "n_elements": 2, "n_sites": 2 * cells,
        "spacegroup_number": 225, "cell_key": f"{cell}_225", "reduced_key": f"{formula}_225",
        "volume_angstrom3_per_atom": length**3 / 8, "lattice_vectors_angstrom": lattice,
        "fractional_positions": positions, "species_at_sites": [cation, anion] * cells,
        "formation_energy_ev_per_atom": energy, "formation_energy_reference": "ours",
        "formation_energy_functional": "pbe", "band_gap_functional": "pbe", "band_gap_ev": max(0.0, -2 * energy),
        "license": "CC-BY-4.0", "redistributable": True, "record_sha256": [("test", name)], "fetched_at": NOW,
    } | more


def rows_of(source: str, length: float = 4.2, **more: Any) -> list[dict[str, Any]]:
    """All 80 rock salts."""
    return [rock_salt(source, c, a, length, **more) for c, a in itertools.product(CATIONS, ANIONS)]


def fill(lake: Lake, rows: list[dict[str, Any]]) -> Lake:
    """Put rows into `calculations`."""
    for source in sorted({row["source"] for row in rows}):
        of_source = [row for row in rows if row["source"] == source]
        lake.upsert("calculations", pa.Table.from_pylist(of_source, schema=TABLES["calculations"].schema))
    return lake


def put_subset(
    lake: Lake, name: str, version: int, members: list[tuple[dict[str, Any], float | None]], correct: str | None = None,
) -> None:
    """Save a subset as curating does: members with the energy on the subset's level, pinned to the tables of now."""
    pinned = lake.versions()["calculations"]
    lines = [{
        "subset": name, "version": version, "calculation_id": row["calculation_id"], "source": row["source"],
        "material_key": row["reduced_key"], "split": "train", "formation_energy_ev_per_atom": energy,
    } for row, energy in members]
    lake.append("subset_members", lambda _: pa.Table.from_pylist(lines, schema=TABLES["subset_members"].schema))
    recipe = json.dumps({"name": name, "split": [0.8, 0.1, 0.1], "correct": correct})
    row = {
        "subset": name, "version": version, "recipe_json": recipe, "predicate_sql": "true", "sentence": "everything",
        "table_versions": [("calculations", pinned)], "n_members": len(lines), "n_materials": len(lines),
        "counts_by_source": [], "funnel_json": "{}", "recipe_sha256": "r", "members_sha256": "m", "created_at": NOW,
    }
    lake.append("subsets", lambda _: pa.Table.from_pylist([row], schema=TABLES["subsets"].schema))
