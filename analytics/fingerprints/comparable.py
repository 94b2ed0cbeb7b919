"""Which densities of states can be compared on a grid, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.fingerprints import electrons
from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.measures import FAULTS, Measures, measure, mended
from analytics.fingerprints.profiles import Floats, Profiles
from lake.errors import InputError
from lake.sources.dos import EMPTY_STATES_PER_EV_PER_ATOM, MOST_NEGATIVE_SHARE

Texts = NDArray[np.object_]

METHOD = 1
"""Raised when the same density and rules come to give another answer."""


@dataclass(frozen=True)
class Rules:
    """What a density of states must fulfil to be compared.

    Attributes:
        minimum_coverage: share of the grid's window that the data must cover, 0 to 1; with 1, one spacing of
            points may be missing at either end. Only intervals that the data cover whole are compared.
        largest_step_ev: widest spacing of points in eV within the window, beside states. A spacing of 0.1, 0.2,
            0.3 eV alone takes the coefficient of a density of broadening 0.1 eV with itself to 0.97, 0.86, 0.72.
        most_negative_share: share of its maximum down to which a density may be negative; it is taken for 0.
        least_electron_share: share of the electrons that must lie below 0 eV, see :mod:`.electrons`.
        most_electron_share: the same upwards, as a share of all electrons.
    """

    minimum_coverage: float = 1.0
    largest_step_ev: float = 0.25
    most_negative_share: float = MOST_NEGATIVE_SHARE
    least_electron_share: float = 0.75
    most_electron_share: float = 1.1

    def __post_init__(self) -> None:
        if not 0 < self.minimum_coverage <= 1:
            raise InputError(f"Rules: minimum_coverage is {self.minimum_coverage!r}, above 0 and up to 1 is taken.")
        for name in ("largest_step_ev", "most_negative_share", "least_electron_share", "most_electron_share"):
            if not getattr(self, name) >= 0:
                raise InputError(f"Rules: {name} is {getattr(self, name)!r}, a number of 0 or more is needed.")


RULES = Rules()

_FAULT_MESSAGES = {
    "too_few_points": "{points:,} points (none where energies and densities differ in number), 2 are needed",
    "not_finite": "an energy or density is missing or not finite",
    "unsorted": "energies are not ascending and some occur twice: several channels in one list?",
    "duplicate_energies": "energies occur twice, with different densities or very often: several channels in one list?",
    "negative": "densities are negative, down to {lowest:.3g} states/eV/atom",
}


@dataclass(frozen=True)
class Comparable:
    """What was found on n densities of states.

    Attributes:
        profiles: the densities, in order of energy where they were not and that was possible.
        reasons: (n,) reason code why a density cannot be compared; None = it can.
        messages: (n,) the reason in words, with the values.
        covered_min_ev: (n,) lower end in eV of the data within the window; NaN = not known.
        covered_max_ev: (n,) upper end in eV.
        energy_step_ev: (n,) median spacing in eV.
        electrons_per_atom: (n,) states from the lower end of the data to 0 eV.
    """

    profiles: Profiles
    reasons: Texts
    messages: Texts
    covered_min_ev: Floats
    covered_max_ev: Floats
    energy_step_ev: Floats
    electrons_per_atom: Floats

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which can be compared, (n,)."""
        return np.array([reason is None for reason in self.reasons.tolist()], dtype=np.bool_)

    def set_aside(self, row: int, reason: str, message: str) -> None:
        """Give a row its reason, unless it has one already."""
        if self.reasons[row] is None:
            self.reasons[row], self.messages[row] = reason, message


def check(
    profiles: Profiles, grid: DosGrid, *, formulas: Sequence[str | None] | pa.Array | None = None, rules: Rules = RULES
) -> Comparable:
    """Find out which densities can be compared on a grid.

    The reasons, the first that holds: ``too_few_points``, ``not_finite``, ``unsorted`` (and an energy occurs
    twice, so that sorting would be a guess), ``duplicate_energies`` (one energy has two densities, or very many
    occur twice), ``negative``, ``no_reference_level``, ``window_not_covered``, ``empty`` (no states within the
    window), ``too_coarse``, ``electron_count``.

    Args:
        profiles: n densities, of whatever quality.
        grid: the grid.
        formulas: n formulas for the count of electrons; None, or a null among them, leaves that out.
        rules: the limits.
    """
    profiles = mended(profiles)
    window = float(grid.edges_ev[0]), float(grid.edges_ev[-1])
    found = measure(profiles, window, rules.most_negative_share)
    n = len(profiles)
    low, high = np.maximum(found.lowest_ev, window[0]), np.minimum(found.highest_ev, window[1])
    meets = low < high
    result = Comparable(
        profiles, np.full(n, None, dtype=object), np.full(n, None, dtype=object),
        np.where(meets, low, np.nan), np.where(meets, high, np.nan), found.step_ev, found.electrons,
    )
    _faults(result, found)
    missing = pc.fill_null(pc.equal(profiles.reference_level, ""), True).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(missing).tolist():
        result.set_aside(row, "no_reference_level", "what 0 eV refers to is not known")
    _coverage(result, found, window, rules)
    _spacing(result, found, window, rules)
    if formulas is not None:
        _electrons(result, found, formulas, rules)
    return result


def _faults(result: Comparable, found: Measures) -> None:
    lengths = result.profiles.lengths
    for number, reason in enumerate(FAULTS):
        rows = np.flatnonzero(found.fault == number).tolist() if reason else []
        for row in rows:
            message = _FAULT_MESSAGES[reason].format(points=lengths[row], lowest=found.lowest_density[row])
            result.set_aside(row, reason, message)


def _coverage(result: Comparable, found: Measures, window: tuple[float, float], rules: Rules) -> None:
    step = np.minimum(found.step_ev, rules.largest_step_ev) * (1 + 1e-9)
    whole = (found.lowest_ev <= window[0] + step) & (found.highest_ev >= window[1] - step)
    share = (result.covered_max_ev - result.covered_min_ev) / (window[1] - window[0])
    for row in np.flatnonzero(~(whole | (share >= rules.minimum_coverage))).tolist():
        result.set_aside(
            row, "window_not_covered",
            f"data from {found.lowest_ev[row]:.2f} to {found.highest_ev[row]:.2f} eV, the grid's window is "
            f"{window[0]:g} to {window[1]:g} eV and {rules.minimum_coverage:.0%} of it must be covered",
        )


def _spacing(result: Comparable, found: Measures, window: tuple[float, float], rules: Rules) -> None:
    for row in np.flatnonzero(found.gap_ev == 0).tolist():
        result.set_aside(row, "empty", f"no states between {window[0]:g} and {window[1]:g} eV")
    for row in np.flatnonzero(found.gap_ev > rules.largest_step_ev * (1 + 1e-9)).tolist():
        result.set_aside(
            row, "too_coarse", f"points are up to {found.gap_ev[row]:.3g} eV apart within the window, "
            f"{rules.largest_step_ev:g} eV is allowed",
        )


def _electrons(
    result: Comparable, found: Measures, formulas: Sequence[str | None] | pa.Array, rules: Rules
) -> None:
    """Set aside what holds more electrons than the atoms have, or too few in data that begin within a gap."""
    given = formulas if isinstance(formulas, pa.Array) else pa.array(formulas, pa.string())
    if len(given) != len(result.profiles):
        raise InputError(f"Electron count: {len(given):,} formulas for {len(result.profiles):,} densities of states.")
    coded = given.dictionary_encode()
    known = [electrons.bounds(text) for text in coded.dictionary.to_pylist()] + [None]
    codes = pc.fill_null(coded.indices, len(known) - 1).to_numpy(zero_copy_only=False)
    most = np.array([np.inf if b is None else b[0] for b in known])[codes] * rules.most_electron_share
    least = np.array([0.0 if b is None else electrons.least_electrons(b, -np.inf) for b in known])[codes]
    held = found.electrons
    starts_empty = found.first_density <= EMPTY_STATES_PER_EV_PER_ATOM
    suspect = (held > most) | (starts_empty & (held < least * rules.least_electron_share))
    for row in np.flatnonzero(suspect).tolist():
        limits = known[codes[row]]
        if limits is None:
            continue
        fewest = electrons.least_electrons(limits, float(found.lowest_ev[row]))
        if held[row] > most[row] or held[row] < fewest * rules.least_electron_share:
            bound = f"at most {limits[0]:.3g}" if held[row] > most[row] else f"at least {fewest:.3g}"
            result.set_aside(
                row, "electron_count",
                f"{held[row]:.3g} electrons per atom below 0 eV, {given[row].as_py()} has {bound} there: "
                f"the densities are of another scale, or of one spin channel",
            )
