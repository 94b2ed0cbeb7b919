"""Mean similarity of pairs by how far their k-points and basis are apart, and whether the functional is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.convergence.resampling import resample
from analytics.convergence.settings import UNKNOWN, Setting

FUNCTIONAL = ("same", "other", "unknown")
RATIOS = ("same", "up to √2", "√2 to 2", "above 2")
K_POINTS = (*RATIOS, "unknown")
BASIS = (*RATIOS, "other kind", "unknown")
EDGES = (2**0.5, 2.0)
SLACK = 1.02
"""Ratios count as up to an edge where they exceed it by as much as two numbers of one level may differ."""
Matrix = NDArray[np.float64]
Classes = NDArray[np.int32]


@dataclass(frozen=True)
class DifferenceBin:
    """The pairs with differences of one kind.

    Attributes:
        functional: same, other or unknown.
        k_points: ratio of the k-points along one axis (of densities; of cube roots of numbers of k-points).
        basis: ratio of cutoffs, or of numbers of basis functions.
        n_pairs: pairs.
        similarity: their mean coefficient.
        low: lower end of its 95 % interval; None where there are too few calculations for one.
        high: upper end.
        aligned: mean aligned coefficient; None where not computed.
    """

    functional: str
    k_points: str
    basis: str
    n_pairs: int
    similarity: float
    low: float | None
    high: float | None
    aligned: float | None


def differences_of(
    settings: Mapping[str, Setting], similarity: Matrix, aligned: Matrix | None
) -> tuple[DifferenceBin, ...]:
    """The classes of pairs that occur, from equal settings to the farthest.

    Args:
        settings: by name, over n calculations.
        similarity: coefficients (n, n) in the same order.
        aligned: the same of the aligned ones, or None.
    """
    functional = _functional(settings["functional"])
    k_points = _k_points(settings["k_points"])
    basis = _basis(settings["basis_kind"], settings["basis_size"])
    shape = (len(FUNCTIONAL), len(K_POINTS), len(BASIS))
    classes = ((functional * shape[1] + k_points) * shape[2] + basis).astype(np.int32)
    plain = resample(classes, similarity, int(np.prod(shape)))
    upper = np.triu_indices(len(classes), 1)
    shifted = None if aligned is None else np.bincount(
        classes[upper], weights=aligned[upper], minlength=len(plain.counts)
    )
    bins = []
    for place in np.flatnonzero(plain.counts).tolist():
        f, k, b = np.unravel_index(place, shape)
        low, high = plain.interval(place) or (None, None)
        bins.append(DifferenceBin(
            FUNCTIONAL[f], K_POINTS[k], BASIS[b], int(plain.counts[place]), plain.mean(place), low, high,
            None if shifted is None else float(shifted[place] / plain.counts[place]),
        ))
    return tuple(bins)


def _functional(setting: Setting) -> Classes:
    both = setting.known[:, None] & setting.known[None, :]
    other = setting.levels[:, None] != setting.levels[None, :]
    return np.where(both, other, FUNCTIONAL.index("unknown")).astype(np.int32)


def _k_points(setting: Setting) -> Classes:
    # A mesh in three dimensions holds the cube of what it has along one axis.
    power = 1 / 3 if setting.measure[:1] == ("n_k_points",) else 1.0
    classes = _ratios(setting, setting.values**power)
    classes[(setting.levels == UNKNOWN)[:, None] | (setting.levels == UNKNOWN)[None, :]] = K_POINTS.index("unknown")
    return classes


def _basis(kind: Setting, size: Setting) -> Classes:
    classes = _ratios(size, size.values)
    classes[~(size.known[:, None] & size.known[None, :])] = BASIS.index("unknown")
    known = kind.known[:, None] & kind.known[None, :]
    classes[known & (kind.levels[:, None] != kind.levels[None, :])] = BASIS.index("other kind")
    # One kind is known and the other not: their sizes are measured on different scales, perhaps.
    classes[kind.known[:, None] != kind.known[None, :]] = BASIS.index("unknown")
    return classes


def _ratios(setting: Setting, values: Matrix) -> Classes:
    """The class of the ratio of every two numbers (n, n); where one of them is NaN the class means nothing."""
    with np.errstate(invalid="ignore"):
        ratio = np.maximum(values[:, None] / values[None, :], values[None, :] / values[:, None])
    classes = (1 + np.searchsorted([edge * SLACK for edge in EDGES], ratio)).astype(np.int32)
    classes[setting.levels[:, None] == setting.levels[None, :]] = 0
    return np.minimum(classes, len(RATIOS) - 1)
