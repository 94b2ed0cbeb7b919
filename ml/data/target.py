"""What a model predicts: a column of `calculations` that is a number with a unit."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import pyarrow as pa

from lake.errors import InputError
from lake.tables.calculations import CRYSTAL, ENERGIES

FORMATION_ENERGY = "formation_energy_ev_per_atom"
FUNCTIONAL_OF = {
    "formation_energy_ev_per_atom": "energy_functional",
    "energy_above_hull_ev_per_atom": "energy_functional",
    "band_gap_ev": "gap_functional",
}
"""Which functional a value is of; of all others it is that of the calculation."""
PREDICTABLE = {column.name: column for column in CRYSTAL + ENERGIES if column.unit and column.type == pa.float64()}
SUFFIXES = ("_ev_per_atom", "_ev", "_angstrom3_per_atom", "_mu_b_per_atom")


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Attributes:
        column: its name in `calculations`.
        unit: its unit, as people write it.
        label: what it is called in a sentence.
        reference: what the values refer to, where that is known and one: a ``formation_energy_reference``, or the
            database to whose level they were corrected. None = they refer to nothing, or it is not known.
    """

    column: str
    unit: str
    label: str
    reference: str | None = None

    @property
    def functional_column(self) -> str:
        """The column of a dataset's rows that says which functional a value is of."""
        return FUNCTIONAL_OF.get(self.column, "xc_functional")


def target_of(column: str, reference: str | None = None) -> Target:
    """The target that a column is.

    Raises:
        InputError: it is none; the message names those that are.
    """
    declared = PREDICTABLE.get(column)
    if declared is None:
        close = get_close_matches(column, PREDICTABLE, n=1, cutoff=0.5)
        hint = f" Is {close[0]} meant?" if close else ""
        raise InputError(
            f"{column!r:.80} cannot be a target.{hint} A target is a number with a unit: {', '.join(PREDICTABLE)}."
        )
    label = next((column.removesuffix(s) for s in SUFFIXES if column.endswith(s)), column)
    return Target(column, str(declared.unit), label.replace("_", " "), reference)
