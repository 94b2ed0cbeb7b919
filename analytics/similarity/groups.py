"""Which fingerprints need not be compared one by one, because another one stands for them.

Copies of one calculation in several databases, and thousands of nearly equal calculations of one material, would make
the list of similar pairs grow with their square. Two kinds of groups keep it short:

- **identical**: equal counts and equal covered intervals. Nothing is lost: a pair of two groups has one coefficient,
  whichever members are taken; the view `similar_calculations` writes it out for all of them.
- **near**: for materials with very many calculations, those of one material at or above a similarity s to a leader.
  1 − Tc of counts is a metric (the Jaccard distance of multisets, Kosters & Laros, 2007), so that what is lost is
  bounded: against any third fingerprint that covers the same intervals, the coefficient of a member differs from its
  leader's by at most 1 − s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.similarity.bounds import coefficient_of, upper_coefficient
from analytics.similarity.compiled import compiled
from analytics.similarity.counts import Whole, padded
from analytics.similarity.vector import shared

Counts = NDArray[Any]


def identical(counts: Counts, starts: Whole, stops: Whole) -> Whole:
    """For each row the first row that equals it in counts and covered intervals; itself where there is none before.

    Args:
        counts: (n, n_counts), C-contiguous.
        starts: (n,) first covered interval.
        stops: (n,) the one after the last.
    """
    marks = _marks(counts, starts.astype(np.int64), stops.astype(np.int64))
    order = np.argsort(marks, kind="stable")
    new = np.ones(len(order), np.bool_)
    new[1:] = marks[order][1:] != marks[order][:-1]
    first = np.empty(len(order), np.int64)
    first[order] = order[np.flatnonzero(new)[np.cumsum(new) - 1]] if len(order) else order
    if _same(counts, starts.astype(np.int64), stops.astype(np.int64), first):
        return first
    # Two different rows have one mark, which 64 bits hardly ever let happen.
    whole = np.column_stack([counts.astype(np.int64), starts, stops])
    _, places, which = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    return np.asarray(places[which.ravel()], np.int64)


def near(counts: Counts, totals: Whole, starts: Whole, stops: Whole, material: Whole, more_than: int,
         similarity: float) -> tuple[Whole, NDArray[np.float64]]:
    """For each row its leader, a row of the same material and window that is at least so similar.

    Rows of a material are gone through by total and number. A row joins the leader that it is most similar to, the
    first of these where several are equally so, or becomes a leader itself.

    Args:
        counts: (n, n_counts), zero outside the covered intervals.
        totals: (n,) sums of the counts.
        starts: (n,) first covered interval.
        stops: (n,) the one after the last.
        material: (n,) a number for each material; −1 = unknown, never grouped.
        more_than: only materials with more rows than this.
        similarity: smallest Tanimoto coefficient with the leader.

    Returns:
        Leaders (n,) and coefficients with them (n,); a row that leads has itself and 1.
    """
    n = len(counts)
    leader, value = np.arange(n, dtype=np.int64), np.ones(n)
    sizes = np.bincount(material[material >= 0], minlength=1)
    many = np.flatnonzero((material >= 0) & (sizes[np.maximum(material, 0)] > more_than))
    order = many[np.lexsort((many, totals[many], stops[many], starts[many], material[many]))]
    same = (np.diff(material[order]) == 0) & (np.diff(starts[order]) == 0) & (np.diff(stops[order]) == 0)
    for rows in np.split(order, np.flatnonzero(~same) + 1):
        if len(rows) > 1:
            found, values = _fold(padded(counts[rows], 0, counts.shape[1]), totals[rows].astype(np.int64), similarity)
            leader[rows], value[rows] = rows[found], values
    return leader, value


@compiled
def _marks(counts: Counts, starts: Whole, stops: Whole) -> NDArray[np.uint64]:
    """A 64-bit digest of each row (FNV-1a over counts, then the mixing of SplitMix64)."""
    marks = np.empty(len(counts), np.uint64)
    for row in range(len(counts)):
        mark = np.uint64(14695981039346656037)
        for column in range(counts.shape[1]):
            mark = (mark ^ np.uint64(counts[row, column])) * np.uint64(1099511628211)
        for end in (starts[row], stops[row]):
            mark = (mark ^ np.uint64(end)) * np.uint64(1099511628211)
        mark = (mark ^ (mark >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        marks[row] = mark ^ (mark >> np.uint64(27))
    return marks


@compiled
def _same(counts: Counts, starts: Whole, stops: Whole, first: Whole) -> bool:
    """Whether every row equals the one that it was put with."""
    for row in range(len(counts)):
        other = first[row]
        if other == row:
            continue
        if starts[row] != starts[other] or stops[row] != stops[other]:
            return False
        for column in range(counts.shape[1]):
            if counts[row, column] != counts[other, column]:
                return False
    return True


@compiled
def _fold(counts: Counts, totals: Whole, similarity: float) -> tuple[Whole, NDArray[np.float64]]:
    """Leader and coefficient of every row of one group; rows ascend by total."""
    n, n_leaders = len(counts), 0
    leaders, leader, value = np.empty(n, np.int64), np.arange(n), np.ones(n)
    for row in range(n):
        best, highest = -1, 0.0
        for place in range(n_leaders - 1, -1, -1):
            other = leaders[place]
            both = totals[row] + totals[other]
            # Leaders before this one have smaller totals still.
            if upper_coefficient(totals[other], both) < similarity:
                break
            found = coefficient_of(shared(counts, row, counts, other, both), both)
            if found >= similarity and found >= highest:
                best, highest = other, found
        if best < 0:
            leaders[n_leaders] = row
            n_leaders += 1
        else:
            leader[row], value[row] = best, highest
    return leader, value
