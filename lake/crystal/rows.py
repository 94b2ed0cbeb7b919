"""The structure columns of one row, read and written: what the round trips to pymatgen and ASE share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lake.crystal import extras as text_form
from lake.crystal.cells import Floats
from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import StructureError

COLUMNS = ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites")


@dataclass(frozen=True)
class Geometry:
    """A crystal as the lake holds it.

    Attributes:
        lattice: rows a, b, c in Å, shape (3, 3).
        positions: fractional, shape (n, 3).
        symbols: n element symbols.
        extras: what else the structure carries (the object in ``structure_extras_json``).
    """

    lattice: Floats
    positions: Floats
    symbols: list[str]
    extras: dict[str, Any]


def write_row(lattice: Floats, positions: Floats, symbols: Sequence[str], extras: dict[str, Any]) -> dict[str, Any]:
    """The structure columns of a crystal; ``structure_extras_json`` is null where there are no extras.

    Raises:
        StructureError: there are no atoms, numbers are not finite, or extras have no exact JSON form.
    """
    if not len(symbols):
        raise StructureError("The structure has no atoms: there is nothing to make a row of.")
    for name, array in (("lattice", lattice), ("positions", positions)):
        if not np.isfinite(array).all():
            raise StructureError(f"The structure's {name} hold values that are not finite.")
    return {
        "lattice_vectors_angstrom": np.asarray(lattice, dtype=np.float64).tolist(),
        "fractional_positions": np.asarray(positions, dtype=np.float64).tolist(),
        "species_at_sites": [str(symbol) for symbol in symbols],
        "structure_extras_json": text_form.dumps(extras, "structure") if extras else None,
    }


def read_row(row: Any) -> Geometry:
    """The crystal in a row of `calculations`, however it was read.

    Args:
        row: maps column names to values: a dict (pyarrow, polars, DuckDB), a pandas Series, lists or numpy
            arrays inside.

    Raises:
        StructureError: a column is missing or the row has no structure.
    """
    lattice, positions, species = (_cell(row, name) for name in COLUMNS)
    if lattice is None or positions is None or species is None:
        raise StructureError(f"The row{_named(row)} has no structure: {' or '.join(COLUMNS)} is null.")
    try:
        vectors = np.array([list(vector) for vector in lattice], dtype=np.float64).reshape(3, 3)
        fractions = np.array([list(position) for position in positions], dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise StructureError(f"The row{_named(row)} has a structure of another shape: {error}") from None
    symbols = [str(symbol) for symbol in species]
    unknown = [symbol for symbol in symbols if symbol not in ATOMIC_NUMBER]
    if unknown or len(symbols) != len(fractions):
        wrong = f"{unknown[0]!r} is no element" if unknown else f"{len(fractions)} positions, {len(symbols)} species"
        raise StructureError(f"The row{_named(row)} holds no structure: {wrong}.")
    text = _cell(row, "structure_extras_json")
    extras = text_form.loads(text) if isinstance(text, str) and text else {}
    if not isinstance(extras, dict):
        raise StructureError(f"The row{_named(row)} has a structure_extras_json that is no object.")
    return Geometry(vectors, fractions, symbols, extras)


def per_site(values: Any, n_sites: int, name: str) -> list[Any]:
    """A list from the extras, checked to have one item per site."""
    if not isinstance(values, list) or len(values) != n_sites:
        count = len(values) if isinstance(values, list) else "no list of"
        raise StructureError(f"structure_extras_json: {name} has {count} values for {n_sites} sites.")
    return values


def _cell(row: Any, name: str) -> Any:
    try:
        value = row[name]
    except (KeyError, IndexError, TypeError):
        raise StructureError(
            f"The row has no column {name}: select {', '.join(COLUMNS)} and structure_extras_json."
        ) from None
    value = value.as_py() if hasattr(value, "as_py") else value
    if value is None or isinstance(value, str) or hasattr(value, "__iter__"):
        return value
    return None  # pandas writes a missing list or text as NaN or NA


def _named(row: Any) -> str:
    try:
        return f" {row['calculation_id']}"
    except (KeyError, IndexError, TypeError):
        return ""
