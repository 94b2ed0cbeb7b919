"""The order of a similarity matrix, and the blocks that show in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from analytics.convergence.settings import UNKNOWN, Setting

SORTED_BY = ("functional", "k_points", "basis_kind", "basis_size", "tier")
DEPTHS = (("functional",), ("functional", "k_points"), ("functional", "k_points", "basis_kind"))
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Neighbours in the sorted matrix with the same settings: places [start, stop).

    Attributes:
        words: the settings that they share, in the order of the depth.
        start: first place.
        stop: the one after the last.
        within: mean similarity of the pairs in it; None where there is one calculation only.
        within_aligned: the same of the aligned coefficients; None where these were not computed.
    """

    words: tuple[str, ...]
    start: int
    stop: int
    within: float | None
    within_aligned: float | None


@dataclass(frozen=True)
class Blocks:
    """The runs at one depth.

    Attributes:
        settings: names of the settings that a run shares.
        runs: in the order of the matrix.
        between: mean similarity of the calculations of every run with those of every other one (b, b); the
            diagonal is ``within``, NaN where that is None.
    """

    settings: tuple[str, ...]
    runs: tuple[Run, ...]
    between: Matrix


def order_of(settings: Mapping[str, Setting], ids: Sequence[str]) -> NDArray[np.intp]:
    """Places sorted by functional, k-points, basis (kind, then size) and tier; what is unknown last, ties by id."""
    names = np.array(ids, dtype=object)
    keys: list[NDArray[np.int64]] = [np.argsort(np.argsort(names)) if len(names) else np.zeros(0, np.int64)]
    for name in reversed(SORTED_BY):
        levels = settings[name].levels.astype(np.int64)
        keys.append(np.where(levels == UNKNOWN, np.iinfo(np.int64).max, levels))
    return np.lexsort(keys)


def blocks_of(
    settings: Mapping[str, Setting], order: NDArray[np.intp], similarity: Matrix, aligned: Matrix | None
) -> tuple[Blocks, ...]:
    """The blocks at every depth of ``DEPTHS``.

    Args:
        settings: by name.
        order: places in sorted order (n,).
        similarity: coefficients (n, n), already in that order.
        aligned: the same of the aligned ones, or None.
    """
    return tuple(_at(depth, settings, order, similarity, aligned) for depth in DEPTHS)


def _at(
    depth: tuple[str, ...], settings: Mapping[str, Setting], order: NDArray[np.intp], similarity: Matrix,
    aligned: Matrix | None,
) -> Blocks:
    labels = [tuple(settings[name].word(int(place)) for name in depth) for place in order]
    spans: list[tuple[tuple[str, ...], int, int]] = []
    for words, members in groupby(labels):
        start = spans[-1][2] if spans else 0
        spans.append((words, start, start + sum(1 for _ in members)))
    means = _means(similarity, spans)
    aligned_means = None if aligned is None else _means(aligned, spans)
    runs = tuple(
        Run(words, start, stop, _number(means[i, i]), None if aligned_means is None else _number(aligned_means[i, i]))
        for i, (words, start, stop) in enumerate(spans)
    )
    return Blocks(depth, runs, means)


def _means(matrix: Matrix, spans: Sequence[tuple[tuple[str, ...], int, int]]) -> Matrix:
    """Means over all pairs of two runs; within a run a calculation is not paired with itself."""
    if not spans:
        return np.zeros((0, 0))
    starts = np.array([start for _, start, _ in spans])
    sizes = np.array([stop - start for _, start, stop in spans], dtype=np.float64)
    sums = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    counts = np.outer(sizes, sizes)
    np.fill_diagonal(sums, np.diag(sums) - np.add.reduceat(np.diag(matrix), starts))
    np.fill_diagonal(counts, sizes * (sizes - 1))
    means: Matrix = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
