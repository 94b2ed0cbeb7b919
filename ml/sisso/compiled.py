"""Scores of candidates that no matrix product gives, in compiled code: a value is made, used and forgotten in cache.

Rows are in order of tasks or of classes; ``ends`` says where each of them begins and the last one ends. All operands
are finite; what a feature with a 0 divides, the caller leaves out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PLUS, MINUS, APART, TIMES, OVER = range(5)
CODES = {"+": PLUS, "-": MINUS, "|-|": APART, "*": TIMES, "/": OVER}
FAST = {"reassoc", "contract", "nsz", "nnan"}
"""There are no NaN, and sums may be taken in any order: what they decide has a slack larger than their rounding."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _make(operator: int, left: Floats, i: int, right: Floats, j: int, made: Floats) -> None:
    n = made.shape[0]
    if operator == PLUS:
        for row in range(n):
            made[row] = left[i, row] + right[j, row]
    elif operator == MINUS:
        for row in range(n):
            made[row] = left[i, row] - right[j, row]
    elif operator == APART:
        for row in range(n):
            made[row] = abs(left[i, row] - right[j, row])
    elif operator == TIMES:
        for row in range(n):
            made[row] = left[i, row] * right[j, row]
    else:
        for row in range(n):
            made[row] = left[i, row] / right[j, row]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def by_residuals(
    operator: int, left: Floats, right: Floats, directions: Floats, ends: Ints, unreliable: float, constant: float,
    scores: Floats,
) -> None:
    """Bounds of correlations from above, root mean square over tasks, the largest over residuals.

    Args:
        operator: one of :data:`CODES`.
        left: operands (a, n).
        right: operands (b, n).
        directions: residuals centred and of length 1 within each task (k, n).
        ends: of tasks (n_tasks + 1,).
        unreliable: share of the sum of squares below which a variance is rounding; 1 is taken for its correlation.
        constant: share of the largest value that the spread within a task must exceed to count.
        scores: where they are written (a, b).
    """
    n, k, n_tasks = left.shape[1], len(directions), len(ends) - 1
    made, squares = np.empty(n), np.empty(k)
    for i in range(len(left)):
        for j in range(len(right)):
            _make(operator, left, i, right, j, made)
            squares[:] = 0.0
            for task in range(n_tasks):
                start, stop = ends[task], ends[task + 1]
                total, square = 0.0, 0.0
                for row in range(start, stop):
                    total += made[row]
                    square += made[row] * made[row]
                variance = square - total * total / (stop - start)
                known = variance > unreliable * square
                if not known and _constant(made, start, stop, constant):
                    continue
                for residual in range(k):
                    if known:
                        product = 0.0
                        for row in range(start, stop):
                            product += made[row] * directions[residual, row]
                        squares[residual] += product * product / variance
                    else:
                        squares[residual] += 1.0
            best = 0.0
            for residual in range(k):
                best = max(best, squares[residual])
            scores[i, j] = np.sqrt(best / n_tasks)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _constant(made: Floats, start: int, stop: int, share: float) -> bool:
    least, most = np.inf, -np.inf
    for row in range(start, stop):
        least, most = min(least, made[row]), max(most, made[row])
    return bool(most - least <= share * max(abs(least), abs(most)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def by_classes(operator: int, left: Floats, right: Floats, ends: Ints, scores: Floats) -> None:
    """How far candidates tell classes apart; see :class:`ml.sisso.scores.Classes`.

    Args:
        operator: one of :data:`CODES`.
        left: operands (a, n).
        right: operands (b, n).
        ends: of classes (n_classes + 1,).
        scores: where they are written (a, b).
    """
    n, n_classes = left.shape[1], len(ends) - 1
    made, low, high = np.empty(n), np.empty(n_classes), np.empty(n_classes)
    for i in range(len(left)):
        for j in range(len(right)):
            _make(operator, left, i, right, j, made)
            for one in range(n_classes):
                least, most = np.inf, -np.inf
                for row in range(ends[one], ends[one + 1]):
                    least = made[row] if made[row] < least else least
                    most = made[row] if made[row] > most else most
                low[one], high[one] = least, most
            scores[i, j] = _apart(made, ends, low, high)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _apart(made: Floats, ends: Ints, low: Floats, high: Floats) -> float:
    """The score from values (n,) and the ranges of classes (n_classes,)."""
    n_classes = len(low)
    span = high.max() - low.min()
    if not span > 0.0:
        return 0.0
    inside, shared, closest = 0, 0.0, -np.inf
    for a in range(n_classes):
        for b in range(a + 1, n_classes):
            start, stop = max(low[a], low[b]), min(high[a], high[b])
            shared += max(stop - start, 0.0)
            closest = max(closest, stop - start)
            if stop >= start:
                for one in (a, b):
                    for row in range(ends[one], ends[one + 1]):
                        inside += start <= made[row] <= stop
    share = shared / (n_classes * (n_classes - 1) / 2) if closest >= 0.0 else closest
    n = ends[n_classes] - ends[0]
    return float(max(1.0 - (inside + min(share / span, 0.999)) / (n * (n_classes - 1) + 1), 0.0))
