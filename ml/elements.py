"""Which elements crystals hold, and whether a model has seen them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.crystal.formula import SYMBOLS
from lake.errors import InputError
from ml.data.structures import atomic_numbers

NAMES = ("calculation_id", "material_key", "formula_reduced")


def elements_of(rows: pa.Table) -> tuple[int, ...]:
    """Atomic numbers that occur in crystals, ascending.

    Args:
        rows: with ``species_at_sites``.
    """
    return tuple(np.unique(atomic_numbers(pc.list_flatten(rows["species_at_sites"]))).tolist())


def rows_of_elements(rows: pa.Table, known: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Places of the rows that hold no other elements, ascending."""
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[_strange(rows, known)[0]] = False
    return np.flatnonzero(keep).astype(np.int64)


def left_out_note(n: int, n_left: int) -> tuple[str, ...]:
    """What to say where some of n rows hold an element that no training row has."""
    if n == n_left:
        return ()
    return (f"{n - n_left:,} of {n:,} rows hold an element that no training row has: they are left out of validation "
            "and test, as the model cannot say anything of them.",)


def check_elements(rows: pa.Table, known: tuple[int, ...]) -> None:
    """Refuse crystals with an element that a model has not seen.

    Raises:
        InputError: with the elements, and the first crystal that holds one.
    """
    places, numbers = _strange(rows, known)
    if not len(places):
        return
    symbols = sorted({SYMBOLS[number - 1] if number else "no element" for number in numbers.tolist()})
    name = next((column for column in NAMES if column in rows.column_names), None)
    first = f"row {places[0]}" if name is None else rows[name][int(places[0])].as_py()
    raise InputError(
        f"{len(np.unique(places)):,} of {rows.num_rows:,} crystals hold {', '.join(symbols)} ({first} is the first), "
        "which the model has never seen: what it said of them would be a guess. Leave them out, or train on data that "
        "hold these elements."
    )


def _strange(rows: pa.Table, known: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Row and atomic number of every atom of another element."""
    species = rows["species_at_sites"].combine_chunks()
    numbers = atomic_numbers(pc.list_flatten(species))
    strange = ~np.isin(numbers, known)
    return pc.list_parent_indices(species).to_numpy(zero_copy_only=False)[strange].astype(np.int64), numbers[strange]
