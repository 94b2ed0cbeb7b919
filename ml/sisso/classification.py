"""Telling classes apart by linear functions of features, and how many rows lie where classes overlap.

The overlap of convex hulls is that of Ouyang et al. (2018). Combinations are searched exhaustively by Pillai's trace
(how much of the classes' indicators a linear function explains), and the best of them are judged by rows in overlaps,
then by rows in the wrong class.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from ml.sisso.exhaustive import Combinations
from ml.sisso.regression import Fit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_ROWS_IN_HULLS = 2_000
"""Of more rows the overlap of hulls in three and more dimensions is not counted: each takes a linear program."""
JUDGED = 20
"""Of so many combinations hulls are looked at."""
SLACK = 1e-9


def indicators(labels: Ints, n_classes: int) -> Floats:
    """Targets of the exhaustive search (n_classes, n): whether a row is of a class, over the root of its size."""
    found: Floats = np.stack([(labels == one) / max(np.sqrt((labels == one).sum()), 1.0) for one in range(n_classes)])
    return found


def discriminant(values: Floats, labels: Ints, n_classes: int, places: tuple[int, ...]) -> tuple[Floats, Ints]:
    """Linear functions of features, one per class (n_classes, 1 + d), and the class they put every row in (n,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    chosen = values[list(places)].T
    mean, scale = chosen.mean(axis=0), chosen.std(axis=0)
    scaled = (chosen - mean) / np.where(scale > 0, scale, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=1e4, max_iter=2_000).fit(scaled, labels)
    slopes, levels = fitted.coef_, fitted.intercept_
    if len(slopes) == 1:
        slopes, levels = np.concatenate((-slopes, slopes)) / 2, np.concatenate((-levels, levels)) / 2
    slopes = slopes / np.where(scale > 0, scale, 1.0)
    found = np.full((n_classes, 1 + len(places)), 0.0)
    # A class without rows never is the highest.
    found[:, 0] = -1e12
    found[fitted.classes_.astype(int)] = np.column_stack((levels - slopes @ mean, slopes))
    said = np.argmax(found[:, :1] + found[:, 1:] @ chosen.T, axis=0).astype(np.int64)
    return found, said


def best_fits(values: Floats, labels: Ints, n_classes: int, found: Combinations, n_kept: int) -> list[Fit]:
    """The combinations that were found as linear functions, the best first; those first judged by hulls.

    The loss of a fit: rows in overlaps (−1 = not counted), rows in the wrong class, and what Pillai's trace leaves.
    """
    fits = []
    for place, (places, rest) in enumerate(zip(found.places, found.unexplained, strict=True)):
        if place >= max(n_kept, JUDGED):
            break
        chosen = tuple(map(int, places))
        functions, said = discriminant(values, labels, n_classes, chosen)
        inside = overlap(values[list(chosen)].T, labels)
        loss = (-1.0 if inside is None else float(inside.sum()), float((said != labels).sum()), float(rest))
        fits.append(Fit(chosen, functions[None], said.astype(np.float64), loss))
    return sorted(fits, key=lambda fit: (fit.loss, fit.places))


def overlap(points: Floats, labels: Ints) -> npt.NDArray[np.bool_] | None:
    """Which rows (n, d) lie within the convex hull of another class (n,); None where it would take too long."""
    n, d = points.shape
    if d > 2 and n > MOST_ROWS_IN_HULLS:
        return None
    scale = np.ptp(points, axis=0)
    points = (points - points.min(axis=0)) / np.where(scale > 0, scale, 1.0)
    found = np.zeros(n, dtype=bool)
    for one in np.unique(labels):
        hull, others = points[labels == one], np.flatnonzero((labels != one) & ~found)
        near = others[((points[others] >= hull.min(axis=0) - SLACK)
                       & (points[others] <= hull.max(axis=0) + SLACK)).all(axis=1)]
        if d == 1:
            found[near] = True
        elif d == 2:
            found[near] = _inside_polygon(hull, points[near])
        else:
            found[near] = [_inside(hull, point) for point in points[near]]
    return found


def _inside_polygon(corners: Floats, points: Floats) -> npt.NDArray[np.bool_]:
    """Which points (m, 2) lie within the convex hull of others; Andrew's monotone chain."""
    order = [tuple(point) for point in np.unique(corners, axis=0)]

    def chain(path: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        kept: list[tuple[float, ...]] = []
        for point in path:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    hull = chain(order) + chain(order[::-1]) if len(order) > 1 else order
    inside = np.ones(len(points), dtype=bool)
    for start, stop in zip(hull, hull[1:] + hull[:1], strict=True):
        turn = (stop[0] - start[0]) * (points[:, 1] - start[1]) - (stop[1] - start[1]) * (points[:, 0] - start[0])
        inside &= turn >= -SLACK
    return inside


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _inside(hull: Floats, point: Floats) -> bool:
    """Whether a point is a mean of others, with weights from 0 on: a linear program."""
    from scipy.optimize import linprog

    equations = np.vstack((hull.T, np.ones(len(hull))))
    solved = linprog(np.zeros(len(hull)), A_eq=equations, b_eq=np.append(point, 1.0), bounds=(0, None), method="highs")
    return bool(solved.status == 0)
