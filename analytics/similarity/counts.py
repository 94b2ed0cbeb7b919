"""Thermometer counts as the kernels want them: checked, C-contiguous, uint8 or uint16; and their windows."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.errors import InputError

LARGEST_TOTAL = 2**30
"""Sums of two totals must be 32-bit numbers."""

Counts = NDArray[np.uint8] | NDArray[np.uint16]
Whole = NDArray[np.int64]


def as_counts(values: ArrayLike, what: str = "counts", n_dimensions: int = 2) -> Counts:
    """Counts as a C-contiguous array of uint8 or uint16; other integers become the smallest of these that holds them.

    Raises:
        InputError: not integers, another number of dimensions, a count below 0 or above 65535, or a row that adds up to
            2³⁰ or more.
    """
    array: Any = np.asarray(values)
    if array.ndim != n_dimensions:
        raise InputError(f"{what} must have {n_dimensions} dimension(s), but have the shape {array.shape}.")
    if array.dtype in (np.uint8, np.uint16):
        return _checked(cast(Counts, np.ascontiguousarray(array)), what)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{what} must be whole numbers (uint8 or uint16), but are {array.dtype}.")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(f"{what} must lie in 0…65535, but reach from {low} to {high}.")
    narrow = high <= np.iinfo(np.uint8).max
    return _checked(np.ascontiguousarray(array, np.uint8) if narrow else np.ascontiguousarray(array, np.uint16), what)


def _checked(counts: Counts, what: str) -> Counts:
    """The counts, if their totals are below the limit."""
    if counts.shape[-1] * int(np.iinfo(counts.dtype).max) < LARGEST_TOTAL:
        return counts
    largest = int(counts.sum(axis=-1, dtype=np.int64).max(initial=0))
    if largest >= LARGEST_TOTAL:
        raise InputError(f"{what} add up to {largest:,} in a row, but must stay below {LARGEST_TOTAL:,}. Make "
                         f"fingerprints on a grid of fewer intervals or levels.")
    return counts


def same_dtype(left: Counts, right: Counts) -> tuple[Counts, Counts]:
    """Both in the wider of their dtypes."""
    kind = np.promote_types(left.dtype, right.dtype)
    return np.ascontiguousarray(left, dtype=kind), np.ascontiguousarray(right, dtype=kind)


def check_widths(left: Counts, right: Counts) -> None:
    """Raise InputError unless both have the same number of counts."""
    if left.shape[-1] != right.shape[-1]:
        raise InputError(f"Fingerprints of {left.shape[-1]} and of {right.shape[-1]} counts cannot be compared: they "
                         f"are of two grids. Compare fingerprints of one grid_id.")


def as_windows(starts: ArrayLike | None, stops: ArrayLike | None, n_rows: int, n_counts: int) -> tuple[Whole, Whole]:
    """The [start, stop) of every row, each (n_rows,) int64; without any, rows cover all columns.

    Raises:
        InputError: another number of windows than of rows, or one that leaves the columns 0…n_counts.
    """
    begins = np.zeros(n_rows, np.int64) if starts is None else np.asarray(starts, np.int64)
    ends = np.full(n_rows, n_counts, np.int64) if stops is None else np.asarray(stops, np.int64)
    if begins.shape != (n_rows,) or ends.shape != (n_rows,):
        raise InputError(f"starts and stops need one number for each of the {n_rows} rows, but have the shapes "
                         f"{begins.shape} and {ends.shape}.")
    if n_rows and (int(begins.min()) < 0 or int(ends.max()) > n_counts):
        raise InputError(f"Windows [start, stop) must lie within 0…{n_counts}, but reach from {int(begins.min())} "
                         f"to {int(ends.max())}.")
    return begins, ends


def columns_of(counts: Counts, start: int, stop: int) -> Counts:
    """The columns [start, stop), C-contiguous."""
    return cast(Counts, np.ascontiguousarray(counts[:, start:max(stop, start)]))


def padded(counts: Counts, start: int, stop: int) -> Counts:
    """A copy of the columns [start, stop), with zeros to the right up to a whole number of vector registers."""
    from analytics.similarity.vector import padded_width

    width = max(stop - start, 0)
    rows = np.zeros((len(counts), padded_width(width)), counts.dtype)
    rows[:, :width] = counts[:, start:start + width]
    return rows
