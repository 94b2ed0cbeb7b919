"""The best of all combinations of screened features (ℓ₀): counted before, bounded, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise
from math import comb

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_COMBINATIONS = 20_000_000_000
"""A minute or so on two cores."""
MOST_BYTES = 4 * 2**30
TINY = 1e-12
FEW = 100_000
"""Fewer combinations are tried sooner than threads begin."""


@dataclass(frozen=True)
class Combinations:
    """The best combinations of features.

    Attributes:
        places: features of each (n_kept, size), the best first.
        unexplained: mean square that each leaves, over all rows and targets (n_kept,).
        n_searched: combinations that were tried.
    """

    places: Ints
    unexplained: Floats
    n_searched: int


def n_combinations(n_features: int, size: int) -> int:
    """How many there are."""
    return comb(n_features, size)


def check_bounds(n_features: int, size: int, n_tasks: int = 1, most: int = MOST_COMBINATIONS) -> None:
    """Refuse a search that would take too long, or too much memory, before anything is done.

    Raises:
        InputError: with numbers, and what to ask for.
    """
    n = n_combinations(n_features, size)
    if n > most:
        fewer = n_features
        while n_combinations(fewer, size) > most:
            fewer = int(fewer * 0.95)
        raise InputError(f"{n:,} combinations of {size} out of {n_features:,} screened features would have to be "
                         f"tried, and {most:,} are the most: screen fewer per dimension (--screened {fewer // size}), "
                         "or ask for fewer dimensions (--dimensions).")
    needed = 8 * n_tasks * n_features**2 * max(1 + (size - 2) * _threads(), 1)
    if needed > MOST_BYTES:
        raise InputError(f"The search through combinations of {size} out of {n_features:,} features would need "
                         f"{needed / 2**30:.1f} GB, and {MOST_BYTES / 2**30:.0f} are the most: screen fewer features "
                         "(--screened).")


def best_combinations(
    values: Floats, targets: Floats, tasks: Ints, size: int, n_kept: int = 50,
    progress: Callable[[int, int], None] | None = None, threads: int | None = None,
) -> Combinations:
    """Try all combinations by least squares with an intercept; every task has its own coefficients.

    Args:
        values: features (s, n).
        targets: (m, n).
        tasks: of every row (n,), from 0.
        size: features in a combination, from 1.
        n_kept: so many of the best are given back.
        progress: called with combinations done and all of them.
        threads: at once; None = the cores of this process.

    Raises:
        InputError: fewer features than a combination has; too many combinations.
    """
    s = len(values)
    if s < size:
        raise InputError(f"There are {s} features, and combinations of {size} were asked for: ask for fewer "
                         "dimensions.")
    check_bounds(s, size, int(tasks.max()) + 1)
    gram, products, total = _moments(values, targets, tasks)
    n, every = values.shape[1], n_combinations(s, size)
    if size == 1:
        diagonal = np.diagonal(gram, axis1=1, axis2=2)[:, None, :]
        gains = np.divide(products**2, diagonal, out=np.zeros_like(products), where=diagonal > 0.5).sum(axis=(0, 1))
        order = np.argsort(-gains, kind="stable")[:n_kept]
        return Combinations(order[:, None].astype(np.int64), (total - gains[order]) / n, every)
    best, places = _searched(gram, products, size, min(n_kept, every), progress, threads or _threads())
    return Combinations(places, np.maximum(total - best, 0) / n, every)


def _searched(
    gram: Floats, products: Floats, size: int, n_kept: int, progress: Callable[[int, int], None] | None, threads: int
) -> tuple[Floats, Ints]:
    from ml.sisso.kernels import search

    s = gram.shape[1]
    every, done = n_combinations(s, size), 0
    n_parts = 1 if every < FEW else 8 * threads

    def part(bounds: tuple[int, int]) -> tuple[Floats, Ints, int]:
        best, places = np.full(n_kept, -1.0), np.zeros((n_kept, size), np.int64)
        search(gram, products, size, *bounds, best, places)
        n_done = n_combinations(s - bounds[0], size) - n_combinations(max(s - bounds[1], 0), size)
        return best, places, n_done

    best, places = np.zeros(0), np.zeros((0, size), np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for future in as_completed([pool.submit(part, bounds) for bounds in _parts(s, size, n_parts)]):
            found, where, n_done = future.result()
            best, places = np.concatenate((best, found)), np.concatenate((places, where))
            # By gain, then by place: the same whatever part ended first.
            order = np.lexsort((*places.T[::-1], -best))[:n_kept]
            best, places, done = best[order], places[order], done + n_done
            if progress:
                progress(done, every)
    there = best >= 0
    return best[there], places[there]


def _parts(s: int, size: int, n: int) -> list[tuple[int, int]]:
    """Ranges of the first feature with about as many combinations each, the heaviest first."""
    left = np.array([n_combinations(s - i, size) for i in range(s - size + 2)], dtype=np.float64)
    wanted = left[0] * (1 - np.arange(1, n) / n)
    cuts = np.unique(np.concatenate(([0], np.searchsorted(-left, -wanted), [s - size + 1])))
    return [(int(a), int(b)) for a, b in pairwise(cuts)]


def _moments(values: Floats, targets: Floats, tasks: Ints) -> tuple[Floats, Floats, float]:
    """Gram matrices of features standardised in each task, their products with targets, all squares of targets."""
    n_tasks = int(tasks.max()) + 1
    gram = np.zeros((n_tasks, len(values), len(values)))
    products = np.zeros((n_tasks, len(targets), len(values)))
    total = 0.0
    for task in range(n_tasks):
        rows = tasks == task
        some, wanted = values[:, rows], targets[:, rows]
        centred = some - some.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        size = np.abs(some).max(axis=1, keepdims=True, initial=0.0)
        # A feature that is constant within a task says nothing there.
        centred = np.where(norm > TINY * size, centred / np.where(norm > 0, norm, 1.0), 0.0)
        wanted = wanted - wanted.mean(axis=1, keepdims=True)
        gram[task] = centred @ centred.T
        products[task] = wanted @ centred.T
        total += float((wanted**2).sum())
    return gram, products, total


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
