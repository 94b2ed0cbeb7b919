"""Targets brought to one database's level, and predictions brought back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import InputError
from ml.element_terms import summed

ADDITIVE = ("formation_energy_ev_per_atom", "total_energy_ev_per_atom")
"""Targets that another choice of elemental references moves by one number per element."""


@dataclass(frozen=True)
class Corrections:
    """What brings the values of every database to the level of one.

    Attributes:
        level: the database whose level it is.
        by_source: database → element → what is added for every atom of it, eV per atom; the level itself has none.
        facts: what is known of the fits, by database.
    """

    level: str
    by_source: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def added(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        """What brings the value of each row to the level (n,), eV/atom.

        Args:
            rows: with ``source`` and ``species_at_sites``.

        Raises:
            InputError: a database has no correction.
        """
        sources = np.asarray(rows["source"].to_pylist(), dtype=np.str_)
        found = np.zeros(rows.num_rows)
        for source in np.unique(sources):
            if source == self.level:
                continue
            terms = self.by_source.get(str(source))
            if terms is None:
                raise InputError(f"The values of {source} cannot be brought to the level of {self.level}: they have "
                                 "no material in common that says how far apart they are.")
            places = np.flatnonzero(sources == source)
            numbers = {ATOMIC_NUMBER[element]: value for element, value in terms.items()}
            found[places] = summed(rows.take(pa.array(places)), numbers)
        return found

    def json(self) -> str:
        """All of it, always spelled the same way."""
        values = {"level": self.level, "by_source": self.by_source, "facts": self.facts}
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Corrections:
        """The corrections of :meth:`json`."""
        return cls(**json.loads(text))


def left_out(corrections: Corrections, sources: Sequence[str]) -> list[str]:
    """The databases that cannot be brought to the level."""
    return [name for name in sources if name != corrections.level and name not in corrections.by_source]
