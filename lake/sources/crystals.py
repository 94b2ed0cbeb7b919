"""Structures given as Cartesian positions and named species, the way of OPTIMADE and NOMAD, as lake columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.crystal.formula import ATOMIC_NUMBER
from lake.sources.batch import Batch
from lake.sources.values import show

_LABEL = re.compile(r"([A-Z][a-z]?)[\d_.+\-]*")
FULL_OCCUPATION = 1e-3
"""How far an occupation may be from 1 and still be one."""


@dataclass(frozen=True)
class Crystal:
    """One structure as a source states it; nothing in it is checked.

    Attributes:
        lattice: 3 × 3, rows a, b, c.
        positions: n × 3, Cartesian, in the same unit.
        sites: n names of species, or element symbols where there are no ``species``.
        species: what the names mean, as OPTIMADE's ``species``; None = the names are elements or labels.
        angstrom: the unit of length in Å.
    """

    lattice: Any
    positions: Any
    sites: Any
    species: Any = None
    angstrom: float = 1.0


class CrystalError(ValueError):
    """A structure that cannot be taken, and the reason code for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def set_crystals(batch: Batch, crystals: Sequence[Crystal | None]) -> None:
    """Set lattice, fractional positions and species from Cartesian structures; reject what is none.

    Rejects with ``disordered_structure`` (partial occupation), ``attached_atoms`` and ``bad_structure``.
    """
    columns: tuple[list[Any], ...] = ([], [], [])
    for index, crystal in enumerate(crystals):
        try:
            parts = (None, None, None) if crystal is None else _columns(crystal)
        except CrystalError as error:
            batch.reject(index, error.reason, str(error))
            parts = (None, None, None)
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    for name, column in zip(
        ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites"), columns, strict=True
    ):
        batch.set(name, column)


def element_of(label: Any) -> str | None:
    """The element in a label such as ``Fe``, ``Fe1`` or ``O_2``; None where there is none."""
    found = _LABEL.fullmatch(label.strip()) if isinstance(label, str) and len(label) < 100 else None
    return found[1] if found and found[1] in ATOMIC_NUMBER else None


def occupants(crystal: Crystal) -> list[str | None]:
    """The element at every site, None for a site that is empty.

    Raises:
        CrystalError: a site is shared, holds something unknown, or carries attached atoms.
    """
    if not isinstance(crystal.sites, list) or not crystal.sites:
        raise CrystalError("bad_structure", f"species at sites: {show(crystal.sites)} is no list of names")
    known = _species(crystal.species)
    return [_occupant(name, known) for name in crystal.sites]


def _columns(crystal: Crystal) -> tuple[list[Any], list[Any], list[str]]:
    elements = occupants(crystal)
    lattice = _array(crystal.lattice, "lattice vectors")
    positions = _array(crystal.positions, "site positions")
    if lattice.shape != (3, 3):
        raise CrystalError("bad_structure", f"lattice vectors: shape {lattice.shape}, (3, 3) is needed")
    if len(positions) != len(elements):
        raise CrystalError("bad_structure", f"{len(positions)} positions, {len(elements)} species")
    try:
        fractional = np.linalg.solve(lattice.T, positions.T).T
    except np.linalg.LinAlgError:
        raise CrystalError("bad_structure", "lattice vectors: they lie in one plane") from None
    filled = [element is not None for element in elements]
    if not any(filled):
        raise CrystalError("bad_structure", "every site is empty")
    if not all(filled):
        fractional = fractional[np.array(filled)]
    scaled = lattice * crystal.angstrom
    return scaled.tolist(), fractional.tolist(), [e for e in elements if e is not None]


def _array(value: Any, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise CrystalError("bad_structure", f"{name}: {show(value)} is no list of three numbers each") from None
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise CrystalError("bad_structure", f"{name}: shape {array.shape}, (n, 3) is needed")
    if not np.isfinite(array).all():
        raise CrystalError("bad_structure", f"{name}: values that are not finite")
    return array


def _species(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, list):
        raise CrystalError("bad_structure", f"species: {show(value)} is no list")
    return {s["name"]: s for s in value if isinstance(s, dict) and isinstance(s.get("name"), str)}


def _occupant(name: Any, known: dict[str, Any]) -> str | None:
    if not isinstance(name, str):
        raise CrystalError("bad_structure", f"species at sites: {show(name)} is no name")
    species = known.get(name)
    if species is None:
        element = element_of(name)
        if element is None:
            raise CrystalError("bad_structure", f"species at sites: {show(name)} is no element")
        return element
    if species.get("attached"):
        raise CrystalError("attached_atoms", f"species {show(name)} has atoms attached without positions")
    symbols, shares = species.get("chemical_symbols"), species.get("concentration")
    if not isinstance(symbols, list) or not symbols:
        raise CrystalError("bad_structure", f"species {show(name)}: chemical_symbols are missing")
    if len(symbols) > 1 or not _is_full(shares):
        raise CrystalError(
            "disordered_structure", f"species {show(name)} is {show(symbols)} with concentrations {show(shares)}"
        )
    if symbols[0] == "vacancy":
        return None
    if not isinstance(symbols[0], str) or symbols[0] not in ATOMIC_NUMBER:
        raise CrystalError("bad_structure", f"species {show(name)}: {show(symbols[0])} is no element")
    return symbols[0]


def _is_full(shares: Any) -> bool:
    """Whether a concentration list says that the only species fills its site; a missing list says nothing else."""
    if shares is None:
        return True
    if not isinstance(shares, list) or len(shares) != 1 or not isinstance(shares[0], int | float):
        return False
    return abs(shares[0] - 1.0) <= FULL_OCCUPATION
