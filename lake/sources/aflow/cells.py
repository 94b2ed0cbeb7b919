"""From AFLOW's cell constants, composition and positions to vectors, sites and formula counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.crystal.columns import add_compositions
from lake.crystal.formula import parse, reduced
from lake.sources.aflow.lists import numbers, quantity, texts, triples
from lake.sources.batch import Batch
from lake.sources.values import whole

Floats = NDArray[np.float64]
ANGLE_TOLERANCE_DEGREES = 0.01


def vectors(constants: Floats) -> Floats:
    """Lattice vectors in the standard orientation: a along x, b in the xy plane.

    Args:
        constants: n × 6, a, b, c in Å and α, β, γ in degrees.

    Returns:
        n × 3 × 3, rows a, b, c in Å; NaN where the constants are NaN or span no cell.
    """
    a, b, c = constants[:, :3].T
    # cos(90°) must be 0 exactly: a metric that is off by 1e-16 is noise in every key and round trip
    alpha, beta, gamma = np.cos(np.radians(constants[:, 3:].T))
    right = np.abs(constants[:, 3:].T - 90.0) < 1e-12
    alpha, beta, gamma = (np.where(r, 0.0, cos) for r, cos in zip(right, (alpha, beta, gamma), strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        sine = np.sqrt(1.0 - gamma**2)
        across = (alpha - beta * gamma) / sine
        height = np.sqrt(1.0 - beta**2 - across**2)
    zero = np.zeros_like(a)
    rows = [[a, zero, zero], [b * gamma, b * sine, zero], [c * beta, c * across, c * height]]
    return np.moveaxis(np.array(rows, dtype=np.float64), 2, 0)


def add_cells(batch: Batch) -> tuple[list[Any], list[Any], Floats]:
    """Set structure and formula columns, rejecting records that contradict themselves.

    Returns:
        Per record the number of atoms behind its energies, and the elements in AFLOW's order, None where unknown;
        and the cell constants, n × 6 (Å, degrees), NaN where unknown.
    """
    stated = batch.cleaned("composition", batch.values("composition"), _counts)
    atoms = batch.cleaned("natoms", batch.values("natoms"), lambda v: whole(quantity(v)))
    compounds = batch.cleaned("compound", batch.values("compound"), _compound)
    species = batch.cleaned("species", batch.values("species"), _elements)
    cells = [
        _cell(batch, index, *parts)
        for index, parts in enumerate(zip(species, stated, compounds, atoms, strict=True))
    ]
    counts = [dict(zip(names, n, strict=True)) if names and n else None for names, n in cells]
    add_compositions(batch, counts)
    totals = [stated_n or (sum(n) if n else None) for (_, n), stated_n in zip(cells, atoms, strict=True)]
    elements = [names or given for (names, _), given in zip(cells, species, strict=True)]
    constants = _constants(batch)
    _add_structures(batch, counts, constants)
    return totals, elements, constants


def _constants(batch: Batch) -> Floats:
    found = batch.cleaned("geometry", batch.values("geometry"), numbers)
    rows = np.full((len(batch), 6), np.nan)
    for index, row in enumerate(found):
        if row is None:
            continue
        if len(row) != 6 or None in row:
            batch.reject(index, "bad_structure", f"geometry: {len(row)} numbers, a, b, c, α, β, γ are needed")
        else:
            rows[index] = row
    return rows


def _add_structures(batch: Batch, counts: list[dict[str, int] | None], constants: Floats) -> None:
    cells = vectors(constants)
    fractional = batch.cleaned("positions_fractional", batch.values("positions_fractional"), triples)
    cartesian = batch.cleaned("positions_cartesian", batch.values("positions_cartesian"), triples)
    lattices: list[Any] = []
    positions: list[Any] = []
    sites: list[Any] = []
    for index, count in enumerate(counts):
        place = fractional[index]
        if place is None and cartesian[index] is not None:
            place = _to_fractional(cartesian[index], constants[index])
        whole_cell = place is not None and count is not None and not np.isnan(constants[index]).any()
        if not whole_cell or index in batch.rejects:
            place = count = None
        elif not np.isfinite(cells[index]).all():
            batch.reject(index, "bad_structure", f"geometry: {constants[index].tolist()} spans no cell")
            place = count = None
        lattices.append(None if place is None else cells[index].tolist())
        positions.append(None if place is None else place.tolist())
        sites.append(None if count is None else [e for e, n in count.items() for _ in range(n)])
    batch.set("lattice_vectors_angstrom", lattices)
    batch.set("fractional_positions", positions)
    batch.set("species_at_sites", sites)
    _check_counts(batch, positions, sites)


def _check_counts(batch: Batch, positions: list[Any], sites: list[Any]) -> None:
    for index, (place, site) in enumerate(zip(positions, sites, strict=True)):
        if place is not None and len(place) != len(site):
            batch.reject(index, "contradictory", f"{len(place)} positions, but the composition has {len(site)} atoms")


def _to_fractional(cartesian: Floats, constants: Floats) -> Floats | None:
    """Fractional positions where the orientation of AFLOW's Cartesian axes follows from the constants.

    AFLOW's own axes (Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010)) agree with ours for right
    angles; for hexagonal cells they are turned by 60°; elsewhere a guess would be a wrong crystal.
    """
    a, b = constants[:2]
    right = np.abs(constants[3:] - 90.0) < ANGLE_TOLERANCE_DEGREES
    lattice = vectors(constants[None])[0]
    if right.all():
        return np.asarray(np.linalg.solve(lattice.T, cartesian.T).T)
    if right[:2].all() and abs(constants[5] - 120.0) < ANGLE_TOLERANCE_DEGREES and abs(a - b) < 1e-3:
        half, tall = a / 2, a * np.sqrt(3) / 2
        own = np.array([[half, -tall, 0.0], [half, tall, 0.0], lattice[2]])
        return np.asarray(np.linalg.solve(own.T, cartesian.T).T)
    return None


def _cell(
    batch: Batch, index: int, species: list[str] | None, stated: list[int] | None,
    compound: dict[str, int] | None, atoms: int | None,
) -> tuple[list[str] | None, list[int] | None]:
    """Elements and their counts in the cell, in AFLOW's order, once all that is stated agrees."""
    names = species or (list(compound) if compound else None)
    if names is None:
        return None, None
    counts = stated or ([compound.get(name, 0) for name in names] if compound else None)
    if counts is None:
        return names, None
    fault = _fault(names, counts, compound, atoms)
    if fault:
        batch.reject(index, "contradictory", fault)
        return names, None
    return names, counts


def _fault(names: list[str], counts: list[int], compound: dict[str, int] | None, atoms: int | None) -> str | None:
    if len(set(names)) != len(names):
        return f"species: {', '.join(names)} names an element twice"
    if len(names) != len(counts):
        return f"{len(names)} species, but the composition has {len(counts)} counts"
    cell = dict(zip(names, counts, strict=True))
    if compound is not None and reduced(compound) != reduced(cell):
        return f"species and composition give {cell}, compound {compound}"
    # Some entries hold a primitive cell beside the counts and energies of a larger one of the same crystal.
    known = {sum(counts), sum(compound.values()) if compound else 0}
    if atoms is not None and atoms not in known:
        return f"natoms is {atoms}, but the composition has {sum(counts)} atoms"
    return None


def _compound(value: Any) -> dict[str, int] | None:
    return parse(value.strip()) if isinstance(value, str) and len(value) < 1_000 else None


def _elements(value: Any) -> list[str] | None:
    # Be_sv and Ac:PAW_GGA:11Apr2000 name pseudopotentials of Be and Ac
    found = texts(value)
    return None if found is None else [name.partition("_")[0].partition(":")[0] for name in found]


def _counts(value: Any) -> list[int] | None:
    """Atoms by element; null where AFLOW gives fractions (partial occupation has no cell of atoms)."""
    found = numbers(value)
    if not found or any(n is None or n != int(n) or not 0 < n < 1e6 for n in found):
        return None
    return [int(n) for n in found if n is not None]
