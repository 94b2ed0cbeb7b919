"""What can be measured on every density of states of a batch: its faults, reach, spacing and electrons."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.fingerprints.profiles import Floats, Longs, Profiles
from analytics.similarity.compiled import compiled
from lake.sources.dos import EMPTY_STATES_PER_EV_PER_ATOM

FAULTS = ("", "too_few_points", "not_finite", "unsorted", "duplicate_energies", "negative")
"""Reason codes by the number that the kernel gives them; the first = none."""

MOST_REPEATED_SHARE = 0.1
"""Share of points that may occur twice, with equal densities: more look like two channels in one list."""

_TOO_FEW, _NOT_FINITE, _UNSORTED, _DUPLICATE, _NEGATIVE = range(1, 6)


@dataclass(frozen=True)
class Measures:
    """Numbers of n densities of states; NaN where a fault forbids to measure.

    Attributes:
        fault: (n,) places in :data:`FAULTS`.
        lowest_ev: (n,) the lowest energy.
        highest_ev: (n,) the highest energy.
        step_ev: (n,) the median spacing.
        gap_ev: (n,) the widest spacing within the window beside which there are states.
        electrons: (n,) states/atom from the lowest energy to 0 eV.
        first_density: (n,) states/eV/atom at the lowest energy.
        lowest_density: (n,) the most negative density, before it is taken for 0.
    """

    fault: NDArray[np.int8]
    lowest_ev: Floats
    highest_ev: Floats
    step_ev: Floats
    gap_ev: Floats
    electrons: Floats
    first_density: Floats
    lowest_density: Floats


def measure(profiles: Profiles, window_ev: tuple[float, float], most_negative_share: float) -> Measures:
    """Measure every density.

    Args:
        profiles: n densities.
        window_ev: lower and upper end in eV of where ``gap_ev`` is looked for.
        most_negative_share: of its highest density; more than that is the fault ``negative``.
    """
    n = len(profiles)
    fault = np.zeros(n, dtype=np.int8)
    numbers = np.full((7, n), np.nan)
    measure_rows(profiles.energies_ev, profiles.states, profiles.offsets, *window_ev, most_negative_share,
                 MOST_REPEATED_SHARE, EMPTY_STATES_PER_EV_PER_ATOM, fault, numbers)
    return Measures(fault, *numbers)


def mended(profiles: Profiles) -> Profiles:
    """The same densities, points in order of energy where each energy occurs once; a copy only if need be."""
    n = len(profiles)
    backwards = np.zeros(n, dtype=np.bool_)
    find_unsorted(profiles.energies_ev, profiles.offsets, backwards)
    if not backwards.any():
        return profiles
    energies, states = profiles.energies_ev.copy(), profiles.states.copy()
    for row in np.flatnonzero(backwards).tolist():
        part = slice(int(profiles.offsets[row]), int(profiles.offsets[row + 1]))
        order = np.argsort(energies[part], kind="stable")
        ascending = energies[part][order]
        if (np.diff(ascending) > 0).all():
            energies[part], states[part] = ascending, states[part][order]
    return replace(profiles, energies_ev=energies, states=states)


@compiled
def find_unsorted(energies_ev: Floats, offsets: Longs, backwards: NDArray[np.bool_]) -> None:
    """Mark rows of finite energies in which one is below the one before."""
    for row in range(len(backwards)):
        down, finite = False, True
        for i in range(offsets[row], offsets[row + 1]):
            finite &= abs(energies_ev[i]) < np.inf
        for i in range(offsets[row] + 1, offsets[row + 1]):
            down |= energies_ev[i] < energies_ev[i - 1]
        backwards[row] = down and finite


@compiled
def measure_rows(
    energies_ev: Floats, states: Floats, offsets: Longs, low_ev: float, high_ev: float, negative_share: float,
    repeated_share: float, empty: float, fault: NDArray[np.int8], numbers: Floats,
) -> None:
    """Fill ``fault`` and ``numbers``, the fields of :class:`Measures` in their order."""
    for row in range(len(fault)):
        energies, density = energies_ev[offsets[row]:offsets[row + 1]], states[offsets[row]:offsets[row + 1]]
        if len(energies) < 2:
            fault[row] = _TOO_FEW
            continue
        finite, down = True, False
        repeated, differing = 0, 0
        highest, lowest = 0.0, 0.0
        for i in range(len(energies)):
            finite &= abs(energies[i]) < np.inf and abs(density[i]) < np.inf
            highest, lowest = max(highest, density[i]), min(lowest, density[i])
        for i in range(1, len(energies)):
            down |= energies[i] < energies[i - 1]
            same = energies[i] == energies[i - 1]
            repeated += same
            differing += same and density[i] != density[i - 1]
        if not finite:
            fault[row] = _NOT_FINITE
            continue
        if down:
            fault[row] = _UNSORTED
        elif differing or repeated > repeated_share * len(energies):
            fault[row] = _DUPLICATE
        elif lowest < -negative_share * highest:
            fault[row] = _NEGATIVE
        numbers[0, row], numbers[1, row] = energies[0], energies[-1]
        numbers[2, row] = median_step(energies)
        numbers[3, row] = widest_gap(energies, density, low_ev, high_ev, empty)
        numbers[4, row] = electrons_below_zero(energies, density)
        numbers[5, row], numbers[6, row] = max(density[0], 0.0), lowest


@compiled
def widest_gap(energies: Floats, density: Floats, low_ev: float, high_ev: float, empty: float) -> float:
    """The widest spacing of points between two energies beside which there are states, in eV."""
    widest = 0.0
    for i in range(1, len(energies)):
        inside = energies[i] > low_ev and energies[i - 1] < high_ev
        if inside and (density[i] > empty or density[i - 1] > empty):
            widest = max(widest, energies[i] - energies[i - 1])
    return widest


@compiled
def electrons_below_zero(energies: Floats, density: Floats) -> float:
    """The integral of the density from its lower end to 0 eV."""
    total = 0.0
    for i in range(1, len(energies)):
        low, high = energies[i - 1], energies[i]
        if low >= 0.0:
            break
        left, right = max(density[i - 1], 0.0), max(density[i], 0.0)
        if high > 0.0:
            right = left - (right - left) / (high - low) * low
            high = 0.0
        total += (left + right) / 2.0 * (high - low)
    return total


@compiled
def median_step(energies: Floats) -> float:
    """The median spacing of ascending energies in eV."""
    n = len(energies) - 1
    steps = np.empty(n)
    narrowest, widest = np.inf, 0.0
    for i in range(n):
        steps[i] = energies[i + 1] - energies[i]
        narrowest, widest = min(narrowest, steps[i]), max(widest, steps[i])
    if widest - narrowest <= 1e-9 * widest:
        return float((energies[n] - energies[0]) / n)
    upper = selected(steps, n // 2)
    if n % 2:
        return upper
    lower = steps[0]
    for i in range(n // 2):
        lower = max(lower, steps[i])
    return float((lower + upper) / 2.0)


@compiled
def selected(values: Floats, wanted: int) -> float:
    """The value that sorting would put at a place; reorders, smaller or equal ones come before it."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return float(values[wanted])
