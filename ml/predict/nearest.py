"""Distances to the nearest of some points, exact, part by part; and few points that stand for many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
AT_ONCE = 4_000_000
"""Distances held at a time: 32 MB."""


def nearest(points: Floats, others: Floats) -> Floats:
    """The distance of every point (n, w) to the nearest of the others (m, w), which are at least one; (n,)."""
    found = np.empty(len(points))
    lengths = (others**2).sum(axis=1)
    step = max(1, AT_ONCE // len(others))
    for start in range(0, len(points), step):
        part = points[start:start + step]
        squares = (part**2).sum(axis=1)[:, None] + lengths - 2 * part @ others.T
        closest = squares.argmin(axis=1)
        # The expansion above loses digits where points nearly coincide.
        found[start:start + step] = np.linalg.norm(part - others[closest], axis=1)
    return found


def spread_out(points: Floats, n: int) -> npt.NDArray[np.int64]:
    """Places of at most ``n`` points of (m, w) that leave none of the others far away.

    Each is the one furthest from those before it, the first the furthest from the mean (T. F. Gonzalez, Theor. Comput.
    Sci. 38, 293, 1985: no other choice leaves the furthest point less than half as far). Points that coincide with
    one of them are not taken.
    """
    if not len(points):
        return np.empty(0, dtype=np.int64)
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmax())]
    distances = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < n:
        place = int(distances.argmax())
        if distances[place] <= 0:
            break
        chosen.append(place)
        distances = np.minimum(distances, ((points - points[place]) ** 2).sum(axis=1))
    return np.array(chosen, dtype=np.int64)
