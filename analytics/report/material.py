"""One material's calculations as a figure needs them: in a readable order, with their settings in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

UNKNOWN = "unknown"
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calculation:
    """One calculation and the settings by which it is placed.

    Numbers are None where unknown; the ``…_words`` are for a person.
    """

    calculation_id: str
    source: str
    functional: str = UNKNOWN
    k_words: str = UNKNOWN
    k_points: float | None = None
    basis_words: str = UNKNOWN
    basis_kind: str = UNKNOWN
    basis_functions: float | None = None
    cutoff_ev: float | None = None
    tier: str | None = None

    @property
    def words(self) -> str:
        """All settings in one line."""
        parts = [self.functional, f"k-points {self.k_words}", f"basis {self.basis_words}", self.tier or ""]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True)
class Material:
    """The comparable calculations of one material and their coefficients.

    ``similarity`` has the shape (n, n), as has ``aligned``, which is None where it was not computed.
    ``n_comparable`` is n, or more where only a part of them is shown.
    """

    key: str
    calculations: tuple[Calculation, ...]
    similarity: Matrix
    aligned: Matrix | None = None
    n_comparable: int = 0

    def taken(self, places: Sequence[int] | npt.NDArray[np.intp]) -> Material:
        """The calculations at some places, in that order."""
        chosen = np.asarray(places, dtype=np.intp)
        square = np.ix_(chosen, chosen)
        return Material(
            self.key, tuple(self.calculations[i] for i in chosen), self.similarity[square],
            None if self.aligned is None else self.aligned[square], max(self.n_comparable, len(self.calculations)),
        )

    def ordered(self) -> Material:
        """Sorted by functional, k-points, basis and tier; what is unknown comes last, ties go by id."""
        return self.taken(sorted(range(len(self.calculations)), key=lambda i: _order(self.calculations[i])))


def calculation_of(row: Mapping[str, Any]) -> Calculation:
    """A calculation from the setting columns of a row of `calculations`; columns may be missing or null."""
    k_grid = row.get("k_grid")
    k_points = row.get("n_k_points") or (math.prod(k_grid) if k_grid else None)
    kind, cutoff, functions = row.get("basis_set"), row.get("cutoff_ev"), row.get("n_basis_functions")
    size = [f"{functions:,} functions"] if functions else []
    size += [f"{cutoff:,.0f} eV"] if cutoff else []
    functional = row.get("xc_functional")
    return Calculation(
        str(row["calculation_id"]), str(row.get("source") or str(row["calculation_id"]).partition("/")[0]),
        str(functional).upper() if functional else UNKNOWN,
        "×".join(map(str, k_grid)) if k_grid else f"{k_points:,}" if k_points else UNKNOWN,
        float(k_points) if k_points else None,
        ", ".join([*([str(kind)] if kind else []), *size]) or UNKNOWN, str(kind or UNKNOWN),
        float(functions) if functions else None, float(cutoff) if cutoff else None, row.get("settings_tier"),
    )


def _order(one: Calculation) -> tuple[Any, ...]:
    def last(value: float | None) -> float:
        return math.inf if value is None else value

    return (
        one.functional == UNKNOWN, one.functional, last(one.k_points), one.k_words, one.basis_kind == UNKNOWN,
        one.basis_kind, last(one.basis_functions), last(one.cutoff_ev), one.tier is None, one.tier or "",
        one.calculation_id,
    )
