"""One material's calculations as a figure needs them: in a readable order, with their settings in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analytics.report.labels import functional_title
from analytics.report.redaction import Secrets

if TYPE_CHECKING:
    from analytics.convergence.convergence import Convergence

UNKNOWN = "unknown"
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calculation:
    """One calculation and the settings by which it is placed.

    ``k_level`` is what it shares with those of about the same k-points. Numbers are None where unknown; words are for
    a person.
    """

    calculation_id: str
    source: str
    functional: str = UNKNOWN
    k_level: str = UNKNOWN
    k_words: str = UNKNOWN
    k_points: float | None = None
    k_density_angstrom: float | None = None
    basis_words: str = UNKNOWN
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


def material_of(convergence: Convergence, secrets: Secrets, n_comparable: int = 0) -> Material:
    """The calculations of a comparison.

    Args:
        convergence: the comparison.
        secrets: what must not be shown.
        n_comparable: calculations that can be compared, if these are a part of them.
    """
    rows = secrets.blotted(convergence.rows.to_pylist())
    functional, k_points = convergence.settings["functional"], convergence.settings["k_points"]
    calculations = tuple(
        _calculation(row, secrets.blotted(functional.word(place)), k_points.word(place))
        for place, row in enumerate(rows)
    )
    return Material(
        secrets.blotted(convergence.key), calculations, convergence.similarity, convergence.aligned,
        max(n_comparable, len(calculations)),
    )


def _calculation(row: Mapping[str, Any], functional: str, k_level: str) -> Calculation:
    k_grid = row["k_grid"]
    k_points = row["n_k_points"] or (math.prod(k_grid) if k_grid else None)
    kind, cutoff, functions = row["basis_set"], row["cutoff_ev"], row["n_basis_functions"]
    basis = [kind] if kind else []
    basis += [f"{functions:,} functions"] if functions else []
    basis += [f"{cutoff:,.0f} eV"] if cutoff else []
    return Calculation(
        row["calculation_id"], row["source"], functional_title(functional), k_level,
        "×".join(map(str, k_grid)) if k_grid else f"{k_points:,}" if k_points else UNKNOWN, _number(k_points),
        _number(row["k_point_density_angstrom"]), ", ".join(basis) or UNKNOWN, _number(functions), _number(cutoff),
        row["settings_tier"],
    )


def _number(value: float | None) -> float | None:
    return float(value) if value and math.isfinite(value) else None
