"""What follows from a structure, column by column: validity, formula, volume, space group, keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lake.crystal.cells import BadStructureError, Cells, gather
from lake.crystal.formula import count_species, formula, reduced
from lake.crystal.symmetry import space_groups, tool
from lake.sources.batch import Batch

__all__ = ["BadStructureError", "add_compositions", "add_structure_columns"]


def add_structure_columns(batch: Batch) -> None:
    """Derive every crystal column from lattice, positions and species; reject what is no structure.

    Reads ``lattice_vectors_angstrom`` (3 × 3, Å), ``fractional_positions`` (n × 3) and ``species_at_sites``
    (n symbols); sets ``volume_angstrom3_per_atom``, ``spacegroup_number``, ``symmetry_tool``, the formula
    columns, ``cell_key`` and ``reduced_key``. A structure that is none rejects its record (``bad_structure``).
    Records without any structure keep the formula columns that their source gave (see
    :func:`add_compositions`) and get no space group and no key.
    """
    cells = gather(batch)
    species = batch.column("species_at_sites")
    symbols = [list(species[index]) for index in cells.index]
    _set_geometry(batch, cells, symbols)
    numbers = space_groups(cells)
    _spread(batch, cells, "spacegroup_number", numbers)
    _spread(batch, cells, "symmetry_tool", [tool() if number else None for number in numbers])
    counts: list[dict[str, int] | None] = [None] * len(batch)
    for index, of_cell in zip(cells.index, symbols, strict=True):
        counts[index] = count_species(of_cell)
    _set_formulas(batch, counts)
    found = batch.column("spacegroup_number")
    for key, name in (("cell_key", "formula_cell"), ("reduced_key", "formula_reduced")):
        texts = batch.column(name)
        batch.set(key, [f"{t}_{n}" if t and n else None for t, n in zip(texts, found, strict=True)])


def add_compositions(batch: Batch, counts: list[dict[str, int] | None]) -> None:
    """Set the formula columns of records whose structure is not part of the reply (cell contents)."""
    _set_formulas(batch, counts)


def _set_geometry(batch: Batch, cells: Cells, symbols: list[list[str]]) -> None:
    ends = cells.ends.tolist()
    sites = cells.positions.tolist()
    _spread(batch, cells, "lattice_vectors_angstrom", cells.lattices.tolist())
    _spread(batch, cells, "fractional_positions",
            [sites[start:end] for start, end in zip([0, *ends], ends, strict=False)])
    _spread(batch, cells, "species_at_sites", symbols)
    _spread(batch, cells, "volume_angstrom3_per_atom", (cells.volumes / cells.counts).tolist())


def _spread(batch: Batch, cells: Cells, name: str, values: Iterable[Any]) -> None:
    """Set a column from one value per cell; records without one get null."""
    column: list[Any] = [None] * len(batch)
    for index, value in zip(cells.index, values, strict=True):
        column[index] = value
    batch.set(name, column)


def _set_formulas(batch: Batch, counts: list[dict[str, int] | None]) -> None:
    columns: dict[str, list[Any]] = {
        "formula_cell": [formula(c) if c else None for c in counts],
        "formula_reduced": [formula(reduced(c)) if c else None for c in counts],
        "elements": [sorted(c) if c else None for c in counts],
        "n_elements": [len(c) if c else None for c in counts],
        "n_sites": [sum(c.values()) if c else None for c in counts],
    }
    for name, values in columns.items():
        before = batch.column(name)
        batch.set(name, [b if v is None else v for v, b in zip(values, before, strict=True)])
