"""One structure file to crystals, whatever program wrote it: CIF, POSCAR, pymatgen's JSON, and all that ASE reads.

A file is data: what would be run or unpickled is not read.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lake.crystal.formula import ATOMIC_NUMBER
from lake.crystal.rows import write_row
from lake.errors import StructureError

Crystal = dict[str, Any]
"""The structure columns of `calculations`."""

VASP_NAMES = ("poscar", "contcar")
SUFFIXES = {".cif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".json": "json", ".xyz": "extxyz",
            ".extxyz": "extxyz"}
NOT_READ = {"bundletrajectory", "db", "mysql", "postgresql", "gpw"}
"""Formats of ASE that are databases, or may hold pickled objects."""
HYDROGEN = {"D": "H", "T": "H"}
WHOLE = 1e-6
TEXT_STARTS = (("json", re.compile(r"\s*[\[{]")), ("cif", re.compile(r"(?m)^\s*data_\S*")),
               ("extxyz", re.compile(r"\s*\d+\s*\n")))


def format_of(name: str, head: str) -> str:
    """The format of a file, by its name, else by its first lines.

    Args:
        name: of the file, without folders; empty = it has none.
        head: its first characters.

    Returns:
        cif, poscar, json, extxyz, or ``other`` (a name that ASE may know).
    """
    lowered = name.lower()
    if lowered.startswith(VASP_NAMES):
        return "poscar"
    known = SUFFIXES.get(Path(lowered).suffix)
    if known or Path(lowered).suffix:
        return known or "other"
    return next((kind for kind, start in TEXT_STARTS if start.match(head) or (kind == "cif" and start.search(head))),
                "poscar")


def crystals_in(path: Path, kind: str, text: str) -> tuple[list[Crystal], list[str]]:
    """All crystals in a file, and what its reader warned of.

    Args:
        path: the file; of the standard input a name that is no file.
        kind: as :func:`format_of` says.
        text: its content; empty of a format of ASE that is no text.

    Raises:
        StructureError: there is none, or one that no model can say anything of.
    """
    readers: dict[str, Callable[[], list[Crystal]]] = {
        "cif": lambda: _cif(text), "poscar": lambda: _poscar(text), "json": lambda: _json(text, path),
        "extxyz": lambda: _ase(path, "extxyz", text), "other": lambda: _ase(path, None, text),
    }
    with _heard() as said:
        found = readers[kind]()
    if not found:
        raise StructureError("holds no structure")
    return found, [line for line in dict.fromkeys(said) if line]


def from_pymatgen(structure: Any) -> Crystal:
    """The columns of a pymatgen ``Structure`` with one whole atom on every site.

    Raises:
        StructureError: a site is partly occupied, or holds no element; the structure is not periodic.
    """
    if not hasattr(structure, "lattice"):
        raise StructureError("holds a molecule: it has no cell, and models know crystals only")
    if not all(structure.lattice.pbc):
        raise StructureError("is not periodic in all directions: models know crystals only")
    sites = [[(kind.symbol, float(part)) for kind, part in site.species.items()] for site in structure]
    return _row(structure.lattice.matrix, [site.frac_coords for site in structure], sites)


def from_ase(atoms: Any) -> Crystal:
    """The columns of ASE ``Atoms``.

    Raises:
        StructureError: they have no cell, or are not periodic in all directions; an atom is no element.
    """
    if atoms.cell.rank < 3:
        raise StructureError("has no cell: it is a molecule or cluster, and models know crystals only")
    if not atoms.pbc.all():
        raise StructureError("is not periodic in all directions: it is a molecule, wire or slab, and models know "
                             "crystals only")
    cell = np.array(atoms.cell.array, dtype=np.float64)
    if not abs(np.linalg.det(cell)) > 0:
        raise StructureError("has a cell without volume")
    occupancies = atoms.info.get("occupancy") or {}
    partly = next((sites for sites in occupancies.values() if any(part < 1 - WHOLE for part in sites.values())), None)
    if partly is not None:
        raise StructureError(_disordered(list(partly.items())))
    fractions = np.linalg.solve(cell.T, atoms.positions.T).T
    return _row(cell, fractions, [[(symbol, 1.0)] for symbol in atoms.get_chemical_symbols()])


def _row(lattice: Any, positions: Any, sites: list[list[tuple[str, float]]]) -> Crystal:
    symbols = []
    for number, kinds in enumerate(sites, start=1):
        if len(kinds) != 1 or abs(kinds[0][1] - 1) > WHOLE:
            raise StructureError(_disordered(kinds, f"site {number}"))
        symbol = HYDROGEN.get(kinds[0][0], kinds[0][0])
        if symbol not in ATOMIC_NUMBER:
            raise StructureError(f"holds {symbol!r:.40} on site {number}, which is no element")
        symbols.append(symbol)
    return write_row(np.asarray(lattice, dtype=np.float64), np.asarray(positions, dtype=np.float64), symbols, {})


def _disordered(kinds: list[tuple[str, float]], which: str = "a site") -> str:
    held = ", ".join(f"{part:.3g} {symbol}" for symbol, part in kinds) or "nothing"
    return (f"is disordered: {which} holds {held}, and a model needs one whole atom on each. Make it ordered first "
            "(pymatgen's OrderDisorderedStructureTransformation, say)")


def _cif(text: str) -> list[Crystal]:
    from pymatgen.io.cif import CifParser

    structures = CifParser.from_str(text).parse_structures(primitive=False, on_error="raise")
    return [from_pymatgen(structure) for structure in structures]


def _poscar(text: str) -> list[Crystal]:
    from pymatgen.io.vasp.inputs import BadPoscarWarning, Poscar

    with warnings.catch_warnings():
        # Where a POSCAR names no elements, pymatgen takes H, He, Li, … for them.
        warnings.filterwarnings("error", message=".*cannot be determined.*", category=BadPoscarWarning)
        try:
            return [from_pymatgen(Poscar.from_str(text).structure)]
        except BadPoscarWarning:
            raise StructureError("names no elements (VASP 4): write their symbols into the line above the counts"
                                 ) from None


def _json(text: str, path: Path) -> list[Crystal]:
    values = json.loads(text)
    if isinstance(values, dict) and {"ids", "nextid"} <= values.keys():
        return _ase(path, "json", text)
    # Read key by key: pymatgen's own reader imports whatever module a file names.
    return [_pymatgen_json(value) for value in (values if isinstance(values, list) else [values])]


def _pymatgen_json(value: Any) -> Crystal:
    if isinstance(value, dict) and isinstance(value.get("structure"), dict):
        value = value["structure"]
    if not isinstance(value, dict) or not isinstance(value.get("sites"), list):
        raise StructureError("holds no structure as pymatgen writes it (lattice and sites)")
    lattice = value.get("lattice")
    if not isinstance(lattice, dict) or "matrix" not in lattice:
        raise StructureError("holds sites without a lattice: it is a molecule, and models know crystals only")
    if not all(lattice.get("pbc", (True,))):
        raise StructureError("is not periodic in all directions: models know crystals only")
    sites, positions = [], []
    for number, site in enumerate(value["sites"], start=1):
        try:
            positions.append([float(x) for x in site["abc"]])
            sites.append([(str(one["element"]), float(one["occu"])) for one in site["species"]])
        except (KeyError, TypeError, ValueError) as error:
            raise StructureError(f"holds a site {number} that cannot be read ({error!r:.100})") from None
    return _row(lattice["matrix"], positions, sites)


def _ase(path: Path, kind: str | None, text: str) -> list[Crystal]:
    import io

    from ase.io import read
    from ase.io.formats import UnknownFileTypeError, filetype

    source: Any = io.StringIO(text) if text and not path.is_file() else str(path)
    try:
        kind = kind or filetype(str(path))
        if kind in NOT_READ:
            raise StructureError(f"is a {kind} file, which is not read here: write its structures as CIF or extended "
                                 "XYZ")
        found = read(source, index=":", format=kind, do_not_split_by_at_sign=True)
    except UnknownFileTypeError:
        raise StructureError("is in a form that is not known here: CIF, POSCAR, extended XYZ, pymatgen's JSON and the "
                             "formats of ASE are") from None
    return [from_ase(atoms) for atoms in found]


@contextmanager
def _heard() -> Iterator[list[str]]:
    """The warnings of whatever reads a file, as lines."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lines
    lines += [" ".join(str(one.message).split())[:300] for one in caught
              if not issubclass(one.category, DeprecationWarning | FutureWarning | PendingDeprecationWarning)]
