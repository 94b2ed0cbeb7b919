"""What a model's complexity is worth: error against complexity, class against class, on the same rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, number
from analytics.report.labels import label
from analytics.report.plot import WIDE, Line, Mark, Scales, plot
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Complexity"
LEAD = (
    "C(h) = a·A + b·L + c·N counts what was fitted: parameters that add, parameters that the output is linear in, and "
    "parameters inside a nonlinear function. Only errors on the same rows are drawn together."
)
MOST_GROUPS = 4
MOST_MODELS = 25
CLASSES = ("network", "forest", "formula", "expansion")
COLOURS = {"network": "s0", "forest": "s1", "formula": "s3", "expansion": "s4"}
ERROR = {"mae": "MAE", "rmse": "RMSE", "rmsle": "RMSLE"}
Row = dict[str, Any]


def section(asker: Asker, sources: Sources) -> Section:  # noqa: ARG001 - all sections are called alike
    """A figure and a table for every set of rows; studies first, then those of most models."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in asker.select("select * from complexities order by complexity, model_id, variant"):
        groups[row["study"], row["target"], row["data_sha256"], row["evaluated_on"]].append(row)
    if not groups:
        return Section("complexity", TITLE, LEAD, nothing=(
            "The complexity of no model was counted in this lake yet. Count it: matlake complexity."
        ))
    ordered = sorted(groups.values(), key=lambda rows: (rows[0]["study"] is None, -len(rows), rows[0]["model_id"]))
    shown, left_out = cut(ordered, MOST_GROUPS)
    return Section("complexity", TITLE, LEAD, {"parts": [_part(asker, rows) for rows in shown], "left_out": left_out})


def _part(asker: Asker, rows: list[Row]) -> Row:
    first = rows[0]
    measure = "rmsle" if first["study"] and all(row["rmsle"] is not None for row in rows) else "mae"
    unit = "" if measure == "rmsle" else first["unit"] or ""
    shown, left_out = cut(rows, MOST_MODELS)
    n = max((row["n"] for row in rows if row["n"] is not None), default=None)
    weights = {(row["coefficient_additive"], row["coefficient_linear"], row["coefficient_nonlinear"]) for row in rows}
    counted_as = ", ".join(f"a = {a:g}, b = {b:g}, c = {c:g}" for a, b, c in sorted(weights))
    title = f"{ERROR[measure]}{f' ({unit})' if unit else ''}"
    return {
        "study": first["study"], "quantity": label(first["target"]), "rows": shown, "left_out": left_out,
        "measure": measure, "title": title, "svg": _figure(rows, measure, title),
        "classes": [(name, COLOURS[name]) for name in CLASSES if any(row["model_class"] == name for row in rows)],
        "caption": Caption(
            f"{title} on {first['evaluated_on'] or 'rows'} against the complexity C(h) with {counted_as}. A line joins "
            "models of one class.", asker.made_from("complexities"),
            counted(len(rows), "model") + (f", {counted(n, 'row')}" if n is not None else ""),
            first["study"] or "models of the same data"),
    }


def _figure(rows: list[Row], measure: str, title: str) -> Markup | None:
    known = [row for row in rows if row[measure] is not None]
    lines, marks = [], []
    for name in CLASSES:
        of_class = [row for row in known if row["model_class"] == name]
        points = [(float(row["complexity"]), float(row[measure])) for row in of_class]
        lines.append(Line(tuple(points), name, COLOURS[name]))
        marks += [Mark(*point, f"{described(row)}: {number(row[measure], 3)}, C(h) = {count(row['complexity'])}",
                       COLOURS[name]) for row, point in zip(of_class, points, strict=True)]
    return plot(f"{title} against complexity.", lines, marks, Scales(("complexity C(h)", title)), WIDE)


def described(row: Row) -> str:
    """A model in a figure."""
    variant = "" if row["variant"] == "*" else f", {row['variant']}"
    return f"{row['model_id']}{variant} ({row['kind']})"
