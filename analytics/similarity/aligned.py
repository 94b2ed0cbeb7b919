"""The aligned coefficient: how alike two densities of states are once small errors of their energy zero are undone.

The energy reference dominates the Tanimoto coefficient of two densities of states: a shift of 0.05 eV takes it from
1 to 0.86 (median of real ones), and two programs place the valence-band maximum no better than that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.histogram import Counts, Ints, Layout, count_row, cover_rows, layout
from analytics.fingerprints.profiles import Floats, Longs, Profiles
from analytics.similarity.compiled import compiled
from analytics.similarity.vector import padded_width, shared
from lake.errors import InputError

MOST_SHIFTS = 1_000
PAIRS_PER_PART = 32_768
PROFILES_PER_PART = 64


def aligned_pairs(
    profiles: Profiles, left: ArrayLike, right: ArrayLike, grid: DosGrid, largest_shift_ev: float = 0.1,
    step_ev: float = 0.01, *, threads: int = 0, memory_bytes: int = 512 * 2**20,
) -> tuple[Floats, Floats]:
    """The best Tanimoto coefficient of pairs of densities of states over small shifts of their energies.

    For every shift δ the coefficients of (left, right moved by +δ) and of (left moved by −δ, right) are taken, so
    that exchanging the two gives the same coefficient at −δ. δ = 0 is among the shifts: the aligned coefficient is
    never below the plain one. Of equal coefficients that of the smallest |δ| is taken, of +δ and −δ that of +δ.
    The intervals compared are those of the unmoved data; where a shift bares the end of one, the density there is
    that of the last point.

    Args:
        profiles: n densities, such as :func:`analytics.fingerprints.comparable.check` hands on.
        left: (m,) positions in ``profiles``.
        right: (m,) positions in ``profiles``.
        grid: the grid.
        largest_shift_ev: largest |δ| in eV.
        step_ev: distance of neighbouring δ in eV.
        threads: threads that share the work; 0 = one per core.
        memory_bytes: about how much the fingerprints of all shifts may take at once; beyond it, pairs are done
            in groups of the same densities.

    Returns:
        Coefficients (m,), 0 where the two have no states in common intervals; shifts in eV (m,), by which the
        right one must be moved up to look most like the left one.

    Raises:
        InputError: positions out of range, or shifts that make no sense.
    """
    shifts_ev = _shifts(largest_shift_ev, step_ev)
    threads = threads or os.cpu_count() or 1
    one, other = _positions(left, len(profiles)), _positions(right, len(profiles))
    if one.shape != other.shape:
        raise InputError(f"Aligned pairs: {len(one):,} on the left, {len(other):,} on the right.")
    best, places = np.zeros(len(one)), np.zeros(len(one), dtype=np.int32)
    bytes_each = len(shifts_ev) * (padded_width(grid.n_counts) * grid.dtype.itemsize + 8)
    block = max(1, memory_bytes // (2 * bytes_each))
    used = np.zeros(len(profiles), dtype=np.bool_)
    used[one], used[other] = True, True
    number = np.cumsum(used) - 1
    wanted = np.flatnonzero(used)
    if len(wanted) <= 2 * block:
        chosen = profiles if len(wanted) == len(profiles) else profiles.take(wanted)
        counts = _Shifted(chosen, grid, shifts_ev, threads)
        counts.compare(number[one], number[other], counts, best, places, threads)
    else:
        for i, j, rows in _groups(number[one] // block, number[other] // block):
            first = _Shifted(profiles.take(wanted[i * block:(i + 1) * block]), grid, shifts_ev, threads)
            second = first if i == j else _Shifted(
                profiles.take(wanted[j * block:(j + 1) * block]), grid, shifts_ev, threads
            )
            found, at = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int32)
            first.compare(number[one[rows]] - i * block, number[other[rows]] - j * block, second, found, at, threads)
            best[rows], places[rows] = found, at
    return best, shifts_ev[places + len(shifts_ev) // 2]


class _Shifted:
    """The fingerprints of some densities at every shift.

    Attributes:
        counts: (n · shifts, padded width), zero outside the intervals that the unmoved data cover.
        totals: (n · shifts,) their sums.
        starts: (n,) first interval.
        stops: (n,) the one after the last.
    """

    def __init__(self, profiles: Profiles, grid: DosGrid, shifts_ev: Floats, threads: int) -> None:
        n, plan = len(profiles), layout(grid)
        self.n_shifts = len(shifts_ev)
        self.counts: Counts = np.zeros((n * self.n_shifts, padded_width(grid.n_counts)), dtype=grid.dtype)
        self.totals: Longs = np.zeros(n * self.n_shifts, dtype=np.int64)
        self.starts, self.stops = np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32)

        def part(first: int, last: int) -> None:
            rows = slice(first, last)
            all_shifts = slice(first * self.n_shifts, last * self.n_shifts)
            _count(profiles, plan, shifts_ev, profiles.offsets[first:last + 1], self.starts[rows], self.stops[rows],
                   self.counts[all_shifts], self.totals[all_shifts])

        _shared_out(part, n, PROFILES_PER_PART, threads)

    def compare(
        self, left: Longs, right: Longs, other: _Shifted, best: Floats, places: Ints, threads: int
    ) -> None:
        """Coefficients and shift numbers of pairs of ours and another's, written to ``best`` and ``places``."""
        def part(first: int, last: int) -> None:
            rows = slice(first, last)
            compare_pairs(left[rows], right[rows], self.n_shifts, self.counts, self.totals, self.starts, self.stops,
                          other.counts, other.totals, other.starts, other.stops, best[rows], places[rows])

        _shared_out(part, len(left), PAIRS_PER_PART, threads)


def _count(
    profiles: Profiles, plan: Layout, shifts_ev: Floats, offsets: Longs, starts: Ints, stops: Ints, counts: Counts,
    totals: Longs,
) -> None:
    cover_rows(profiles.energies_ev, profiles.states, offsets, 0.0, plan.center_ev, plan.step_ev, plan.first_step,
               plan.marks, starts, stops)
    count_shifts(profiles.energies_ev, profiles.states, offsets, shifts_ev, plan.center_ev, plan.steps_ev, plan.marks,
                 plan.per_state, plan.height_of, plan.thresholds, starts, stops, counts, totals)


@compiled
def count_shifts(
    energies_ev: Floats, states: Floats, offsets: Longs, shifts_ev: Floats, center_ev: float, steps_ev: Floats,
    marks: Longs, per_state: Floats, height_of: Longs, thresholds: Floats, starts: Ints, stops: Ints, counts: Counts,
    totals: Longs,
) -> None:
    """The counts of every row at every shift, row by row, and their sums."""
    n_shifts = len(shifts_ev)
    for row in range(len(starts)):
        part = slice(offsets[row], offsets[row + 1])
        for k in range(n_shifts):
            place = row * n_shifts + k
            count_row(energies_ev[part], states[part], shifts_ev[k], center_ev, steps_ev, marks, per_state, height_of,
                      thresholds, starts[row], stops[row], counts[place])
            totals[place] = counts[place].sum()


@compiled
def compare_pairs(
    left: Longs, right: Longs, n_shifts: int, counts: Counts, totals: Longs, starts: Ints, stops: Ints,
    other_counts: Counts, other_totals: Longs, other_starts: Ints, other_stops: Ints, best: Floats, places: Ints,
) -> None:
    """The best coefficient of every pair, and the number of the shift that gives it, 0 = none."""
    middle = n_shifts // 2
    same = np.empty((2, n_shifts), dtype=np.int64)
    for pair in range(len(left)):
        i, j = left[pair], right[pair]
        start, stop = max(starts[i], other_starts[j]), min(stops[i], other_stops[j])
        if start >= stop:
            continue
        whole = starts[i] == other_starts[j] and stops[i] == other_stops[j]
        here, there = i * n_shifts + middle, j * n_shifts + middle
        for k in range(n_shifts):
            first, second = i * n_shifts + k, j * n_shifts + k
            same[0, k] = shared(counts, here, other_counts, second, totals[here] + other_totals[second])
            same[1, k] = shared(counts, first, other_counts, there, totals[first] + other_totals[there])
        # the best coefficient so far is common / union: comparing products needs no division
        common, union, place = np.int64(0), np.int64(1), 0
        for k in range(n_shifts):
            shift = (k + 1) // 2 if k % 2 else -(k // 2)
            for turn in range(2):
                a, b = (here, there + shift) if turn == 0 else (here - shift, there)
                both = totals[a] + other_totals[b]
                if not whole:
                    both = np.int64(counts[a, start:stop].sum()) + np.int64(other_counts[b, start:stop].sum())
                found = same[turn, middle + shift if turn == 0 else middle - shift]
                if found * union > common * (both - found):
                    common, union, place = found, both - found, shift
        best[pair], places[pair] = common / union, place


def _shifts(largest_ev: float, step_ev: float) -> Floats:
    """All shifts in eV, ascending and symmetric about 0."""
    if not (0 <= largest_ev < np.inf and 0 < step_ev < np.inf and largest_ev / step_ev <= MOST_SHIFTS):
        raise InputError(f"Aligned pairs: shifts up to {largest_ev!r} eV in steps of {step_ev!r} eV; a largest shift "
                         f"of 0 or more and at most {MOST_SHIFTS:,} steps to it are needed.")
    steps = int(largest_ev / step_ev + 1e-9)
    return np.round(np.arange(-steps, steps + 1) * step_ev, 12)


def _positions(given: ArrayLike, n: int) -> Longs:
    """Positions as whole numbers, checked: the kernels do not."""
    found = np.asarray(given)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise InputError("Aligned pairs: positions must be a flat list of whole numbers.")
    if found.size and not (found.min() >= 0 and found.max() < n):
        raise InputError(f"Aligned pairs: position {found.min() if found.min() < 0 else found.max()} among {n:,} "
                         f"densities of states.")
    return np.ascontiguousarray(found, dtype=np.int64)


def _groups(left_block: Longs, right_block: Longs) -> list[tuple[int, int, NDArray[np.int64]]]:
    """Pairs of one block of densities on the left and one on the right, block by block."""
    codes = left_block * (int(right_block.max(initial=0)) + 1) + right_block
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return [(int(left_block[rows[0]]), int(right_block[rows[0]]), rows) for rows in np.split(order, cuts) if len(rows)]


def _shared_out(work: Callable[[int, int], None], n: int, size: int, threads: int) -> None:
    """Do ``work(first, last)`` for all of n, part by part."""
    bounds = [(i, min(i + size, n)) for i in range(0, n, size)]
    if threads == 1 or len(bounds) < 2:
        for first, last in bounds:
            work(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda b: work(*b), bounds))
