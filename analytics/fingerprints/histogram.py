"""From densities of states to counts: exact integrals over the intervals of a grid, a whole batch at once."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.profiles import Profiles

Counts = NDArray[Any]
Ints = NDArray[np.int32]

ROWS_PER_PART = 512
"""Rows that a thread takes at once."""


@dataclass(frozen=True)
class Layout:
    """A grid as the kernels read it. Energies are relative to the grid's centre.

    Attributes:
        center_ev: the centre relative to the valence-band maximum.
        step_ev: the narrowest interval; all edges are multiples of it.
        steps_ev: all multiples of the step from the first edge to the last, both included.
        first_step: which multiple the first of them is.
        marks: (n_counts + 1,) the position in ``steps_ev`` of every edge.
        per_state: (n_counts,) levels per state/atom.
        height_of: (n_counts,) which row of ``thresholds`` an interval has.
        thresholds: (heights, levels) the states/atom that fill 1, 2, … levels.
    """

    center_ev: float
    step_ev: float
    steps_ev: NDArray[np.float64]
    first_step: int
    marks: NDArray[np.int64]
    per_state: NDArray[np.float64]
    height_of: NDArray[np.int64]
    thresholds: NDArray[np.float64]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """All of it, in the order in which the kernels take it."""
        return (self.center_ev, self.step_ev, self.steps_ev, self.first_step, self.marks, self.per_state,
                self.height_of, self.thresholds)


@lru_cache(maxsize=8)
def layout(grid: DosGrid) -> Layout:
    """The layout of a grid."""
    numbers = np.rint(grid.centered_edges_ev / grid.energy_step_ev).astype(np.int64)
    multiples = np.arange(numbers[0], numbers[-1] + 1)
    heights, height_of = np.unique(grid.heights, return_inverse=True)
    # Python's round is right to the last digit, numpy's is not, and a state on a threshold fills its level
    thresholds = [[round(k * (h / grid.levels), 10) for k in range(1, grid.levels + 1)] for h in heights.tolist()]
    return Layout(
        grid.center_ev, grid.energy_step_ev, np.round(multiples * grid.energy_step_ev, 9), int(numbers[0]),
        numbers - numbers[0], grid.levels / grid.heights, height_of.astype(np.int64), np.array(thresholds),
    )


def dos_counts(
    profiles: Profiles, grid: DosGrid, shift_ev: float = 0.0, *, threads: int = 1
) -> tuple[Counts, Ints, Ints]:
    """The fingerprints of densities of states (Kuban et al., Sci. Data 9, 646 (2022)).

    A count is the number of levels that the states in an interval fill: the integral of the linearly
    interpolated density. It is summed in the order of the public reference, in steps of the narrowest interval,
    so that even states that lie on a threshold give the reference's count. Negative densities count as none.

    Only intervals that the data cover from edge to edge count; the others are left out of [start, stop). The
    reference does the same at the lower end. At an upper end within the window it counts the interval in which
    the data end by its part where the data also begin within the window, and else may leave out a complete one.

    Args:
        profiles: n densities. One that is not finite, not ascending or of fewer than two points gets no
            intervals; see :mod:`analytics.fingerprints.comparable` for reasons.
        grid: the grid.
        shift_ev: is added to all energies first, in eV.
        threads: threads at work; they share the processor with nothing else.

    Returns:
        Counts (n, n_counts), C-contiguous, uint8 or uint16, zero outside [start, stop); starts (n,), the first
        interval that is covered; stops (n,), the one after the last. Both are 0 where none is covered.
    """
    plan = layout(grid)
    counts = np.zeros((len(profiles), grid.n_counts), dtype=grid.dtype)
    starts, stops = np.zeros(len(profiles), dtype=np.int32), np.zeros(len(profiles), dtype=np.int32)

    def part(first: int, last: int) -> None:
        _count_rows(profiles.energies_ev, profiles.states, profiles.offsets, first, last, float(shift_ev),
                    *plan.arguments, counts, starts, stops)

    bounds = [(i, min(i + ROWS_PER_PART, len(profiles))) for i in range(0, len(profiles), ROWS_PER_PART)]
    if threads == 1 or len(bounds) < 2:
        part(0, len(profiles))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda b: part(*b), bounds))
    return counts, starts, stops


@njit(cache=True, nogil=True)
def _count_rows(  # type: ignore[no-untyped-def]
    energies, states, offsets, first, last, shift_ev, center_ev, step_ev, steps_ev, first_step, marks, per_state,
    height_of, thresholds, counts, starts, stops,
):
    for row in range(first, last):
        begin, end = offsets[row], offsets[row + 1]
        if not usable(energies, states, begin, end):
            continue
        start, stop = covered(
            energies[begin] + shift_ev - center_ev, energies[end - 1] + shift_ev - center_ev, step_ev, first_step, marks
        )
        starts[row], stops[row] = start, stop
        count_row(energies, states, begin, end, shift_ev, center_ev, steps_ev, marks, per_state, height_of, thresholds,
                  start, stop, counts[row])


@njit(cache=True, nogil=True)
def usable(energies, states, begin, end):  # type: ignore[no-untyped-def]
    """Whether a density has two points or more, ascending energies (or equal ones), and finite values alone."""
    if end - begin < 2 or not math.isfinite(energies[begin]) or not math.isfinite(energies[end - 1]):
        return False
    bad = False
    for i in range(begin, end - 1):
        bad |= not energies[i] <= energies[i + 1]
    for i in range(begin, end):
        bad |= not abs(states[i]) < np.inf
    return not bad


@njit(cache=True, nogil=True)
def covered(lowest_ev, highest_ev, step_ev, first_step, marks):  # type: ignore[no-untyped-def]
    """The range of intervals that lie within data from ``lowest_ev`` to ``highest_ev``, about the centre."""
    most = float(first_step + marks[-1] + 1)
    below = int(min(max(math.ceil(lowest_ev / step_ev), first_step), most)) - first_step
    above = int(min(max(math.floor(highest_ev / step_ev + 1e-9), first_step - 1), most)) - first_step
    start = np.searchsorted(marks, below, side="left")
    stop = np.searchsorted(marks, above, side="right") - 1
    if start >= stop:
        return 0, 0
    return start, stop


@njit(cache=True, nogil=True)
def count_row(  # type: ignore[no-untyped-def]
    energies, states, begin, end, shift_ev, center_ev, steps_ev, marks, per_state, height_of, thresholds, start, stop,
    counts,
):
    """The counts of one density in the intervals from ``start`` to ``stop``, written to ``counts``.

    Where an interval reaches beyond the data, the density is that of their last point.
    """
    if start >= stop:
        return
    levels = thresholds.shape[1]
    energy = steps_ev[marks[start]]
    point = _first_at_least(energies, begin, end, shift_ev, center_ev, energy)
    density = _density_at(energies, states, begin, end, shift_ev, center_ev, point, energy)
    for interval in range(start, stop):
        total = 0.0
        for step in range(marks[interval], marks[interval + 1]):
            following = steps_ev[step + 1]
            part = 0.0
            while point < end:
                at = energies[point] + shift_ev - center_ev
                if at >= following:
                    break
                there = max(states[point], 0.0)
                part += (density + there) * (at - energy) / 2.0
                density, energy = there, at
                point += 1
            there = _density_at(energies, states, begin, end, shift_ev, center_ev, point, following)
            part += (density + there) * (following - energy) / 2.0
            density, energy = there, following
            total += part
        filled = 0
        if total > 0.0:
            filled = int(min(total * per_state[interval], float(levels)))
            limits = thresholds[height_of[interval]]
            while filled < levels and limits[filled] <= total:
                filled += 1
            while filled > 0 and limits[filled - 1] > total:
                filled -= 1
        counts[interval] = filled


@njit(cache=True, nogil=True)
def _first_at_least(energies, begin, end, shift_ev, center_ev, energy):  # type: ignore[no-untyped-def]
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if energies[middle] + shift_ev - center_ev < energy:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _density_at(energies, states, begin, end, shift_ev, center_ev, point, energy):  # type: ignore[no-untyped-def]
    """The density at an energy, between the points ``point - 1`` and ``point``."""
    if point == begin:
        return max(states[begin], 0.0)
    left = max(states[point - 1], 0.0)
    if point == end:
        return left
    low, high = energies[point - 1] + shift_ev - center_ev, energies[point] + shift_ev - center_ev
    return left + (max(states[point], 0.0) - left) / (high - low) * (energy - low)
