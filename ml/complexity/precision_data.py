"""Numerical precision as something to learn: how far a total energy is from that of the most precise settings.

The data of Speckhard, Carbogno, Ghiringhelli, Lubeck, Scheffler and Draxl, Phys. Rev. Materials 9, 013801 (2025): 63
binaries at seven precisions; the error of a binary's energy is learned from the same errors of its elements' solids,
from stoichiometry, cutoffs and properties of the atoms. Errors span four orders of magnitude, so that the logarithm of
1 + error is learned, whose RMSE is the RMSLE that the paper gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.data.table import read_table

if TYPE_CHECKING:
    from ml.data.table import TableData
    from ml.sisso.problem import Problem

Floats = npt.NDArray[np.float64]
TARGET, GROUP = "binary_energy_error", "chem_formula"
ERRORS = ("A_energy_error", "B_energy_error", "stoich_error_pred")
"""Features that are themselves such errors: they enter as the target does, as log(1 + |error|)."""
FEATURES = (
    *ERRORS, "A_fraction", "rgkmax", "E_cut", "precision_level", "A_atom_num", "B_atom_num", "A_rs", "A_rp", "A_rd",
    "B_rs", "B_rp", "B_rd", "A_HOMO", "A_LUMO", "B_HOMO", "B_LUMO", "A_IP_half", "B_IP_half", "A_EA_half",
    "B_EA_half",
)
LOGARITHM = "log1p_"
OF_RUNG_2 = (*ERRORS, "A_fraction", "rgkmax", "precision_level", "E_cut")
"""Features that rung 2 builds from: errors and settings; with the atoms' properties it has a hundred times as many."""
FEWEST_ROWS = 20


@dataclass(frozen=True)
class PrecisionData:
    """What both classes of models learn from.

    Attributes:
        name: of the table.
        target: column, as it is called there.
        unit: its unit; None = it names none.
        group: column of which all rows of one value stay together.
        features: what enters, errors with :data:`LOGARITHM` before their name.
        units: theirs; 1 = a plain number, or none is known.
        values: of them (n, p).
        errors: absolute values of the target (n,).
        groups: of every row (n,).
        rows: which row of the table each is (n,), as text.
        n_reference: rows left out because their error is 0: those that the others are measured against.
        n_incomplete: rows left out because a number is missing.
        sha256: digest of rows, features, target and groups.
    """

    name: str
    target: str
    unit: str | None
    group: str
    features: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats
    errors: Floats
    groups: npt.NDArray[np.str_]
    rows: npt.NDArray[np.str_]
    n_reference: int
    n_incomplete: int
    sha256: str

    @property
    def logarithms(self) -> Floats:
        """log(1 + error): what is learned (n,)."""
        return np.asarray(np.log1p(self.errors), dtype=np.float64)

    def problem(self, rung: int) -> Problem:
        """What formulas are found for; those of rung 2 and more from errors and settings alone, where they are there.

        Args:
            rung: of the features.
        """
        from ml.sisso.expression import Primary
        from ml.sisso.problem import Problem, one_task
        from ml.sisso.units import Unit

        places = [place for place, name in enumerate(self.features)
                  if stem_of(name.removeprefix(LOGARITHM)) in OF_RUNG_2] if rung > 1 else []
        chosen = places or range(len(self.features))
        primaries = tuple(Primary(self.features[place], Unit.parse(self.units[place])) for place in chosen)
        columns = {self.features[place]: self.values[:, place] for place in chosen}
        return Problem(LOGARITHM + self.target, "1", primaries, columns, self.logarithms, *one_task(len(self.errors)),
                       None, (), tuple(self.groups.tolist()))

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return len(np.unique(self.groups))


def precision_data(
    path: Path | str, target: str = TARGET, group: str = GROUP, features: Sequence[str] = ()
) -> PrecisionData:
    """Read a table of numerical errors.

    Args:
        path: of the table.
        target: column of errors, of either sign; a name without its unit will do.
        group: column of the materials.
        features: columns to learn from; none = all numbers, and for :data:`TARGET` those of :data:`FEATURES`: other
            columns of such a table say the energy itself.

    Raises:
        InputError: the table cannot be read; no such column; too few rows or groups.
    """
    table = read_table(path)
    target, group = column_of(table, target), column_of(table, group)
    of_the_paper = FEATURES if stem_of(target) == TARGET else ()
    known = [name for stem in of_the_paper if (name := _found(table, stem)) is not None]
    chosen = [column_of(table, name) for name in features] or [
        name for name in known or table.numeric if name not in table.left_out]
    chosen = [name for name in dict.fromkeys(chosen) if name not in (target, group)]
    if not chosen:
        raise InputError(f"{table.name} has no column of numbers to learn {target} from.")
    errors = np.abs(table.values(target))
    columns = np.stack([table.values(name) for name in chosen], axis=1)
    whole = np.isfinite(errors) & np.isfinite(columns).all(axis=1)
    keep = whole & (errors > 0)
    if keep.sum() < FEWEST_ROWS:
        raise InputError(f"{table.name} has {keep.sum():,} rows with {target} other than 0 and all features; "
                         f"{FEWEST_ROWS} at least are needed.")
    groups = np.asarray([str(value) for value in table.columns[group].to_pylist()], dtype=str)
    logs = [stem_of(name) in ERRORS for name in chosen]
    values = np.where(logs, np.log1p(np.abs(columns)), columns)[keep]
    names = tuple(LOGARITHM + name if log else name for name, log in zip(chosen, logs, strict=True))
    units = tuple("1" if log else table.units.get(name, "1") for name, log in zip(chosen, logs, strict=True))
    return PrecisionData(
        table.name, target, table.units.get(target), group, names, units, values, errors[keep], groups[keep],
        np.flatnonzero(keep).astype(str), int((whole & (errors == 0)).sum()), int((~whole).sum()),
        _digest((*names, *units), target, values, errors[keep], groups[keep]),
    )


def column_of(table: TableData, name: str) -> str:
    """The column of a name that may lack the unit at its end.

    Raises:
        InputError: there is none.
    """
    found = _found(table, name)
    if found is None:
        table.check_there([name])
    return str(found)


def _found(table: TableData, name: str) -> str | None:
    names = table.columns.column_names
    return name if name in names else next((one for one in names if stem_of(one) == name), None)


def stem_of(name: str) -> str:
    """A name without the unit at its end."""
    from ml.data.table import ENDINGS

    ends = [end for end in ENDINGS if name.lower().endswith(end)]
    return name[:-len(max(ends, key=len))] if ends and not name.endswith("_fraction") else name


def _digest(
    features: Sequence[str], target: str, values: Floats, errors: Floats, groups: npt.NDArray[np.str_]
) -> str:
    digest = hashlib.sha256(json.dumps([*features, target, *groups.tolist()]).encode())
    for array in (values, errors):
        digest.update(np.ascontiguousarray(array, np.float64).tobytes())
    return digest.hexdigest()
