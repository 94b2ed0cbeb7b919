"""pymatgen's structure dicts (and CIF texts) as lake columns, without building pymatgen objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from lake.crystal.extras import dumps
from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import StructureError
from lake.sources.batch import Batch
from lake.sources.mp.cif import read_cif
from lake.sources.mp.geometry import BadGeometryError, Geometry
from lake.sources.values import show

FULL_OCCUPATION = 1e-3
"""How far an occupation may be from 1 and still be one."""
LONGEST_EXTRAS = 500_000
_CHARGED = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)([+-])")
_ISOTOPES = {"D": "H", "T": "H"}
_ABSENT = {"@absent": True}
_NOTHING = Geometry(None, None, None)


@dataclass(slots=True)
class _Site:
    symbol: str
    kind: dict[str, Any] | None
    """What the site holds, where that is more than a neutral atom."""


def set_structures(batch: Batch, values: Sequence[Any]) -> list[int | None]:
    """Set lattice, positions, species and extras from one structure per record; reject what is none.

    A structure is a pymatgen dict, its JSON text, or a CIF text; null stays null. Rejects with
    ``disordered_structure`` (partial occupation) and ``bad_structure``.

    Returns:
        The number of atoms of every record, None where there is no structure.
    """
    lattices: list[Any] = []
    positions: list[Any] = []
    species: list[Any] = []
    extras: list[str | None] = []
    for index, value in enumerate(values):
        geometry = None
        try:
            geometry = read_structure(value)
        except BadGeometryError as error:
            batch.reject(index, error.reason, str(error))
        geometry = geometry or _NOTHING
        lattices.append(geometry.lattice)
        positions.append(geometry.positions)
        species.append(geometry.species)
        extras.append(geometry.extras)
    batch.set("lattice_vectors_angstrom", lattices)
    batch.set("fractional_positions", positions)
    batch.set("species_at_sites", species)
    batch.set("structure_extras_json", extras)
    return [None if s is None else len(s) for s in species]


def read_structure(value: Any) -> Geometry | None:
    """The geometry in a structure dict, its JSON text or a CIF text; None for null and empty text.

    Raises:
        BadGeometryError: it is none of these, or the structure is disordered.
    """
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not text.startswith("{"):
            return read_cif(text)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadGeometryError(f"structure: a text that is neither JSON nor CIF ({error})") from None
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadGeometryError(f"structure: {show(value)} is no structure")
    return _from_dict(value)


def _from_dict(value: dict[str, Any]) -> Geometry:
    lattice = value.get("lattice")
    matrix = lattice.get("matrix") if isinstance(lattice, dict) else lattice
    sites = value.get("sites")
    if not isinstance(matrix, list):
        raise BadGeometryError("structure.lattice.matrix: missing")
    if not isinstance(sites, list) or not sites:
        raise BadGeometryError(f"structure.sites: {show(sites)} is no list of sites")
    species: list[str] = []
    kinds: list[dict[str, Any] | None] = []
    positions: list[Any] = []
    for number, site in enumerate(sites):
        try:
            (kind,) = site["species"]
            symbol = kind["element"]
            plain = kind["occu"] == 1 and len(kind) == 2 and symbol in ATOMIC_NUMBER
        except (KeyError, TypeError, ValueError):
            plain = False
        if plain:
            species.append(symbol)
            kinds.append(None)
        else:
            read = _read_site(site, number)
            species.append(read.symbol)
            kinds.append(read.kind)
        positions.append(site.get("abc"))
    if any(position is None for position in positions):
        positions = _fractional(matrix, positions, sites)
    return Geometry(matrix, positions, species, _extras(value, sites, species, kinds))


def _read_site(site: Any, number: int) -> _Site:
    """One site that is not just a neutral atom."""
    if not isinstance(site, dict):
        raise BadGeometryError(f"structure.sites[{number}]: {show(site)} is no site")
    found = site.get("species")
    if not isinstance(found, list) or not all(isinstance(kind, dict) for kind in found) or not found:
        raise BadGeometryError(f"structure.sites[{number}].species: {show(found)} is no list of species")
    occupancy = found[0].get("occu", 1)
    if isinstance(occupancy, bool) or not isinstance(occupancy, int | float):
        raise BadGeometryError(f"structure.sites[{number}].species: an occupation of {show(occupancy)}")
    if len(found) > 1 or not abs(occupancy - 1) <= FULL_OCCUPATION:
        shares = ", ".join(f"{str(kind.get('element'))[:20]}: {str(kind.get('occu'))[:10]}" for kind in found[:5])
        raise BadGeometryError(f"structure.sites[{number}] is shared: {shares}", "disordered_structure")
    return _read_kind(found[0], occupancy, number)


def _read_kind(kind: dict[str, Any], occupancy: float, number: int) -> _Site:
    name = kind.get("element")
    state, properties = kind.get("oxidation_state"), kind.get("properties")
    spin = kind.get("spin", properties.get("spin") if isinstance(properties, dict) else None)
    charged = _CHARGED.fullmatch(name) if isinstance(name, str) and len(name) < 20 else None
    if charged and state is None:
        size = float(charged[2] or 1) if charged[2] != "." else 1.0
        name, state = charged[1], size if charged[3] == "+" else -size
    symbol = _ISOTOPES.get(name, name) if isinstance(name, str) else None
    if symbol not in ATOMIC_NUMBER:
        raise BadGeometryError(f"structure.sites[{number}]: {show(name)} is no element")
    if not all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in (state, spin)):
        raise BadGeometryError(f"structure.sites[{number}]: oxidation state or spin is no number")
    if state is None and spin is None and occupancy == 1 and symbol == name:
        return _Site(symbol, None)
    form = {"element": name, "occupancy": occupancy}
    if state is not None or spin is not None:
        form |= {"oxidation_state": state, "spin": spin}
    return _Site(symbol, form)


def _fractional(matrix: Any, positions: list[Any], sites: list[Any]) -> list[Any]:
    """Fractional positions, from the Cartesian ones (``xyz``, Å) where a site has only those."""
    try:
        inverse = np.linalg.inv(np.asarray(matrix, dtype=np.float64).reshape(3, 3))
        return [
            (np.asarray(site["xyz"], dtype=np.float64) @ inverse).tolist() if position is None else position
            for position, site in zip(positions, sites, strict=True)
        ]
    except (KeyError, TypeError, ValueError, OverflowError, np.linalg.LinAlgError):
        raise BadGeometryError("structure.sites: a site without fractional or Cartesian position") from None


def _extras(
    value: dict[str, Any], sites: list[Any], species: list[str], kinds: list[dict[str, Any] | None]
) -> str | None:
    """What else a structure holds, in the form of :mod:`lake.crystal.structures`; None if nothing."""
    extras: dict[str, Any] = {}
    if value.get("charge"):
        extras["charge"] = value["charge"]
    lattice = value["lattice"]
    pbc = lattice.get("pbc") if isinstance(lattice, dict) else None
    if isinstance(pbc, list) and len(pbc) == 3 and not all(pbc):
        extras["pbc"] = [bool(p) for p in pbc]
    if any(kind is not None for kind in kinds):
        extras["species"] = [None if kind is None else [kind] for kind in kinds]
    labels = [_label(site, symbol, kind) for site, symbol, kind in zip(sites, species, kinds, strict=True)]
    if any(label is not None for label in labels):
        extras["labels"] = labels
    own = [properties if isinstance(properties := site.get("properties"), dict) else {} for site in sites]
    names = dict.fromkeys(name for properties in own for name in properties)
    if names:
        extras["site_properties"] = {n: [properties.get(n, _ABSENT) for properties in own] for n in names}
    if isinstance(value.get("properties"), dict) and value["properties"]:
        extras["properties"] = value["properties"]
    return _as_text(extras) if extras else None


def _label(site: dict[str, Any], symbol: str, kind: dict[str, Any] | None) -> str | None:
    """A site's label, where it is not the name that its species has anyway."""
    label = site.get("label")
    if label == symbol or not isinstance(label, str):
        return None
    return None if kind is not None and _CHARGED.fullmatch(label) else label


def _as_text(extras: dict[str, Any]) -> str:
    try:
        text = dumps(extras, "structure")
    except StructureError as error:
        raise BadGeometryError(str(error)) from None
    if len(text) > LONGEST_EXTRAS:
        raise BadGeometryError(f"structure: site properties and labels of {len(text):,} characters")
    return text
