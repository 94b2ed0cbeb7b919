"""ASE ``Atoms`` → row → ``Atoms``, nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lake.crystal.formula import ATOMIC_NUMBER, SYMBOLS
from lake.crystal.rows import Geometry, per_site, read_row, write_row
from lake.errors import StructureError

if TYPE_CHECKING:
    from ase import Atoms


def row_from_atoms(atoms: Atoms) -> dict[str, Any]:
    """The structure columns of an ASE ``Atoms`` with a three-dimensional cell.

    Kept exactly: cell (Å) and its periodicity, Cartesian positions (in the extras, where they do not follow
    bitwise from the fractional ones), all arrays (tags, momenta, masses, initial magnetic moments and charges,
    your own), info, constraints, the cell's displacement, the results of a ``SinglePointCalculator``.

    Args:
        atoms: atoms in a cell with a volume.

    Returns:
        ``lattice_vectors_angstrom``, ``fractional_positions``, ``species_at_sites`` and
        ``structure_extras_json``, as in the table `calculations`.

    Raises:
        StructureError: the cell has no volume, an atom is no element, or atoms carry what a row cannot hold
            (another calculator, a constraint without a dict form, objects in info).
    """
    unknown = [n for n in atoms.numbers.tolist() if not 1 <= n <= len(SYMBOLS)]
    if unknown:
        raise StructureError(f"Atoms with atomic number {unknown[0]} are no element: a row cannot hold them.")
    cell = np.array(atoms.cell.array, dtype=np.float64)
    if atoms.cell.rank < 3 or not abs(np.linalg.det(cell)) > 0:
        raise StructureError("The cell has no volume: give the atoms a box (atoms.center(vacuum=…)) to make a row.")
    fractions = np.linalg.solve(cell.T, atoms.positions.T).T
    arrays = {n: a for n, a in atoms.arrays.items() if n not in ("numbers", "positions")}
    section = {
        "positions": None if _equal(fractions @ cell, atoms.positions) else atoms.positions,
        "arrays": arrays or None,
        "info": atoms.info or None,
        "constraints": [_constraint_form(c) for c in atoms.constraints] or None,
        "celldisp": atoms._celldisp if atoms._celldisp.any() else None,
        "calculator": _results(atoms),
    }
    section = {name: value for name, value in section.items() if value is not None}
    extras: dict[str, Any] = {"ase": section} if section else {}
    if not atoms.pbc.all():
        extras["pbc"] = atoms.pbc.tolist()
    return write_row(cell, fractions, [SYMBOLS[n - 1] for n in atoms.numbers.tolist()], extras)


def atoms_from_row(row: Any) -> Atoms:
    """The ASE ``Atoms`` of a row of `calculations`.

    Args:
        row: one row as dict or pandas Series, from pyarrow, polars, DuckDB or pandas, with the structure columns.
            A row made from a pymatgen structure gives its numeric site properties as arrays (``magmom`` as
            ``initial_magmoms``) and its properties as info; charge, labels and oxidation states have no place.

    Returns:
        The atoms; for a row of :func:`row_from_atoms` equal to those that it was made from.

    Raises:
        StructureError: the row has no structure, its columns are missing or broken, or sites are partly occupied.
    """
    from ase import Atoms
    from ase.constraints import dict2constraint

    geometry = read_row(row)
    section = geometry.extras.get("ase") or {}
    _refuse_disorder(geometry)
    atoms = Atoms(
        numbers=[ATOMIC_NUMBER[symbol] for symbol in geometry.symbols],
        positions=section.get("positions", geometry.positions @ geometry.lattice),
        cell=geometry.lattice,
        pbc=geometry.extras.get("pbc", True),
        celldisp=section.get("celldisp"),
        info=section.get("info") or geometry.extras.get("properties"),
    )
    atoms.arrays.update(section.get("arrays") or _site_arrays(geometry))
    atoms.constraints = [dict2constraint(form) for form in section.get("constraints", [])]
    if "calculator" in section:
        _attach_results(atoms, section["calculator"])
    return atoms


def _equal(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    return left.tobytes() == np.ascontiguousarray(right, dtype=np.float64).tobytes()


def _constraint_form(constraint: Any) -> dict[str, Any]:
    from ase.constraints import dict2constraint

    name = type(constraint).__name__
    try:
        form: dict[str, Any] = constraint.todict()
        again = dict2constraint(form)
    except Exception as error:  # noqa: BLE001 - constraints are anybody's classes
        raise StructureError(f"The constraint {name} has no dict form that ASE reads back ({error!r:.100}).") from None
    if type(again) is not type(constraint):
        raise StructureError(f"The constraint {name} comes back from its dict form as {type(again).__name__}.")
    return form


def _results(atoms: Any) -> dict[str, Any] | None:
    from ase.calculators.singlepoint import SinglePointCalculator

    calculator: Any = atoms.calc
    if calculator is None:
        return None
    holds_results = type(calculator) is SinglePointCalculator
    if not holds_results or calculator.check_state(atoms):
        raise StructureError(
            f"The atoms carry a {type(calculator).__name__} that a row cannot hold, or one of another geometry: set "
            "atoms.calc = None, or keep its results as SinglePointCalculator(atoms, **atoms.calc.results)."
        )
    return {"name": calculator.name, "results": dict(calculator.results)}


def _attach_results(atoms: Any, form: dict[str, Any]) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator

    calculator: Any = cast("Any", SinglePointCalculator)(atoms)
    calculator.results.update(form["results"])
    if calculator.name != form["name"]:
        calculator.name = form["name"]
    atoms.calc = calculator


def _refuse_disorder(geometry: Geometry) -> None:
    kinds = geometry.extras.get("species") or []
    for number, entries in enumerate(kinds):
        if entries is not None and (len(entries) != 1 or entries[0].get("occupancy", 1) != 1):
            raise StructureError(f"Site {number} is partly occupied: ASE atoms cannot hold it (pymatgen's can).")


def _site_arrays(geometry: Geometry) -> dict[str, np.ndarray[Any, Any]]:
    """The site properties of a pymatgen structure that are numbers for every site."""
    arrays = {}
    for name, values in (geometry.extras.get("site_properties") or {}).items():
        try:
            array = np.array(per_site(values, len(geometry.symbols), name))
        except ValueError:
            continue
        if array.dtype.kind in "biuf":
            arrays["initial_magmoms" if name == "magmom" else name] = array
    return arrays
