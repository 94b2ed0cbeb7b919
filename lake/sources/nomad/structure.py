"""The structure of a NOMAD record, and what its formulas say where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lake.crystal.columns import add_compositions
from lake.crystal.formula import formula, parse, reduced
from lake.sources.batch import Batch
from lake.sources.crystals import Crystal, CrystalError, element_of, occupants, set_crystals
from lake.sources.nomad.view import View
from lake.sources.values import text
from lake.units import ANGSTROM_PER_METRE


def add_structures(batch: Batch, views: Sequence[View]) -> None:
    """Set structures where there are periodic ones, formulas where there are none."""
    crystals = [crystal(view) for view in views]
    set_crystals(batch, crystals)
    counts: list[dict[str, int] | None] = []
    smallest: list[dict[str, int] | None] = []
    for view, found in zip(views, crystals, strict=True):
        counts.append(None if found else _content(view))
        smallest.append(None if found else _stated(view, "chemical_formula_reduced"))
    batch.set("formula_reduced", [formula(reduced(c)) if c else None for c in smallest])
    batch.set("elements", [sorted(c) if c else None for c in smallest])
    batch.set("n_elements", [len(c) if c else None for c in smallest])
    add_compositions(batch, counts)


def crystal(view: View) -> Crystal | None:
    """The final structure: of the calculation, as optimised, as NOMAD represents it, or as OPTIMADE serves it.

    None where there is none, or where it is not periodic in all directions and its cell has no volume.
    """
    candidates = (
        _of_atoms(view.atoms),
        _of_summary(view.of_results("properties", "geometry_optimization", "structure_optimized")),
        _of_summary(view.of_results("properties", "structures", "structure_original")),
        _of_optimade(view.optimade),
    )
    return next((c for c in candidates if c is not None), None)


def count_atoms(view: View) -> int | None:
    """How many atoms the cell holds that a record's extensive values (energy, DOS) are of."""
    found = crystal(view)
    if found is not None:
        try:
            return sum(element is not None for element in occupants(found))
        except CrystalError:
            return None
    labels = view.atoms.get("labels")
    if isinstance(labels, list) and labels:
        return len(labels)
    content = _content(view)
    return sum(content.values()) if content else None


def _of_atoms(atoms: dict[str, Any]) -> Crystal | None:
    labels = atoms.get("labels") or atoms.get("species")
    lattice, positions = atoms.get("lattice_vectors"), atoms.get("positions")
    if not labels or positions is None or _is_open(lattice, atoms.get("periodic")):
        return None
    return Crystal(lattice, positions, _symbols(labels), angstrom=ANGSTROM_PER_METRE)


def _of_summary(structure: Any) -> Crystal | None:
    """From a section of ``results``, lengths in m."""
    return _of_structure(structure, ANGSTROM_PER_METRE)


def _of_optimade(structure: Any) -> Crystal | None:
    """From ``metadata.optimade``, lengths in Å."""
    return _of_structure(structure, 1.0)


def _of_structure(structure: Any, angstrom: float) -> Crystal | None:
    if not isinstance(structure, dict):
        return None
    lattice, positions = structure.get("lattice_vectors"), structure.get("cartesian_site_positions")
    sites = structure.get("species_at_sites")
    if positions is None or not sites or _is_open(lattice, structure.get("dimension_types")):
        return None
    return Crystal(lattice, positions, sites, structure.get("species") or None, angstrom)


def _is_open(lattice: Any, periodic: Any) -> bool:
    """Whether there is no cell: no lattice at all, or vectors of no length where it is not periodic.

    A slab in a box has a cell; a molecule in free space has none.
    """
    if lattice is None:
        return True
    if isinstance(periodic, list) and periodic and not any(periodic):
        return True
    closed = not isinstance(periodic, list) or all(periodic)
    if closed or not isinstance(lattice, list):
        return False
    return any(not isinstance(row, list) or not any(row) for row in lattice)


def _symbols(labels: Any) -> Any:
    return [element_of(label) or label for label in labels] if isinstance(labels, list) else labels


def _content(view: View) -> dict[str, int] | None:
    """The content of the cell by the Hill formula, which NOMAD writes of the cell as computed."""
    return _stated(view, "chemical_formula_hill")


def _stated(view: View, name: str) -> dict[str, int] | None:
    value = view.of_results("material", name)
    if value is None:
        value = view.optimade.get(name)
    return parse(value) if isinstance(value, str) and len(value) <= 1_000 and text(value) else None
