"""The settings of one material's calculations as levels: which of them are the same, and which is the larger.

A number is one level with those up to a tolerance above it: the same mesh gives slightly different k-point densities
in slightly different cells, and the same cutoff different numbers of plane waves. What is unknown is no level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNKNOWN = -1
UNKNOWN_WORDS = "unknown"
Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One setting over n calculations.

    Attributes:
        name: functional, k_points, basis_kind, basis_size, tier, code, …
        levels: number of each calculation's level (n,), in ascending order; −1 = unknown.
        words: what each level is called.
        values: the number behind it (n,), NaN where there is none.
        measure: the column that the numbers are from, by calculation where they differ; empty for names.
    """

    name: str
    levels: NDArray[np.int32]
    words: tuple[str, ...]
    values: NDArray[np.float64]
    measure: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which calculations state it (n,)."""
        known: NDArray[np.bool_] = self.levels != UNKNOWN
        return known

    def word(self, place: int) -> str:
        """What a calculation's level is called."""
        level = int(self.levels[place])
        return UNKNOWN_WORDS if level == UNKNOWN else self.words[level]


K_MEASURES = ("k_point_density_angstrom", "n_k_points")
TOLERANCE = {
    "k_point_density_angstrom": 0.02, "n_k_points": 0.02, "n_basis_functions": 0.02, "cutoff_ev": 0.005,
}
UNITS = {
    "k_point_density_angstrom": "Å", "n_k_points": "k-points", "n_basis_functions": "functions", "cutoff_ev": "eV",
}


def settings_of(rows: pa.Table) -> dict[str, Setting]:
    """The settings of calculations, by name, in the order in which calculations are sorted.

    Args:
        rows: columns of the query `material`; any value may be null.
    """
    listed = rows.to_pylist()
    found = [_named("functional", listed, functional_words), _k_points(listed),
             _named("basis_kind", listed, lambda row: row["basis_set"]), _basis_size(listed)]
    found += [_named(name, listed, words) for name, words in NAMED.items()]
    return {setting.name: setting for setting in found}


def functional_words(row: Row) -> str | None:
    """The functional, with +U where one was added."""
    name = row["xc_functional"]
    return f"{name}+u" if name and row["hubbard_u_ev"] else name


def _pseudopotentials(row: Row) -> str | None:
    names = row["pseudopotentials"]
    return ", ".join(sorted(names)) if names else None


def _spin(row: Row) -> str | None:
    free = row["spin_polarized"]
    return None if free is None else "spin-polarised" if free else "not spin-polarised"


def _broadening(row: Row) -> str | None:
    width = row["broadening_ev"]
    return None if width is None else f"{width:.3g} eV"


NAMED: dict[str, Callable[[Row], str | None]] = {
    "tier": lambda row: row["settings_tier"],
    "code": lambda row: row["code"],
    "core_treatment": lambda row: row["core_treatment"],
    "pseudopotentials": _pseudopotentials,
    "relativity": lambda row: row["relativity"],
    "spin": _spin,
    "broadening": _broadening,
}


def _named(name: str, rows: Sequence[Row], words: Callable[[Row], str | None]) -> Setting:
    """A setting whose levels are names, in alphabetical order."""
    values = [words(row) or None for row in rows]
    known = sorted({value for value in values if value is not None})
    place = {value: number for number, value in enumerate(known)}
    levels = np.array([UNKNOWN if v is None else place[v] for v in values], dtype=np.int32)
    return Setting(name, levels, tuple(known), np.full(len(rows), math.nan))


def _k_points(rows: Sequence[Row]) -> Setting:
    """By the measure that more calculations state; at equal numbers by density, which larger cells do not change."""
    numbers = {
        "k_point_density_angstrom": _column(rows, lambda row: row["k_point_density_angstrom"]),
        "n_k_points": _column(rows, lambda row: row["n_k_points"] or math.prod(row["k_grid"] or [0])),
    }
    measure = max(K_MEASURES, key=lambda name: np.isfinite(numbers[name]).sum())
    values = numbers[measure]
    levels, first = level_numbers(values, TOLERANCE[measure])
    words = []
    for level, value in enumerate(first):
        meshes = {tuple(rows[i]["k_grid"] or ()) for i in np.flatnonzero(levels == level).tolist()}
        words.append("×".join(map(str, meshes.pop())) if len(meshes) == 1 and () not in meshes
                     else f"{value:.4g} {UNITS[measure]}")
    return Setting("k_points", levels, tuple(words), values, (measure,) * len(rows))


def _basis_size(rows: Sequence[Row]) -> Setting:
    """By cutoff or number of functions, whichever more calculations of a kind of basis state.

    Levels of different kinds follow each other, kinds in alphabetical order, and are not to be compared.
    """
    kinds = [row["basis_set"] or UNKNOWN_WORDS for row in rows]
    cutoffs = _column(rows, lambda row: row["cutoff_ev"])
    functions = _column(rows, lambda row: row["n_basis_functions"])
    levels, values = np.full(len(rows), UNKNOWN, np.int32), np.full(len(rows), math.nan)
    words: list[str] = []
    measures = [""] * len(rows)
    for kind in sorted(set(kinds)):
        places = np.array([i for i, k in enumerate(kinds) if k == kind])
        by_cutoff = np.isfinite(cutoffs[places]).sum() >= np.isfinite(functions[places]).sum()
        measure, chosen = ("cutoff_ev", cutoffs) if by_cutoff else ("n_basis_functions", functions)
        found, first = level_numbers(chosen[places], TOLERANCE[measure])
        levels[places] = np.where(found == UNKNOWN, UNKNOWN, found + len(words))
        values[places] = chosen[places]
        words += [f"{value:.6g} {UNITS[measure]}" for value in first]
        for place in places:
            measures[place] = measure
    return Setting("basis_size", levels, tuple(words), values, tuple(measures))


def _column(rows: Sequence[Row], value: Callable[[Row], float | None]) -> NDArray[np.float64]:
    """Numbers above zero; NaN where there is none."""
    found = np.array([value(row) or math.nan for row in rows], dtype=np.float64)
    return np.where(np.isfinite(found) & (found > 0), found, math.nan)


def level_numbers(values: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.int32], list[float]]:
    """The level of each number (n,), −1 for NaN, and the smallest number of each level.

    A level begins with the smallest number that is left and reaches up to ``1 + tolerance`` times it.
    """
    levels = np.full(len(values), UNKNOWN, np.int32)
    first: list[float] = []
    for place in np.argsort(values, kind="stable"):
        value = float(values[place])
        if math.isnan(value):
            break
        if not first or value > first[-1] * (1 + tolerance):
            first.append(value)
        levels[place] = len(first) - 1
    return levels, first
