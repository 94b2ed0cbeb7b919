"""Error against number of features: what a curve is called, where it turns, and which of two is better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.report.formats import count, digits_of, finite, number

ALL = "*"
SAME = 1e-9
"""Errors that differ by a smaller share are of the same features."""
VERDICTS = {1: "better", 0: "no clear difference", -1: "worse", None: "not known"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """Points of one set of features, pool and method, by number of features (rows of `selection_paths`)."""

    points: tuple[Row, ...]

    @property
    def pool(self) -> str:
        """Of which clusters features were selected."""
        return str(self.points[0]["pool"])

    @property
    def degree(self) -> int:
        """Highest degree of the monomials; 1 = standard."""
        return int(self.points[0]["degree"])

    @property
    def words(self) -> str:
        """What it is called."""
        first = self.points[0]
        features = "standard" if self.degree == 1 else f"nonlinear, degree {self.degree}"
        method = "" if first["method"] == "omp" else f", {first['method']}"
        return features + method + ("" if first["parent"] == ALL else f", {first['parent']}")

    @property
    def held(self) -> list[Row]:
        """The points with an error under cross-validation."""
        return [row for row in self.points if row["cv_rmse"] is not None]

    @property
    def best(self) -> Row | None:
        """The point of the least error under cross-validation."""
        return min(self.held, key=lambda row: float(row["cv_rmse"]), default=None)

    @property
    def simplest(self) -> Row | None:
        """The first point within one standard error of the least error under cross-validation."""
        best = self.best
        if best is None:
            return None
        bound = best["cv_rmse"] + (best["cv_rmse_spread"] or 0.0)
        return next(row for row in self.held if row["cv_rmse"] <= bound)

    def turn(self) -> str:
        """Where it turns under cross-validation, in words; what is within a standard error is no turn."""
        best, simplest = self.best, self.simplest
        if best is None or simplest is None:
            return "not cross-validated"
        last, spread = self.held[-1], best["cv_rmse_spread"] or 0.0
        if last["cv_rmse"] > best["cv_rmse"] + spread:
            return f"turns at {count(best['n_features'])}: more features predict worse"
        if simplest["n_features"] < last["n_features"]:
            return f"flat from {count(simplest['n_features'])} on, within the standard error"
        return f"does not turn up to {count(last['n_features'])}"


def curves_of(paths: Sequence[Row]) -> list[Curve]:
    """The curves of a run, in the order of its rows."""
    found: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in paths:
        errors = {name: finite(row[name]) for name in ("fit_rmse", "cv_rmse", "cv_rmse_spread")}
        found[row["pool"], row["feature_set"], row["method"], row["parent"]].append(row | errors)
    return [Curve(tuple(rows)) for rows in found.values()]


def digits_for(curves: Sequence[Curve]) -> int:
    """Decimals that three digits of the least error need: under cross-validation, as that of a fit may end at 0."""
    measure = "cv_rmse" if any(curve.held for curve in curves) else "fit_rmse"
    return digits_of(row[measure] for curve in curves for row in curve.points)


def answers(curves: Sequence[Curve], unit: str) -> list[tuple[str, str]]:
    """Whether nonlinear features beat standard ones on the fit and under cross-validation: a verdict and its numbers.

    On the fit, at equal numbers of features; under cross-validation, at the least error of either: it is clear where
    the difference is larger than the standard errors of both together.
    """
    digits, found = digits_for(curves), []
    groups: dict[tuple[str, str, str], dict[int, Curve]] = defaultdict(dict)
    for curve in curves:
        groups[curve.pool, curve.points[0]["method"], curve.points[0]["parent"]][curve.degree] = curve
    for (pool, _, _), by_degree in groups.items():
        standard = by_degree.get(1)
        for degree, curve in sorted(by_degree.items()) if standard else []:
            if degree > 1 and standard:
                fit, fit_words = _on_the_fit(standard, curve, unit, digits)
                held, held_words = _beyond_it(standard, curve, unit, digits)
                verdict = f"{VERDICTS[fit]} on the fit, {VERDICTS[held]} under cross-validation"
                found.append((f"{pool.capitalize()} pool, degree {degree} against standard: {verdict}.",
                              f"{fit_words} {held_words}"))
    return found


def _on_the_fit(standard: Curve, other: Curve, unit: str, digits: int) -> tuple[int | None, str]:
    pairs = _pairs(standard, other, "fit_rmse")
    if not pairs:
        return None, "On the fit nothing can be compared."
    n, first, second = pairs[-1]
    better, same = _counts(pairs)
    worse = len(pairs) - better - same
    text = (f"Fit: lower at {count(better)} of {count(len(pairs))} equal numbers of features"
            f"{f' (the same at {count(same)})' if same else ''}; with {count(n)}, {number(second, digits)} against "
            f"{number(first, digits)} {unit}.")
    return (better > worse) - (better < worse), text


def _beyond_it(standard: Curve, other: Curve, unit: str, digits: int) -> tuple[int | None, str]:
    first, second = standard.best, other.best
    if first is None or second is None:
        return None, "It was not cross-validated."
    pairs = _pairs(standard, other, "cv_rmse")
    better, same = _counts(pairs)
    equal = (f"lower at {count(better)} of {count(len(pairs))} equal numbers of features"
             f"{f' (the same at {count(same)})' if same else ''}; ") if pairs else ""
    text = (f"Cross-validation: {equal}at best {least(second, digits)} {unit} with {count(second['n_features'])} "
            f"against {least(first, digits)} {unit} with {count(first['n_features'])}.")
    gained = first["cv_rmse"] - second["cv_rmse"]
    clear = ((first["cv_rmse_spread"] or 0.0) ** 2 + (second["cv_rmse_spread"] or 0.0) ** 2) ** 0.5
    return (gained > clear) - (gained < -clear), text


def least(row: Row, digits: int) -> str:
    """An error under cross-validation with its standard error."""
    spread = "" if row["cv_rmse_spread"] is None else f" ± {number(row['cv_rmse_spread'], digits)}"
    return number(row["cv_rmse"], digits) + spread


def _pairs(standard: Curve, other: Curve, measure: str) -> list[tuple[int, float, float]]:
    """Number of features, error of the standard ones, error of the others, where both are known."""
    known = {row["n_features"]: row[measure] for row in standard.points if row[measure] is not None}
    return [(row["n_features"], known[row["n_features"]], row[measure]) for row in other.points
            if row["n_features"] in known and row["n_features"] and row[measure] is not None]


def _counts(pairs: Sequence[tuple[int, float, float]]) -> tuple[int, int]:
    """At how many numbers of features the others are better, and at how many they are the same."""
    same = sum(abs(second - first) <= SAME * abs(first) for _, first, second in pairs)
    return sum(second < first - SAME * abs(first) for _, first, second in pairs), same
