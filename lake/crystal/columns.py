"""What follows from a structure, column by column: validity, formula, volume, space group, keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lake.crystal.formula import ATOMIC_NUMBER, count_species, formula, reduced
from lake.crystal.symmetry import space_group, tool
from lake.sources.batch import Batch

SHORTEST_DISTANCE = 1e-3
"""Cells whose volume per atom is below this (Å³) are no crystals."""


class BadStructureError(ValueError):
    """A structure that is none; the message says why."""


def add_structure_columns(batch: Batch) -> None:
    """Derive every crystal column from lattice, positions and species; reject what is no structure.

    Records without any structure keep the formula columns that their source gave (see
    :func:`add_compositions`) and get no space group and no key.
    """
    given = zip(
        batch.column("lattice_vectors_angstrom"),
        batch.column("fractional_positions"),
        batch.column("species_at_sites"),
        strict=True,
    )
    derived = [_derive(batch, index, *parts) for index, parts in enumerate(given)]
    for name in ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites",
                 "volume_angstrom3_per_atom", "spacegroup_number", "symmetry_tool"):
        batch.set(name, [row.get(name) for row in derived])
    counts = [
        count_species(row["species_at_sites"]) if "species_at_sites" in row else None for row in derived
    ]
    _set_formulas(batch, counts)
    numbers = batch.column("spacegroup_number")
    for key, name in (("cell_key", "formula_cell"), ("reduced_key", "formula_reduced")):
        texts = batch.column(name)
        batch.set(key, [f"{t}_{n}" if t and n else None for t, n in zip(texts, numbers, strict=True)])


def add_compositions(batch: Batch, counts: list[dict[str, int] | None]) -> None:
    """Set the formula columns of records whose structure is not part of the reply (cell contents)."""
    _set_formulas(batch, counts)


def _set_formulas(batch: Batch, counts: list[dict[str, int] | None]) -> None:
    columns = {
        "formula_cell": [formula(c) if c else None for c in counts],
        "formula_reduced": [formula(reduced(c)) if c else None for c in counts],
        "elements": [sorted(c) if c else None for c in counts],
        "n_elements": [len(c) if c else None for c in counts],
        "n_sites": [sum(c.values()) if c else None for c in counts],
    }
    for name, values in columns.items():
        before = batch.column(name)
        batch.set(name, [b if v is None else v for v, b in zip(values, before, strict=True)])


def _derive(batch: Batch, index: int, lattice: Any, positions: Any, species: Any) -> dict[str, Any]:
    if index in batch.rejects or (lattice is None and positions is None):
        return {}
    try:
        vectors, fractions, symbols = _checked(lattice, positions, species)
    except BadStructureError as error:
        batch.reject(index, "bad_structure", str(error))
        return {}
    number = space_group(vectors, fractions, [ATOMIC_NUMBER[s] for s in symbols])
    volume = abs(float(np.linalg.det(np.asarray(vectors))))
    return {
        "lattice_vectors_angstrom": vectors,
        "fractional_positions": fractions,
        "species_at_sites": symbols,
        "volume_angstrom3_per_atom": volume / len(symbols),
        "spacegroup_number": number,
        "symmetry_tool": tool() if number else None,
    }


def _checked(
    lattice: Any, positions: Any, species: Any
) -> tuple[list[list[float]], list[list[float]], list[str]]:
    vectors = _matrix(lattice, "lattice_vectors_angstrom")
    if len(vectors) != 3:
        raise BadStructureError(f"lattice_vectors_angstrom: {len(vectors)} vectors, 3 are needed")
    fractions = _matrix(positions, "fractional_positions")
    if not isinstance(species, list) or len(species) != len(fractions) or not species:
        count = len(species) if isinstance(species, list) else "no"
        raise BadStructureError(f"{len(fractions)} positions, {count} species")
    unknown = [s for s in species if not isinstance(s, str) or s not in ATOMIC_NUMBER]
    if unknown:
        raise BadStructureError(f"species_at_sites: {unknown[0]!r:.40} is no element")
    volume = abs(float(np.linalg.det(np.asarray(vectors))))
    if not math.isfinite(volume) or volume / len(species) < SHORTEST_DISTANCE:
        raise BadStructureError(f"a cell of {volume:g} Å³ for {len(species)} atoms")
    return vectors, fractions, species


def _matrix(rows: Any, name: str) -> list[list[float]]:
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadStructureError(f"{name}: not a list of three numbers each") from None
    if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0:
        raise BadStructureError(f"{name}: shape {array.shape}, (n, 3) is needed")
    if not np.isfinite(array).all() or np.abs(array).max() > 1e6:
        raise BadStructureError(f"{name}: values that are not finite, or beyond 1e6")
    return array.tolist()
