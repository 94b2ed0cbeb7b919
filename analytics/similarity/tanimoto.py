"""The Tanimoto coefficient of fingerprints held as thermometer counts, pair by pair: plain, complete, exact.

A fingerprint stores k ones and then zeros in each interval, so the Tanimoto coefficient of the bits equals
Σ min(a, b) / Σ max(a, b) of the counts (Kuban et al., Sci. Data 9, 646 (2022)). Sums run over the intersection of
the two rows' windows [start, stop); what is counted outside a row's window is ignored. An empty union gives 0.
Every coefficient is float64(Σ min / Σ max) of exact integers: the same number on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.similarity.bounds import coefficient_of
from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Counts, Whole, as_counts, as_windows, check_widths, columns_of, same_dtype
from analytics.similarity.vector import LEAF, add_shared

Coefficients = NDArray[np.float64]
Window = tuple[int, int]
_MOST_COLUMNS = 256
_FEW = 8
"""Left rows below which laying out the right ones column by column costs more than it saves."""


def coefficient(left: ArrayLike, right: ArrayLike, left_window: Window | None = None,
                right_window: Window | None = None) -> float:
    """The coefficient of two fingerprints.

    Args:
        left: counts, shape (n_counts,).
        right: counts, shape (n_counts,).
        left_window: the [start, stop) that the left one covers; default: all.
        right_window: the same of the right one.

    Raises:
        InputError: counts that are no counts, or of two grids.
    """
    many = as_counts(right, "right", 1)[np.newaxis]
    starts, stops = ([right_window[0]], [right_window[1]]) if right_window else (None, None)
    return float(against(left, many, left_window, starts=starts, stops=stops)[0])


def against(one: ArrayLike, many: ArrayLike, window: Window | None = None, *, starts: ArrayLike | None = None,
            stops: ArrayLike | None = None) -> Coefficients:
    """The coefficients of one fingerprint with each of many.

    Args:
        one: counts, shape (n_counts,).
        many: counts, shape (n, n_counts).
        window: the [start, stop) that the one covers; default: all.
        starts: first covered column of each of the many, shape (n,).
        stops: end (exclusive) of the covered columns of each of the many, shape (n,).

    Returns:
        Coefficients 0…1, shape (n,).

    Raises:
        InputError: counts that are no counts, of two grids, or windows that do not fit.
    """
    single = as_counts(one, "one", 1)[np.newaxis]
    begin, end = ([window[0]], [window[1]]) if window else (None, None)
    row: Coefficients = block(single, many, begin, end, starts, stops)[0]
    return row


def matrix(counts: ArrayLike, starts: ArrayLike | None = None, stops: ArrayLike | None = None) -> Coefficients:
    """The coefficients of all pairs.

    Args:
        counts: shape (n, n_counts), uint8 or uint16 (other integers are converted).
        starts: first covered column of each row, shape (n,); default: 0.
        stops: end (exclusive) of the covered columns of each row, shape (n,); default: n_counts.

    Returns:
        The symmetric matrix, shape (n, n); its diagonal is 1, and 0 where a row holds no count.

    Raises:
        InputError: counts that are no counts, or windows that do not fit.
    """
    rows = as_counts(counts)
    begins, ends = as_windows(starts, stops, *rows.shape)
    result = np.empty((len(rows), len(rows)))
    window = _common(begins, ends)
    if window is None:
        _windowed(rows, begins, ends, rows, begins, ends, True, result)
    else:
        whole = columns_of(rows, *window)
        totals = totals_of(whole)
        _plain(whole, totals, whole, totals, True, result)
    return result


def block(left: ArrayLike, right: ArrayLike, left_starts: ArrayLike | None = None,
          left_stops: ArrayLike | None = None, right_starts: ArrayLike | None = None,
          right_stops: ArrayLike | None = None) -> Coefficients:
    """The coefficients of each of the left with each of the right.

    Args:
        left: counts, shape (n, n_counts).
        right: counts, shape (m, n_counts).
        left_starts: first covered column of each left row, shape (n,); default: 0.
        left_stops: end (exclusive) of its covered columns, shape (n,); default: n_counts.
        right_starts: the same of the right rows, shape (m,).
        right_stops: the same of the right rows, shape (m,).

    Returns:
        Coefficients 0…1, shape (n, m).

    Raises:
        InputError: counts that are no counts, of two grids, or windows that do not fit.
    """
    a, b = as_counts(left, "left"), as_counts(right, "right")
    check_widths(a, b)
    a, b = same_dtype(a, b)
    a_starts, a_stops = as_windows(left_starts, left_stops, *a.shape)
    b_starts, b_stops = as_windows(right_starts, right_stops, *b.shape)
    result = np.empty((len(a), len(b)))
    window = _common(np.concatenate([a_starts, b_starts]), np.concatenate([a_stops, b_stops]))
    if window is None or len(a) < _FEW:
        _windowed(a, a_starts, a_stops, b, b_starts, b_stops, False, result)
    else:
        a, b = columns_of(a, *window), columns_of(b, *window)
        _plain(a, totals_of(a), b, totals_of(b), False, result)
    return result


def totals_of(counts: Counts) -> Whole:
    """Σ counts of every row, shape (n,) int64."""
    return _totals(counts)


def _common(starts: Whole, stops: Whole) -> Window | None:
    """The window of all rows, if they share one."""
    if not len(starts):
        return 0, 0
    same = bool((starts == starts[0]).all() and (stops == stops[0]).all())
    return (int(starts[0]), int(stops[0])) if same else None


@compiled
def _totals(counts: Counts) -> Whole:
    totals = np.empty(len(counts), np.int64)
    for row in range(len(counts)):
        total = np.uint32(0)
        for count in counts[row]:
            total += np.uint32(count)
        totals[row] = total
    return totals


@compiled
def _plain(left: Counts, left_totals: Whole, right: Counts, right_totals: Whole, symmetric: bool,
           result: Coefficients) -> None:
    """Fill the matrix, comparing each row with LEAF rows at once, whose counts lie column by column."""
    columns, n_columns = _by_column(right), left.shape[1]
    narrow = right_totals.astype(np.int32)
    common = np.empty(LEAF, np.int32)
    for block_number in range(len(columns)):
        j_from, j_to = block_number * LEAF, min((block_number + 1) * LEAF, len(right))
        for i in range(min(j_to, len(left)) if symmetric else len(left)):
            common[:] = 0
            for begin in range(0, n_columns, _MOST_COLUMNS):
                add_shared(columns, block_number, begin, min(begin + _MOST_COLUMNS, n_columns), left, i, common)
            _divide(common, narrow[j_from:j_to], np.int32(left_totals[i]), result[i, j_from:j_to])
        if symmetric:
            result[j_from:j_to, :j_from] = result[:j_from, j_from:j_to].T


@compiled
def _by_column(rows: Counts) -> Counts:
    """The rows as (blocks, n_columns, LEAF), zeros behind the last one."""
    columns = np.zeros(((len(rows) + LEAF - 1) // LEAF, rows.shape[1], LEAF), rows.dtype)
    for row in range(len(rows)):
        columns[row // LEAF, :, row % LEAF] = rows[row]
    return columns


@compiled
def _divide(common: NDArray[np.int32], totals: NDArray[np.int32], own: np.int32, row: Coefficients) -> None:
    """Coefficients from what is shared, in numbers narrow enough for vector registers."""
    for j in range(len(row)):
        union = np.int32(own + totals[j] - common[j])
        row[j] = np.float64(common[j]) / np.float64(max(union, np.int32(1)))


@compiled
def _sums(left: Counts, right: Counts) -> tuple[int, int]:
    """Σ min and Σ left + Σ right of two rows."""
    common, both = np.uint32(0), np.uint32(0)
    for column in range(len(left)):
        common += np.uint32(min(left[column], right[column]))
        both += np.uint32(left[column]) + np.uint32(right[column])
    return int(common), int(both)


@compiled
def _windowed(left: Counts, left_starts: Whole, left_stops: Whole, right: Counts, right_starts: Whole,
              right_stops: Whole, symmetric: bool, result: Coefficients) -> None:
    """Fill the matrix where windows differ, or where rows are few."""
    for i in range(len(left)):
        for j in range(i if symmetric else 0, len(right)):
            start = max(left_starts[i], right_starts[j])
            stop = max(min(left_stops[i], right_stops[j]), start)
            common, both = _sums(left[i][start:stop], right[j][start:stop])
            value = coefficient_of(common, both)
            result[i, j] = value
            if symmetric:
                result[j, i] = value
