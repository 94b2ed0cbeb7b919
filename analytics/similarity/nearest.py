"""The most similar fingerprints to a given one: exact, deterministic, a few milliseconds among 10⁶.

Leaves are visited in the order of their bound, so that the first ones hold the answer and the rest need no look: the
search ends where no bound reaches the k-th best. Rows are ranked by coefficient, and by their number where that is
equal, so that the answer is that of sorting all coefficients.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.similarity.counts import Counts, as_counts, as_windows, padded
from analytics.similarity.index import Index, Part, coarse_sums, segment_edges
from analytics.similarity.tanimoto import Window
from analytics.similarity.vector import SEGMENTS
from analytics.similarity.visit import visit
from lake.errors import InputError, SettingsError

Numbers = NDArray[np.int64]
Coefficients = NDArray[np.float64]
NOBODY = -1


def nearest(index: Index, query: ArrayLike, k: int, *, window: Window | None = None,
            without: int | None = None) -> tuple[Numbers, Coefficients]:
    """The k rows most similar to a fingerprint.

    Args:
        index: the fingerprints to search.
        query: counts, shape (n_counts,).
        k: how many, at least 1.
        window: the [start, stop) that the query covers; default: all. Rows are compared on what both cover.
        without: a row to leave out, such as the query itself.

    Returns:
        Row numbers (m,) int64 and coefficients (m,) float64, the highest coefficient first and the lowest number
        first where coefficients are equal; m is k, or the number of rows if that is less.

    Raises:
        SettingsError: k below 1.
        InputError: a query that holds no counts, is of another grid than the index, or a window outside it.
    """
    if k < 1:
        raise SettingsError(f"At least 1 nearest fingerprint must be asked for, not {k}.")
    counts = as_counts(query, "query", 1)[np.newaxis]
    _check_grid(index, counts)
    begin, end = window or (0, counts.shape[1])
    starts, stops = as_windows([begin], [end], 1, counts.shape[1])
    room = min(k, index.n_rows)
    numbers, coefficients = np.empty(room, np.int64), np.empty(room)
    n = 0
    for part in index.parts:
        n = _search(part, counts, int(starts[0]), int(stops[0]), NOBODY if without is None else without, numbers,
                    coefficients, n)
    best = np.lexsort((numbers[:n], -coefficients[:n]))
    return numbers[best], coefficients[best]


def nearest_many(index: Index, queries: ArrayLike, k: int, *, starts: ArrayLike | None = None,
                 stops: ArrayLike | None = None, without: ArrayLike | None = None) -> tuple[Numbers, Coefficients]:
    """The k rows most similar to each of many fingerprints, as :func:`nearest` finds them.

    Args:
        index: the fingerprints to search.
        queries: counts, shape (n, n_counts).
        k: how many, at least 1.
        starts: first covered column of each query, shape (n,); default: 0.
        stops: end (exclusive) of its covered columns, shape (n,); default: n_counts.
        without: a row to leave out for each query, shape (n,); −1 leaves out none.

    Returns:
        Row numbers (n, k) int64 and coefficients (n, k) float64. Where there are fewer than k rows, the rest is −1
        and NaN.

    Raises:
        SettingsError: k below 1.
        InputError: queries that hold no counts, are of another grid than the index, or windows that do not fit.
    """
    rows = as_counts(queries, "queries")
    begins, ends = as_windows(starts, stops, *rows.shape)
    left_out = np.full(len(rows), NOBODY) if without is None else np.asarray(without, np.int64)
    if left_out.shape != (len(rows),):
        raise InputError(f"without needs one row number for each of the {len(rows)} queries, but has the shape "
                         f"{left_out.shape}.")
    numbers, coefficients = np.full((len(rows), k), NOBODY), np.full((len(rows), k), np.nan)
    for place, row in enumerate(rows):
        found = nearest(index, row, k, window=(int(begins[place]), int(ends[place])), without=int(left_out[place]))
        numbers[place, :len(found[0])], coefficients[place, :len(found[1])] = found
    return numbers, coefficients


def _check_grid(index: Index, query: Counts) -> None:
    """Raise InputError unless the query can be of the grid of the index."""
    if query.shape[1] != index.n_counts and index.n_rows:
        raise InputError(f"A query of {query.shape[1]} counts cannot be compared with an index of {index.n_counts}: "
                         f"they are of two grids. Search with a fingerprint of the same grid_id.")
    for part in index.parts:
        if not np.can_cast(query.dtype, part.counts.dtype):
            raise InputError(f"A query with counts up to {int(query.max())} ({query.dtype}) cannot be compared with an "
                             f"index of {part.counts.dtype} counts. Search with a fingerprint of the same grid_id.")


def _search(part: Part, query: Counts, start: int, stop: int, without: int, numbers: Numbers,
            coefficients: Coefficients, n: int) -> int:
    """Improve the best rows found so far by those of one part; returns how many there are."""
    begin, end = max(start, part.start), min(stop, part.stop)
    common = np.zeros((1, part.stop - part.start), part.counts.dtype)
    cover, outside = np.zeros((0, 0), part.counts.dtype), np.zeros((1, SEGMENTS), np.uint16)
    if begin < end:
        common[0, begin - part.start:end - part.start] = query[0, begin:end]
    if (begin, end) != part.window:
        cover, outside = _cover(part, begin, end)
    sums, total = coarse_sums(common, part.shift)
    return visit(part.counts, part.totals, part.sums, part.highs, part.lowest, part.highest, part.order, part.shift,
                 padded(common, 0, common.shape[1]), total, sums, cover, outside, without, numbers, coefficients, n)


def _cover(part: Part, begin: int, end: int) -> tuple[Counts, NDArray[np.uint16]]:
    """The largest count in the columns [begin, end) of a part, zero elsewhere; 65535 for segments not all in them."""
    columns = np.zeros((1, part.counts.shape[1]), part.counts.dtype)
    columns[0, max(begin - part.start, 0):max(end - part.start, 0)] = np.iinfo(part.counts.dtype).max
    inside = [begin <= first and last <= end for first, last in pairwise(segment_edges(part.start, part.stop))]
    return columns, np.where(inside, 0, np.iinfo(np.uint16).max).astype(np.uint16)[np.newaxis]
