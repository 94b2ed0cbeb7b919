"""Crystals as columns: formulas, space groups, keys, and the round trip to pymatgen and ASE.

One row of `calculations`, as a dict or a pandas Series, is one crystal::

    from lake.crystal import atoms_from_row, row_from_structure, structure_from_row

    table = lake.read("calculations", where="cell_key = 'O4Ti2_136'")
    structure = structure_from_row(table.to_pylist()[0])     # pymatgen.core.Structure
    atoms = atoms_from_row(table.to_pylist()[0])             # ase.Atoms
    columns = row_from_structure(structure)                  # the structure columns again, equal

What does not fit the columns for lattice, positions and elements is in ``structure_extras_json``, a JSON object
(null where there is nothing beyond them) with these optional keys:

==================  =====================================================================================
``charge``          charge of the cell in elementary charges
``pbc``             three truth values, where not all directions are periodic
``species``         per site null, or a list of ``{element, occupancy[, oxidation_state, spin]}``
``labels``          per site a label, or null where it is just the species
``site_properties`` ``{name: [value per site]}``, for example ``magmom`` (µB), ``selective_dynamics``
``properties``      properties of the whole structure (pymatgen)
``ase``             ``positions`` (Å, Cartesian), ``arrays``, ``info``, ``constraints``, ``celldisp``,
                    ``calculator`` of ASE atoms
==================  =====================================================================================

Values that JSON has no form for are written as :mod:`lake.crystal.extras` says.
"""

from __future__ import annotations

from lake.crystal.atoms import atoms_from_row, row_from_atoms
from lake.crystal.structures import row_from_structure, structure_from_row

__all__ = ["atoms_from_row", "row_from_atoms", "row_from_structure", "structure_from_row"]
