"""Fingerprints laid out for exact pruned search.

Rows are split, again and again at the median of the most widely spread of their total and 16 coarse sums (sums of
adjacent columns), into leaves of 64 rows that are alike: a k-d tree of which only the order and the leaves are kept.
A leaf knows the highest coarse sums and the range of totals of its rows, which bounds the coefficient of all its
rows at once; the coarse sums of a leaf lie column by column, which bounds its 64 rows in a few instructions.

Since Σ min over the columns of a segment is at most the smaller of the two segment sums, Σ min of coarse sums is at
least Σ min of counts. Coarse sums are kept as 16-bit numbers, rounded up in units of 2**shift where they would not
fit: rounding up keeps the bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Counts, Whole, as_counts, as_windows, padded
from analytics.similarity.order import order_rows
from analytics.similarity.vector import LEAF, SEGMENTS, padded_width

Sums = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The rows of one window [start, stop), in leaves. Never empty.

    Attributes:
        start: the first column that the rows cover.
        stop: the end (exclusive) of the columns that they cover.
        order: the given number of each row, shape (n,).
        counts: the rows in leaf order, columns start…stop and zeros after them, shape (n, padded width).
        totals: Σ counts of each row, shape (n,).
        sums: coarse sums in units of 2**shift, shape (leaves, SEGMENTS, LEAF); zeros behind the last row.
        highs: the highest coarse sums of each leaf, shape (leaves, SEGMENTS).
        high_groups: the same for LEAF leaves together, laid out as ``sums``: (groups, SEGMENTS, LEAF).
        lowest: the smallest total of each leaf, shape (leaves,).
        highest: the largest total of each leaf, shape (leaves,).
        shift: how many bits of the coarse sums are rounded away.
    """

    start: int
    stop: int
    order: Whole
    counts: Counts
    totals: Whole
    sums: Sums
    highs: Sums
    high_groups: Sums
    lowest: Whole
    highest: Whole
    shift: int

    def __len__(self) -> int:
        return len(self.order)

    @property
    def window(self) -> tuple[int, int]:
        """The columns that the rows cover, [start, stop)."""
        return self.start, self.stop


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Fingerprints ready for :mod:`~analytics.similarity.pairs` and :mod:`~analytics.similarity.nearest`.

    It can be pickled, and needs about as much memory as the counts plus 50 bytes a row. Building it takes a second
    or two for 10⁶ rows. Any rows will do, such as row groups of a Parquet file sorted by total: the closer their
    totals, the more pairs of indexes need no look at all, see :attr:`lowest_total`.

    Attributes:
        n_rows: rows, numbered 0…n_rows − 1 as they were given.
        n_counts: columns of a row.
        parts: rows grouped by window, those of the most frequent window first.
    """

    n_rows: int
    n_counts: int
    parts: tuple[Part, ...]

    @staticmethod
    def of(counts: ArrayLike, starts: ArrayLike | None = None, stops: ArrayLike | None = None) -> Index:
        """Lay fingerprints out.

        Args:
            counts: shape (n, n_counts), uint8 or uint16 (other integers are converted).
            starts: first covered column of each row, shape (n,); default: 0.
            stops: end (exclusive) of the covered columns of each row, shape (n,); default: n_counts.

        Returns:
            The index; rows keep the numbers 0…n − 1 of the order in which they were given.

        Raises:
            InputError: counts that are no counts, or windows that do not fit.
        """
        rows = as_counts(counts)
        begins, ends = as_windows(starts, stops, *rows.shape)
        windows, which = _windows(begins, ends, rows.shape[1])
        numbers = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[numbers], np.arange(len(windows) + 1))
        parts = tuple(make_part(rows, numbers[first:last], int(start), int(stop))
                      for (start, stop), first, last in zip(windows, bounds, bounds[1:], strict=False))
        return Index(len(rows), rows.shape[1], parts)

    def __len__(self) -> int:
        return self.n_rows

    @property
    def lowest_total(self) -> int:
        """The smallest total of a row; 0 without rows."""
        return min((int(part.lowest.min()) for part in self.parts), default=0)

    @property
    def highest_total(self) -> int:
        """The largest total of a row; 0 without rows."""
        return max((int(part.highest.max()) for part in self.parts), default=0)


def make_part(rows: Counts, numbers: Whole, start: int, stop: int) -> Part:
    """Lay out the rows of these numbers, of which the columns [start, stop) count."""
    sums, totals = _coarse(rows, numbers, segment_edges(start, stop))
    places = order_rows(sums, totals, LEAF)
    order = numbers[places]
    return _bounded(start, stop, order, _gather(rows, order, start, stop), totals, sums, places)


def restricted(part: Part, start: int, stop: int) -> Part:
    """The same rows in the same order, of which only the columns [start, stop) count."""
    if (start, stop) == part.window:
        return part
    columns = padded(part.counts, start - part.start, stop - part.start)
    rows = np.arange(len(part), dtype=np.int64)
    sums, totals = _coarse(columns, rows, segment_edges(0, stop - start))
    return _bounded(start, stop, part.order, columns, totals, sums, rows)


def in_units(part: Part, shift: int) -> Part:
    """The part with coarse sums in units of 2**shift, at least as coarse as they are."""
    more = shift - part.shift
    if not more:
        return part
    # Rounding up twice is rounding up once: ceil(ceil(x / a) / b) = ceil(x / ab).
    sums, highs, groups = (_rounded_up(table.astype(np.uint32), more).astype(np.uint16)
                           for table in (part.sums, part.highs, part.high_groups))
    return replace(part, sums=sums, highs=highs, high_groups=groups, shift=shift)


def coarse_sums(row: Counts, shift: int) -> tuple[Sums, int]:
    """Coarse sums (1, SEGMENTS) in units of 2**shift and the total of one row (1, n_columns).

    What is above 65535 units is cut off: the rows of a part whose sums have these units stay below that.
    """
    sums, totals = _coarse(row, np.zeros(1, np.int64), segment_edges(0, row.shape[1]))
    return np.minimum(_rounded_up(sums, shift), np.iinfo(np.uint16).max).astype(np.uint16), int(totals[0])


def _windows(starts: Whole, stops: Whole, n_counts: int) -> tuple[list[tuple[int, int]], Whole]:
    """The distinct windows, the most frequent first, and which of them each row has. All empty windows are one."""
    empty = stops <= starts
    code = np.where(empty, 0, starts * (n_counts + 1) + stops)
    values, which, frequency = np.unique(code, return_inverse=True, return_counts=True)
    rank = np.argsort(-frequency, kind="stable")
    place = np.empty_like(rank)
    place[rank] = np.arange(len(rank))
    windows = [divmod(int(value), n_counts + 1) if value else (0, 0) for value in values[rank]]
    return windows, place[which].astype(np.int64)


def segment_edges(start: int, stop: int) -> Whole:
    """The SEGMENTS + 1 edges of segments of nearly equal width; some are empty where columns are few."""
    return start + (np.arange(SEGMENTS + 1, dtype=np.int64) * max(stop - start, 0)) // SEGMENTS


def _rounded_up(values: NDArray[np.uint32], shift: int) -> NDArray[np.uint32]:
    """The values divided by 2**shift, rounded up."""
    return (values + np.uint32((1 << shift) - 1)) >> np.uint32(shift)


def _bounded(start: int, stop: int, order: Whole, counts: Counts, totals: Whole, sums: NDArray[np.uint32],
             places: Whole) -> Part:
    """Add the bounds of leaves to rows in their final order, in which row r has the sums and total ``places[r]``."""
    highs, lowest, highest = _extremes(sums, totals, places)
    # The sum of all segments must stay a 16-bit number, also that of the highest ones, which may be of many rows.
    # Rounding up adds less than a unit to each.
    largest, shift = int(highs.sum(axis=1, dtype=np.int64).max()), 0
    while (largest >> shift) + SEGMENTS > np.iinfo(np.uint16).max:
        shift += 1
    rounded = _rounded_up(highs, shift)
    every = np.arange(len(highs), dtype=np.int64)
    return Part(start, stop, order, counts, totals[places], _by_column(sums, places, shift),
                rounded.astype(np.uint16), _by_column(rounded, every, 0), lowest, highest, shift)


def _gather(rows: Counts, order: Whole, start: int, stop: int) -> Counts:
    """The rows in that order, padded, without a second copy of all of them."""
    width = max(stop - start, 0)
    counts = np.zeros((len(order), padded_width(width)), rows.dtype)
    for first in range(0, len(order), 65536):
        chosen = order[first:first + 65536]
        counts[first:first + 65536, :width] = rows[chosen, start:start + width]
    return counts


@compiled
def _coarse(rows: Counts, numbers: Whole, edges: Whole) -> tuple[NDArray[np.uint32], Whole]:
    """Coarse sums (n, SEGMENTS) and totals (n,) of some rows."""
    sums = np.zeros((len(numbers), SEGMENTS), np.uint32)
    totals = np.zeros(len(numbers), np.int64)
    for place in range(len(numbers)):
        row = rows[numbers[place]]
        for segment in range(SEGMENTS):
            value = np.uint32(0)
            for column in range(edges[segment], edges[segment + 1]):
                value += np.uint32(row[column])
            sums[place, segment] = value
            totals[place] += value
    return sums, totals


@compiled
def _extremes(sums: NDArray[np.uint32], totals: Whole, places: Whole) -> tuple[NDArray[np.uint32], Whole, Whole]:
    """The highest coarse sums of each leaf, its smallest and its largest total."""
    n_leaves = (len(places) + LEAF - 1) // LEAF
    highs = np.zeros((n_leaves, SEGMENTS), np.uint32)
    lowest, highest = np.empty(n_leaves, np.int64), np.empty(n_leaves, np.int64)
    lowest[:], highest[:] = totals.max(), 0
    for row in range(len(places)):
        leaf, place = row // LEAF, places[row]
        lowest[leaf], highest[leaf] = min(lowest[leaf], totals[place]), max(highest[leaf], totals[place])
        for segment in range(SEGMENTS):
            highs[leaf, segment] = max(highs[leaf, segment], sums[place, segment])
    return highs, lowest, highest


@compiled
def _by_column(sums: NDArray[np.uint32], places: Whole, shift: int) -> Sums:
    """The rows in that order as (leaves, SEGMENTS, LEAF) in units of 2**shift, zeros behind the last one."""
    table = np.zeros(((len(places) + LEAF - 1) // LEAF, SEGMENTS, LEAF), np.uint16)
    for row in range(len(places)):
        for segment in range(SEGMENTS):
            value = (np.int64(sums[places[row], segment]) + (1 << shift) - 1) >> shift
            table[row // LEAF, segment, row % LEAF] = value
    return table
