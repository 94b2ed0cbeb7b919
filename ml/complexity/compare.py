"""Models of different classes against each other: on the same rows, at nearly as many parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lake.errors import InputError
from ml.bootstrap import FEWEST_MATERIALS, PERCENTILES, REPLICATES, SEED, Draws, places_of, sums_by_material
from ml.complexity.sizes import TOLERANCE
from ml.complexity.worth import Answers, squared_log_errors

MEASURES = ("mae", "rmsle")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Errors of two models on the same rows.

    Attributes:
        left: error of the one.
        right: error of the other.
        low: lower end of the 95 % interval of right − left; None below 4 materials.
        high: upper end.
        n: rows that both say something of.
        n_materials: of them.
    """

    left: float
    right: float
    low: float | None
    high: float | None
    n: int
    n_materials: int

    @property
    def value(self) -> float:
        """Right minus left: above 0 the left one is better."""
        return self.right - self.left

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def difference(left: Answers, right: Answers, measure: str = "mae") -> Difference:
    """How much larger the error of the right model is, with a 95 % interval.

    Both are judged on the same draws of materials (paired cluster bootstrap, see :mod:`ml.bootstrap`).

    Args:
        left: what the one says.
        right: what the other says.
        measure: mae, or rmsle.

    Raises:
        InputError: they have no row in common, or differ about the actual value of one: other data.
    """
    if measure not in MEASURES:
        raise InputError(f"There is no measure {measure!r:.40}; one of {', '.join(MEASURES)} is needed.")
    left, right = left.on(right.rows), right.on(left.rows)
    if not len(left.rows):
        raise InputError("The two models have no rows in common that neither has seen: their errors do not compare.")
    if not np.array_equal(left.actual, right.actual):
        raise InputError("The two models were judged by different values of the same rows: their errors do not "
                         "compare.")
    places, n_materials = places_of(left.materials)
    errors = np.stack([np.ones(len(places)), _errors(left, measure), _errors(right, measure)], axis=1)
    by_material = sums_by_material(errors, places, n_materials)
    first, second = _measured(by_material.sum(axis=0), measure)
    low = high = None
    if n_materials >= FEWEST_MATERIALS:
        drawn = _measured(Draws.of(n_materials, REPLICATES, SEED).sums(by_material), measure)
        low, high = (float(end) for end in np.percentile(drawn[1] - drawn[0], PERCENTILES))
    return Difference(float(first), float(second), low, high, len(left.rows), n_materials)


def comparable(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows of `complexities` in groups whose errors compare: same target, data and rows; those without are left out."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["mae"] is not None and row["n_parameters"] and row["variant"] == "*":
            key = (row["study"] or "", row["target"], row["unit"] or "", row["data_sha256"], row["evaluated_on"],
                   row["n"])
            groups.setdefault(key, []).append(row)
    return [groups[key] for key in sorted(groups, key=str)]


def matched(rows: Sequence[Row], tolerance: float = TOLERANCE) -> list[tuple[Row, Row]]:
    """Pairs of different kinds whose numbers of parameters differ by at most a share; each with its nearest.

    Args:
        rows: of `complexities`, of one group of :func:`comparable`.
        tolerance: share of the larger number.
    """
    if not 0 <= tolerance < 1:
        raise InputError(f"A tolerance of {tolerance!r:.40} in the number of parameters: a share from 0 to below 1 is "
                         "needed, such as 0.1.")
    kinds = sorted({row["kind"] for row in rows})
    found = []
    for one, other in combinations(kinds, 2):
        lefts = [row for row in rows if row["kind"] == one]
        rights = [row for row in rows if row["kind"] == other]
        for left in sorted(lefts, key=lambda row: (row["n_parameters"], row["model_id"])):
            right = min(rights, key=lambda row: (_ratio(left, row), row["model_id"]))
            # Only where each is the other's nearest: one model does not stand for several sizes.
            back = min(lefts, key=lambda row: (_ratio(right, row), row["model_id"]))
            if back is left and 1 - math.exp(-_ratio(left, right)) <= tolerance:
                found.append((left, right))
    return found


def best_of_each(rows: Sequence[Row], measure: str, judged_by: Mapping[str, float | None]) -> list[tuple[Row, Row]]:
    """The best of every kind against that of every other.

    Args:
        rows: of one group.
        measure: mae or rmsle, where nothing else tells.
        judged_by: model_id → error on validation rows, so that the test rows do not choose what they judge.
    """
    def error(row: Row) -> float:
        known = judged_by.get(row["model_id"])
        found = row[measure] if known is None else known
        return math.inf if found is None else float(found)

    best = {kind: min((row for row in rows if row["kind"] == kind), key=error)
            for kind in sorted({row["kind"] for row in rows})}
    return [(best[one], best[other]) for one, other in combinations(best, 2)]


def _ratio(one: Row, other: Row) -> float:
    return abs(math.log(one["n_parameters"] / other["n_parameters"]))


def _errors(answers: Answers, measure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if measure == "mae":
        return np.asarray(np.abs(answers.predicted - answers.actual), dtype=np.float64)
    if (answers.actual < 0).any():
        raise InputError("RMSLE is of values from 0 on, and one is below: take mae.")
    return squared_log_errors(answers.actual, answers.predicted)


def _measured(sums: np.ndarray[Any, np.dtype[np.float64]], measure: str) -> tuple[Any, Any]:
    n, left, right = np.moveaxis(sums, -1, 0)
    return (left / n, right / n) if measure == "mae" else (np.sqrt(left / n), np.sqrt(right / n))
