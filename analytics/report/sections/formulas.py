"""Formulas that SISSO found: error by dimension, and the formula itself for reading and for use."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import MISSING, count, counted, digits_of, finite, number, percent
from analytics.report.labels import label
from analytics.report.plot import NARROW, Line, Mark, Scales, plot
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Formulas"
LEAD = (
    "SISSO builds features from primary ones by algebra, keeps those that go with the target, and finds the best few "
    "of them by trying every combination. What comes out is a formula that a person can read and a database can run."
)
MOST_RUNS = 3
MOST_TASKS = 6
Row = dict[str, Any]


def section(asker: Asker, sources: Sources) -> Section:
    """The newest run of every name."""
    runs: dict[str, list[Row]] = defaultdict(list)
    newest: dict[str, str] = {}
    for row in asker.select("select * from formulas order by created_at desc, run_id desc, dimension, task"):
        if newest.setdefault(row["name"], row["run_id"]) == row["run_id"]:
            runs[row["run_id"]].append(row)
    if not runs:
        return Section("formulas", TITLE, LEAD, nothing=(
            "No formula was searched in this lake yet. Find one: matlake sisso SUBSET --target band_gap_ev, or with a "
            "CSV or Parquet table in the place of the subset."
        ))
    shown, left_out = cut(list(runs.values()), MOST_RUNS)
    return Section("formulas", TITLE, LEAD, {
        "parts": [_part(asker, rows, sources) for rows in shown], "left_out": left_out,
    })


def _part(asker: Asker, rows: list[Row], sources: Sources) -> Row:
    first = rows[0]
    unit = first["unit"] or "no unit"
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    n_rows = sum(row["n_rows"] for row in rows if row["dimension"] == first["dimension"])
    regression, held = first["kind"] == "regression", any(row["cv_rmse"] is not None for row in rows)
    caption = Caption(
        f"{'Errors' if regression else 'Shares of rows in their class'} by dimension, the number of terms. "
        f"{count(first['n_primary'])} primary features gave {count(first['n_candidates'])} candidates up to rung "
        f"{first['rung']}, {count(first['n_screened'])} of which the exhaustive search saw."
        + ("" if held or not regression else " Errors are those of the fit: this run was not cross-validated."),
        asker.made_from("formulas"),
        counted(n_rows, "row") + (f" of {counted(len(tasks), 'task')}" if len(tasks) > 1 else ""), first["origin"])
    dimensions = [_dimension(rows, dimension, sources) for dimension in sorted({row["dimension"] for row in rows})]
    return {
        "run": first, "quantity": label(first["target"]), "unit": unit, "caption": caption, "dimensions": dimensions,
        # The one that was saved is there to be read; without one, the longest.
        "opened": [d["dimension"] for d in dimensions if d["model_id"]] or [dimensions[-1]["dimension"]],
        "digits": digits_of(d[measure] for d in dimensions for measure in ("rmse", "cv_rmse")),
        "regression": regression, "several": len(tasks) > 1, "held": held, "svg": _figure(rows, unit),
    }


def _dimension(rows: list[Row], dimension: int, sources: Sources) -> Row:
    of_dimension = [row for row in rows if row["dimension"] == dimension]
    first = of_dimension[0]
    shown, left_out = cut(of_dimension, MOST_TASKS)
    return {
        "dimension": dimension, "rmse": _pooled(of_dimension, "rmse"), "mae": first["mae"],
        "cv_rmse": _pooled(of_dimension, "cv_rmse"), "max_error": max(
            (row["max_error"] for row in of_dimension if row["max_error"] is not None), default=None),
        "accuracy": MISSING if first["accuracy"] is None else percent(100 * first["accuracy"]),
        "n_overlap": first["n_overlap"], "terms": [(term, "dimensionless" if unit == "1" else unit)
                  for term, unit in zip(first["terms"], first["term_units"], strict=False)],
        "tasks": [row | {"words": None if row["task"] == "*" else sources.short(row["task"])} for row in shown],
        "left_out": left_out, "model_id": first["model_id"],
    }


def _pooled(rows: list[Row], measure: str) -> float | None:
    """Root of the mean square over all tasks' rows."""
    known = [(value, row["n_rows"]) for row in rows if (value := finite(row[measure])) is not None]
    total = sum(n for _, n in known)
    return float((sum(value**2 * n for value, n in known) / total) ** 0.5) if total else None


def _figure(rows: list[Row], unit: str) -> Markup | None:
    dimensions = sorted({row["dimension"] for row in rows})
    digits = digits_of(row[measure] for row in rows for measure in ("rmse", "cv_rmse"))
    lines, marks = [], []
    for measure, words, css in (("rmse", "fit", "s0"), ("cv_rmse", "cross-validation", "s1")):
        points = [(float(dimension), value) for dimension in dimensions
                  if (value := _pooled([row for row in rows if row["dimension"] == dimension], measure)) is not None]
        lines.append(Line(tuple(points), words, css))
        marks += [Mark(x, y, f"{words}, dimension {x:g}: {number(y, digits)} {unit}", css) for x, y in points]
    return plot("Error by dimension of the descriptor.", lines, marks, Scales(
        ("dimension", f"RMSE ({unit})"), (False, False)), NARROW) if marks else None
