"""The grid of a fingerprint of the density of states: which energy intervals, and how high each one is filled."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import InputError

Floats = NDArray[np.float64]

DEFINITION = 1
"""Raised when the same parameters come to give other counts: fingerprints of two definitions never meet."""

MOST_LEVELS = 32_767
MOST_INTERVALS = 100_000
MOST_STEPS = 1_000_000
MOST_THRESHOLDS = 2_000_000
_DECIMALS = 8


@dataclass(frozen=True)
class DosGrid:
    """Energy intervals that widen, and fill levels that rise, with the distance from a centre energy.

    An interval stores how many of its ``levels`` the states in it fill: a thermometer count. The definition is
    that of Kuban et al., Sci. Data 9, 646 (2022), whose default grid is :data:`REFERENCE`. All energies are
    relative to the valence-band maximum; they have at most 8 decimals, to which the definition rounds its edges.

    Attributes:
        window_min_ev: lower end in eV; the first edge lies at or above it.
        window_max_ev: upper end in eV; the last edge lies at or below it.
        levels: largest count of an interval.
        center_ev: energy in eV where intervals are narrowest and lowest.
        energy_step_ev: narrowest interval in eV; all others are multiples of it.
        largest_energy_step_ev: limit in eV that their width approaches.
        height_step: number of states/atom that fills the lowest interval; all others hold multiples of it.
        largest_height_step: limit that this number approaches.
        width_ev: W of exp(−x² / 2W²), by which the two grow with the distance x from the centre, in eV.

    Raises:
        InputError: a parameter is not finite or out of its range; the message says which.
    """

    window_min_ev: float = -10.0
    window_max_ev: float = 5.0
    levels: int = 56
    center_ev: float = -2.0
    energy_step_ev: float = 0.05
    largest_energy_step_ev: float = 1.05
    height_step: float = 0.5
    largest_height_step: float = 5.5
    width_ev: float = 7.0

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_ranges(self)
        if self.n_counts > MOST_INTERVALS:
            raise InputError(f"DOS grid: {self.n_counts:,} intervals, at most {MOST_INTERVALS:,} are taken; "
                             f"widen energy_step_ev or narrow the window.")
        if self.n_counts == 0:
            raise InputError("DOS grid: no interval fits into the window; narrow energy_step_ev or widen the window.")
        if len(set(self.heights.tolist())) * self.levels > MOST_THRESHOLDS:
            raise InputError(f"DOS grid: more than {MOST_THRESHOLDS:,} different fill levels; lower levels, or "
                             f"largest_height_step / height_step.")

    @cached_property
    def centered_edges_ev(self) -> Floats:
        """Edges (n_counts + 1,) in eV relative to the centre, ascending."""
        low, high = self._cutoffs
        side = _half_edges(self.energy_step_ev, self.largest_energy_step_ev, self.width_ev, max(-low, high))
        return np.array([-x for x in reversed(side[1:]) if x <= -low] + [x for x in side if x <= high])

    @cached_property
    def edges_ev(self) -> Floats:
        """Edges (n_counts + 1,) in eV relative to the valence-band maximum, ascending."""
        return np.round(self.centered_edges_ev + self.center_ev, _DECIMALS)

    @cached_property
    def heights(self) -> Floats:
        """States/atom that fill an interval to its last level (n_counts,), by its left edge."""
        left = self.centered_edges_ev[:-1].tolist()
        ratio = self.largest_height_step / self.height_step
        return np.array([_growth(x, ratio, self.width_ev) * self.height_step for x in left], dtype=np.float64)

    @property
    def kind(self) -> str:
        """What it describes."""
        return "dos"

    @property
    def n_counts(self) -> int:
        """Intervals, and so counts of a fingerprint."""
        return len(self.centered_edges_ev) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that counts have in memory: uint8 up to 255 levels, uint16 above."""
        return np.dtype(np.uint8 if self.levels <= 255 else np.uint16)

    @property
    def grid_id(self) -> str:
        """``dos-reference``, ``dos-paper``, or ``dos-`` and a digest of parameters and definition."""
        return _NAMES.get(self) or f"dos-{_digest(self.parameters())}"

    @property
    def description(self) -> str:
        """The grid in words."""
        return (f"density of states from {self.edges_ev[0]:g} to {self.edges_ev[-1]:g} eV about the valence-band "
                f"maximum, {self.n_counts:,} intervals of {self.levels:,} levels")

    def parameters(self) -> dict[str, Any]:
        """Everything that makes the grid again, ready for JSON; see :meth:`from_parameters`."""
        return {"kind": "dos", "definition": DEFINITION, **asdict(self)}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> DosGrid:
        """The grid of :meth:`parameters`; parameters that are left out have the reference's values.

        Raises:
            InputError: an unknown or impossible parameter, another kind of grid, or another definition.
        """
        given = dict(parameters)
        kind, definition = given.pop("kind", "dos"), given.pop("definition", DEFINITION)
        if kind != "dos":
            raise InputError(f"DOS grid: kind is {kind!r:.40}, dos is needed.")
        if definition != DEFINITION:
            raise InputError(f"DOS grid: it has definition {definition!r:.20}, this matlake makes definition "
                             f"{DEFINITION}; make its fingerprints again.")
        known = [field.name for field in fields(cls)]
        unknown = [str(name) for name in given if name not in known]
        if unknown:
            raise InputError(f"DOS grid: unknown parameter {unknown[0]:.40}. Parameters: {', '.join(known)}.")
        return cls(**given)

    @property
    def _cutoffs(self) -> tuple[float, float]:
        """The window relative to the centre."""
        return (
            round(self.window_min_ev - self.center_ev, _DECIMALS), round(self.window_max_ev - self.center_ev, _DECIMALS)
        )


def _check_numbers(grid: DosGrid) -> None:
    """Every parameter a finite number of its own type, so that equal grids have equal digests."""
    for field in fields(grid):
        value = getattr(grid, field.name)
        wanted = int if field.name == "levels" else float
        numeric = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if not numeric or not math.isfinite(value) or wanted(value) != value:
            what = "a whole number" if wanted is int else "a finite number"
            raise InputError(f"DOS grid: {field.name} is {value!r:.40}, {what} is needed.")
        object.__setattr__(grid, field.name, wanted(value))


def _check_ranges(grid: DosGrid) -> None:
    if not 1 <= grid.levels <= MOST_LEVELS:
        raise InputError(f"DOS grid: levels is {grid.levels:,}, 1 to {MOST_LEVELS:,} are taken.")
    for name in ("energy_step_ev", "height_step", "width_ev"):
        if getattr(grid, name) <= 0:
            raise InputError(f"DOS grid: {name} is {getattr(grid, name):g}, it must be above 0.")
    for small, large in (("energy_step_ev", "largest_energy_step_ev"), ("height_step", "largest_height_step")):
        if getattr(grid, large) < getattr(grid, small):
            raise InputError(f"DOS grid: {large} is below {small}; give the same value to both for a uniform grid.")
    for name in ("energy_step_ev", "window_min_ev", "window_max_ev", "center_ev"):
        value = getattr(grid, name)
        if abs(value) > 1e4 or round(value, _DECIMALS) != value:
            raise InputError(f"DOS grid: {name} is {value!r}, at most 8 decimals and 10,000 eV are taken.")
    low, high = grid._cutoffs
    if not low <= 0 <= high or low == high:
        raise InputError(f"DOS grid: the window {grid.window_min_ev:g} … {grid.window_max_ev:g} eV does not hold "
                         f"center_ev, {grid.center_ev:g} eV; widen it or move the centre.")
    if max(-low, high) / grid.energy_step_ev > MOST_STEPS:
        raise InputError(f"DOS grid: the window is more than {MOST_STEPS:,} times energy_step_ev; widen the step.")


def _growth(x_ev: float, ratio: float, width_ev: float) -> int:
    """By which multiple of its smallest value a step has grown at a distance from the centre."""
    rise = 1 - np.exp(-0.5 * (np.float64(x_ev) / width_ev) ** 2)
    return max(1, int(rise * (ratio - 1) + 1))


@lru_cache(maxsize=64)
def _half_edges(step_ev: float, largest_step_ev: float, width_ev: float, limit_ev: float) -> tuple[float, ...]:
    """The edges from the centre upwards."""
    edges = [0.0]
    while len(edges) <= MOST_INTERVALS + 1:
        grown = _growth(edges[-1], largest_step_ev / step_ev, width_ev) * step_ev
        following = float(np.round(edges[-1] + grown, _DECIMALS))
        if following > limit_ev:
            break
        edges.append(following)
    return tuple(edges)


def _digest(parameters: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]


REFERENCE = DosGrid()
"""The published default: −10 … 5 eV, 144 intervals of 56 levels (8,064 bits)."""

PAPER = DosGrid(window_max_ev=10.0, levels=2048)
"""The setting for −10 … 10 eV: 152 intervals of 2,048 levels (311,296 bits)."""

_NAMES = {REFERENCE: "dos-reference", PAPER: "dos-paper"}
