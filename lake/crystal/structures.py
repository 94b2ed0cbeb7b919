"""pymatgen ``Structure`` → row → ``Structure``, nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lake.crystal.formula import SYMBOLS
from lake.crystal.rows import Geometry, per_site, read_row, write_row
from lake.errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core.composition import Composition
    from pymatgen.core.structure import Structure

_ABSENT = {"@absent": True}
"""Stands for a site property that other sites have and this one has not (which is not the same as None)."""


def row_from_structure(structure: Structure) -> dict[str, Any]:
    """The structure columns of a pymatgen ``Structure``.

    Kept exactly: lattice (Å) and its periodicity, fractional coordinates, species with oxidation state and spin,
    partial occupancies, isotopes (D, T), site labels and properties, charge, properties. A plain structure has
    null extras. The element of a partially occupied site is its most frequent one.

    Args:
        structure: a ``Structure`` or ``IStructure`` (which comes back as ``Structure``).

    Returns:
        ``lattice_vectors_angstrom``, ``fractional_positions``, ``species_at_sites`` and
        ``structure_extras_json``, as in the table `calculations`.

    Raises:
        StructureError: the structure holds something that a row cannot (dummy species, objects as properties).
    """
    sites = list(getattr(structure, "sites", []))
    if not sites or not hasattr(structure, "lattice"):
        raise StructureError(f"A {type(structure).__name__} without lattice or sites is no crystal.")
    symbols = [_element(site.species, number) for number, site in enumerate(sites)]
    extras = {
        "charge": getattr(structure, "_charge", None),
        "pbc": None if all(structure.lattice.pbc) else [bool(p) for p in structure.lattice.pbc],
        "species": _species(sites),
        "labels": _or_none([None if s.label == s.species_string else s.label for s in sites]),
        "site_properties": _site_properties(sites),
        "properties": structure.properties or None,
    }
    return write_row(
        structure.lattice.matrix,
        np.array([site.frac_coords for site in sites]),
        symbols,
        {name: value for name, value in extras.items() if value is not None},
    )


def structure_from_row(row: Any) -> Structure:
    """The pymatgen ``Structure`` of a row of `calculations`.

    Args:
        row: one row as dict or pandas Series, from pyarrow, polars, DuckDB or pandas, with the structure columns.
            A row made from ASE atoms gives its arrays as site properties and its info as properties.

    Returns:
        The structure; for a row of :func:`row_from_structure` equal to the one that it was made from.

    Raises:
        StructureError: the row has no structure, or its columns are missing or broken.
    """
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.sites import PeriodicSite
    from pymatgen.core.structure import Structure

    geometry = read_row(row)
    extras, n_sites = geometry.extras, len(geometry.symbols)
    compositions = _compositions(geometry)
    labels = per_site(extras.get("labels") or [None] * n_sites, n_sites, "labels")
    pbc = extras.get("pbc") or (True, True, True)
    lattice = Lattice(geometry.lattice, pbc=tuple(pbc))
    columns = extras.get("site_properties") or _atoms_arrays(extras.get("ase"))
    sites = [
        PeriodicSite(composition, position, lattice, label=label, skip_checks=True)
        for composition, position, label in zip(compositions, geometry.positions, labels, strict=True)
    ]
    structure = Structure.from_sites(
        sites, charge=extras.get("charge"), properties=extras.get("properties") or _atoms_info(extras.get("ase"))
    )
    for name, values in columns.items():
        for site, value in zip(structure, per_site(values, n_sites, name), strict=True):
            if not (isinstance(value, dict) and value.keys() == _ABSENT.keys()):
                site.properties[name] = value
    return structure


def _element(species: Composition, number: int) -> str:
    kinds = sorted(species, key=lambda kind: (-species[kind], kind.symbol))
    element = getattr(kinds[0], "element", kinds[0]) if kinds else None
    z = getattr(element, "Z", 0)
    if not 1 <= z <= len(SYMBOLS) or any(type(kind).__name__ not in ("Element", "Species") for kind in kinds):
        raise StructureError(f"Site {number} holds {species}, which is no element: a row cannot hold it.")
    return SYMBOLS[z - 1]


def _species(sites: list[Any]) -> list[Any] | None:
    """What sits on each site where it is more than one neutral atom of an element, else None."""
    return _or_none([None if _is_plain(site.species) else [_kind(k, site.species[k]) for k in site.species]
                     for site in sites])


def _is_plain(species: Composition) -> bool:
    from pymatgen.core.periodic_table import Element

    kinds = list(species)
    return len(kinds) == 1 and type(kinds[0]) is Element and species[kinds[0]] == 1 and kinds[0].name in SYMBOLS


def _kind(kind: Any, occupancy: float) -> dict[str, Any]:
    # The name, not the symbol: pymatgen's symbol of deuterium is H.
    if type(kind).__name__ == "Element":
        return {"element": kind.name, "occupancy": occupancy}
    return {"element": kind.element.name, "occupancy": occupancy,
            "oxidation_state": kind.oxi_state, "spin": kind.spin}


def _compositions(geometry: Geometry) -> list[Composition]:
    from pymatgen.core.composition import Composition
    from pymatgen.core.periodic_table import Element, Species

    def species(entry: dict[str, Any]) -> Any:
        if "oxidation_state" in entry or "spin" in entry:
            return Species(entry["element"], entry.get("oxidation_state"), spin=entry.get("spin"))
        return Element(entry["element"])

    plain = {symbol: Composition({Element(symbol): 1}) for symbol in set(geometry.symbols)}
    kinds = per_site(geometry.extras.get("species") or [None] * len(geometry.symbols), len(geometry.symbols),
                     "species")
    try:
        return [
            plain[symbol] if entries is None else Composition({species(e): e.get("occupancy", 1) for e in entries})
            for symbol, entries in zip(geometry.symbols, kinds, strict=True)
        ]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise StructureError(f"structure_extras_json: species cannot be read: {error!r:.200}") from None


def _site_properties(sites: list[Any]) -> dict[str, list[Any]] | None:
    names = dict.fromkeys(name for site in sites for name in site.properties)
    return {name: [site.properties.get(name, _ABSENT) for site in sites] for name in names} or None


def _or_none(values: list[Any]) -> list[Any] | None:
    return values if any(value is not None for value in values) else None


def _atoms_arrays(section: Any) -> dict[str, list[Any]]:
    arrays = (section or {}).get("arrays") or {}
    return {"magmom" if name == "initial_magmoms" else name: list(values) for name, values in arrays.items()}


def _atoms_info(section: Any) -> dict[str, Any] | None:
    return (section or {}).get("info")
