"""Figure 5 of the paper: error against number of features, on the fit and under cross-validation side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analytics.report.formats import count, counted, number
from analytics.report.plot import HALF, Line, Mark, Scales, plot
from analytics.report.studies.expansion_curves import Curve, Row, digits_for

COLOURS = ("s0", "s1", "s3", "s4", "s5", "s6", "s7")
MEASURES = (("fit_rmse", "On the fit"), ("cv_rmse", "Under cross-validation"))


@dataclass(frozen=True)
class Pool:
    """A pool's figure: words and CSS class of every curve, and a panel for each error."""

    name: str
    keys: tuple[tuple[str, str], ...]
    panels: tuple[tuple[str, Markup], ...]


def pools_of(curves: Sequence[Curve], unit: str) -> list[Pool]:
    """A figure for every pool; the same features have the same colour, and all panels the same axes.

    Args:
        curves: of a run.
        unit: of the errors.
    """
    names = list(dict.fromkeys(curve.words for curve in curves))
    colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    shown = [(row["n_features"], row[measure]) for curve in curves for row in curve.points for measure, _ in MEASURES
             if row["n_features"] and row[measure] is not None and row[measure] > 0]
    scales = Scales(("number of features", f"RMSE ({unit})"),
                    ends=([x for x, _ in shown], [y for _, y in shown]))
    digits, found = digits_for(curves), []
    for pool in dict.fromkeys(curve.pool for curve in curves):
        of_pool = [curve for curve in curves if curve.pool == pool]
        panels = []
        for measure, title in MEASURES:
            lines, marks = [], []
            for curve in of_pool:
                more_lines, more_marks = _drawn(curve, measure, colour[curve.words], unit, digits)
                lines += more_lines
                marks += more_marks
            svg = plot(f"RMSE against number of features, {pool} pool, {title.lower()}.", lines, marks, scales, HALF)
            if svg is not None:
                panels.append((title, svg))
        found.append(Pool(pool, tuple((curve.words, colour[curve.words]) for curve in of_pool), tuple(panels)))
    return found


def _drawn(curve: Curve, measure: str, colour: str, unit: str, digits: int) -> tuple[list[Line], list[Mark]]:
    """The curve, a dot where it is least under cross-validation, and there its standard error."""
    points = tuple((float(row["n_features"]), float(row[measure])) for row in curve.points if row[measure] is not None)
    lines, best = [Line(points, curve.words, colour)], curve.best
    if best is None or best[measure] is None:
        return lines, []
    n, value = float(best["n_features"]), float(best[measure])
    words = (f"{curve.words}: {counted(best['n_features'], 'feature')}, where it is least under cross-validation: "
             f"{number(value, digits)} {unit}")
    if measure == "cv_rmse" and best["cv_rmse_spread"]:
        spread = float(best["cv_rmse_spread"])
        lines.append(Line(((n, value - spread), (n, value + spread)), f"{curve.words}: standard error", colour))
        words += f" ± {number(spread, digits)}"
    return lines, [Mark(n, value, words, colour if measure == "cv_rmse" else f"{colour} open")]


def rows_of(curves: Sequence[Curve]) -> Row:
    """How the errors came about: structures, folds, and what was kept together, for captions."""
    points = [row for curve in curves for row in curve.points]
    folds = max((row["n_folds"] for row in points if row["n_folds"] is not None), default=None)
    group = next((row["group_key"] for row in points if row["group_key"]), None)
    return {
        "n": max((row["n_rows"] for row in points), default=0),
        "folds": "" if folds is None else f" {count(folds)} folds" + (
            f", all structures of one {group.replace('_', ' ')} in one of them" if group else "") + ".",
    }
