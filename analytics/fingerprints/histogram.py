"""From densities of states to counts: exact integrals over the intervals of a grid, a whole batch at once."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.profiles import Floats, Longs, Profiles
from analytics.similarity.compiled import compiled

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
    steps_ev: Floats
    first_step: int
    marks: Longs
    per_state: Floats
    height_of: Longs
    thresholds: Floats


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
    reference does the same at the lower end, rounding included: where data begin just on an edge, it may leave the
    interval out. Where the data end within the window it differs: it leaves out an interval that they cover just
    so, and where they also begin within the window, it takes their last step of ``energy_step_ev`` for a straight
    line and counts the interval in which they end by the part that they cover.

    Args:
        profiles: n densities. One that is not finite, not ascending or of fewer than two points gets no
            intervals; see :mod:`analytics.fingerprints.comparable` for reasons.
        grid: the grid.
        shift_ev: is added to all energies first, in eV.
        threads: threads that share the work.

    Returns:
        Counts (n, n_counts), C-contiguous, uint8 or uint16, zero outside [start, stop); starts (n,), the first
        interval that is covered; stops (n,), the one after the last. Both are 0 where none is covered.
    """
    plan = layout(grid)
    counts = np.zeros((len(profiles), grid.n_counts), dtype=grid.dtype)
    starts, stops = np.zeros(len(profiles), dtype=np.int32), np.zeros(len(profiles), dtype=np.int32)
    moved = float(shift_ev)

    def part(first: int, last: int) -> None:
        offsets = profiles.offsets[first:last + 1]
        cover_rows(profiles.energies_ev, profiles.states, offsets, moved, plan.center_ev, plan.step_ev,
                   plan.first_step, plan.marks, starts[first:last], stops[first:last])
        count_rows(profiles.energies_ev, profiles.states, offsets, moved, plan.center_ev, plan.steps_ev, plan.marks,
                   plan.per_state, plan.height_of, plan.thresholds, starts[first:last], stops[first:last],
                   counts[first:last])

    bounds = [(i, min(i + ROWS_PER_PART, len(profiles))) for i in range(0, len(profiles), ROWS_PER_PART)]
    if threads == 1 or len(bounds) < 2:
        part(0, len(profiles))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda b: part(*b), bounds))
    return counts, starts, stops


@compiled
def cover_rows(
    energies_ev: Floats, states: Floats, offsets: Longs, shift_ev: float, center_ev: float, step_ev: float,
    first_step: int, marks: Longs, starts: Ints, stops: Ints,
) -> None:
    """The range of intervals that lie within the data of every row, written to ``starts`` and ``stops``."""
    most = first_step + marks[-1] + 1
    for row in range(len(starts)):
        begin, end = offsets[row], offsets[row + 1]
        if not usable(energies_ev[begin:end], states[begin:end]):
            continue
        lowest = energies_ev[begin] + shift_ev - center_ev
        highest = energies_ev[end - 1] + shift_ev - center_ev
        below = int(min(max(np.ceil(lowest / step_ev), first_step), most)) - first_step
        above = int(min(max(np.floor(highest / step_ev + 1e-9), first_step - 1), most)) - first_step
        start = np.searchsorted(marks, below)
        stop = np.searchsorted(marks, above + 1) - 1
        if start < stop:
            starts[row], stops[row] = start, stop


@compiled
def usable(energies_ev: Floats, states: Floats) -> bool:
    """Whether a density has two points or more, ascending energies (or equal ones), and finite values alone."""
    if len(energies_ev) < 2 or not math.isfinite(energies_ev[0]) or not math.isfinite(energies_ev[-1]):
        return False
    bad = False
    for i in range(len(energies_ev) - 1):
        bad |= not energies_ev[i] <= energies_ev[i + 1]
    for i in range(len(states)):
        bad |= not abs(states[i]) < np.inf
    return not bad


@compiled
def count_rows(
    energies_ev: Floats, states: Floats, offsets: Longs, shift_ev: float, center_ev: float, steps_ev: Floats,
    marks: Longs, per_state: Floats, height_of: Longs, thresholds: Floats, starts: Ints, stops: Ints, counts: Counts,
) -> None:
    """The counts of every row in its intervals from ``starts`` to ``stops``, written to ``counts``.

    Where an interval reaches beyond the data, the density is that of their last point.
    """
    for row in range(len(starts)):
        part = slice(offsets[row], offsets[row + 1])
        count_row(energies_ev[part], states[part], shift_ev, center_ev, steps_ev, marks, per_state, height_of,
                  thresholds, starts[row], stops[row], counts[row])


@compiled
def count_row(
    energies: Floats, density: Floats, shift_ev: float, center_ev: float, steps_ev: Floats, marks: Longs,
    per_state: Floats, height_of: Longs, thresholds: Floats, start: int, stop: int, counts: Counts,
) -> None:
    """The counts of one density in the intervals from ``start`` to ``stop``, written to ``counts``."""
    if start >= stop:
        return
    levels = thresholds.shape[1]
    here = steps_ev[marks[start]]
    point = np.searchsorted(energies, here + center_ev - shift_ev)
    # the rounding of a sum may differ by one digit from that of the comparison below
    while point > 0 and energies[point - 1] + shift_ev - center_ev >= here:
        point -= 1
    while point < len(energies) and energies[point] + shift_ev - center_ev < here:
        point += 1
    now = density_at(energies, density, shift_ev, center_ev, point, here)
    for interval in range(start, stop):
        total = 0.0
        for step in range(marks[interval], marks[interval + 1]):
            end = steps_ev[step + 1]
            part = 0.0
            while point < len(energies):
                at = energies[point] + shift_ev - center_ev
                if at >= end:
                    break
                then = max(density[point], 0.0)
                part += (now + then) * (at - here) / 2.0
                now, here = then, at
                point += 1
            then = density_at(energies, density, shift_ev, center_ev, point, end)
            part += (now + then) * (end - here) / 2.0
            now, here = then, end
            total += part
        counts[interval] = filled(total, per_state[interval], levels, thresholds[height_of[interval]])


@compiled
def density_at(
    energies: Floats, density: Floats, shift_ev: float, center_ev: float, point: int, energy: float
) -> float:
    """The density at an energy, between the points ``point - 1`` and ``point``."""
    if point == 0:
        return float(max(density[0], 0.0))
    left = float(max(density[point - 1], 0.0))
    if point == len(energies):
        return left
    low, high = energies[point - 1] + shift_ev - center_ev, energies[point] + shift_ev - center_ev
    return float(left + (max(density[point], 0.0) - left) / (high - low) * (energy - low))


@compiled
def filled(total: float, per_state: float, levels: int, thresholds: Floats) -> int:
    """How many levels a number of states fills."""
    if total <= 0.0:
        return 0
    count = int(min(total * per_state, float(levels)))
    while count < levels and thresholds[count] <= total:
        count += 1
    while count > 0 and thresholds[count - 1] > total:
        count -= 1
    return count
