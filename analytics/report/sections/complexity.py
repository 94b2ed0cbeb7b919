"""What a model's complexity is worth: error against complexity, class against class, on the same rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, digits_of, finite, number
from analytics.report.labels import label
from analytics.report.plot import WIDE, Line, Mark, Scales, plot
from analytics.report.section import Caption, Section, Sources, cut
from analytics.report.studies.class_comparisons import ERROR, comparisons_of, lines_of, measure_of, reasons_of
from analytics.report.studies.front import front

TITLE = "Complexity"
LEAD = (
    "C(h) = a·A + b·L + c·N counts what was fitted: parameters that add, parameters that the output is linear in, and "
    "parameters inside a nonlinear function. Only errors on the same rows are drawn together."
)
MOST_GROUPS = 4
MOST_MODELS = 25
MOST_COMPARISONS = 12
CLASSES = ("network", "forest", "formula", "expansion")
COLOURS = {"network": "s0", "forest": "s1", "formula": "s3", "expansion": "s4"}
ON = {"test": "test rows", "cross-validation": "rows left out in cross-validation"}
RMSLE = " RMSLE is the root mean square difference of ln(1 + value)."
Row = dict[str, Any]


def section(asker: Asker, sources: Sources) -> Section:  # noqa: ARG001 - all sections are called alike
    """A figure and tables for every set of rows; studies first, then those of most models."""
    groups = _groups(asker.select("select * from complexities order by complexity, model_id, variant"))
    if not groups:
        return Section("complexity", TITLE, LEAD, nothing=(
            "The complexity of no model was counted in this lake yet. Count it: matlake complexity."
        ))
    ordered = sorted(groups, key=lambda rows: (rows[0]["study"] is None, -len(rows), rows[0]["model_id"]))
    shown, left_out = cut(ordered, MOST_GROUPS)
    return Section("complexity", TITLE, LEAD, {"parts": [_part(asker, rows) for rows in shown], "left_out": left_out})


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Models of the same rows; those that failed stand with the others of their study and data."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    failed = []
    for row in rows:
        if row["evaluated_on"] is None:
            failed.append(row)
        else:
            groups[row["study"], row["target"], row["data_sha256"], row["evaluated_on"]].append(row)
    for row in failed:
        data = row["study"], row["target"], row["data_sha256"]
        groups[next((key for key in groups if key[:3] == data), (*data, None))].append(row)
    return list(groups.values())


def _part(asker: Asker, rows: list[Row]) -> Row:
    first = rows[0]
    comparisons = comparisons_of(asker, rows)
    measure = measure_of(rows, comparisons)
    unit = "" if measure == "rmsle" else first["unit"] or ""
    title = f"{ERROR[measure]}{f' ({unit})' if unit else ''}"
    known = [row for row in rows if finite(row[measure]) is not None and row["complexity"] is not None]
    digits = digits_of(row[measure] for row in known)
    shown, left_out = cut(rows, MOST_MODELS)
    compared, more = cut(lines_of(comparisons), MOST_COMPARISONS)
    return {
        "study": first["study"], "quantity": label(first["target"]), "left_out": left_out,
        "rows": [row | {"name": _name(row)} for row in shown], "digits": digits, "measure": measure, "title": title,
        "unit": first["unit"], "svg": _figure(known, measure, title, unit, digits),
        "classes": [(name, COLOURS[name]) for name in CLASSES if any(row["model_class"] == name for row in known)],
        "comparisons": compared, "more_comparisons": more, "reasons": reasons_of(comparisons),
    } | _captions(asker, rows, comparisons, measure, title)


def _captions(asker: Asker, rows: list[Row], comparisons: list[Row], measure: str, title: str) -> Row:
    known = [row for row in rows if row["evaluated_on"] is not None]
    on = ON.get(known[0]["evaluated_on"], known[0]["evaluated_on"]) if known else "rows"
    weights = {(row["coefficient_additive"], row["coefficient_linear"], row["coefficient_nonlinear"]) for row in rows}
    counted_as = ", ".join(f"a = {a:g}, b = {b:g}, c = {c:g}" for a, b, c in sorted(weights))
    n, n_materials = (max((row[name] for row in known if row[name] is not None), default=None)
                      for name in ("n", "n_materials"))
    of = f" of {counted(n_materials, 'material')}" if n_materials is not None else ""
    how_many = counted(len(rows), "model") + (f" on {counted(n, 'row')}{of}" if n is not None else "")
    origin = f"study {rows[0]['study']}" if rows[0]["study"] else "models of the same data"
    explained = RMSLE if measure == "rmsle" else ""
    return {
        "caption": Caption(
            f"{title} on {on} against the complexity C(h) with {counted_as}. A line joins the models of a class "
            f"that no simpler one of it beats.{explained}", asker.made_from("complexities"), how_many, origin),
        "comparison_caption": Caption(
            f"{title} of two models on the same {on}; the difference is right minus left with its 95 % interval from a "
            "paired bootstrap over materials. Where the interval holds 0, the rows do not decide which is better. "
            f"Paper: Speckhard et al. (2025), left / right.{explained}", asker.made_from("model_comparisons"),
            counted(len(comparisons), "comparison"), origin),
    }


def _figure(known: list[Row], measure: str, title: str, unit: str, digits: int) -> Markup | None:
    lines, marks = [], []
    for name in CLASSES:
        of_class = [row for row in known if row["model_class"] == name]
        points = [(float(row["complexity"]), float(row[measure])) for row in of_class]
        lines.append(Line(tuple(front(points)), name, COLOURS[name]))
        marks += [Mark(*point, f"{_name(row)} ({row['kind']}): {number(row[measure], digits)} {unit}".rstrip()
                       + f", C(h) = {count(row['complexity'])}", COLOURS[name])
                  for row, point in zip(of_class, points, strict=True)]
    return plot(f"{title} against complexity.", lines, marks, Scales(("complexity C(h)", title)), WIDE)


def _name(row: Row) -> str:
    """A model within its study, and its variant."""
    name = row["model_id"].removeprefix(f"{row['study']}/") if row["study"] else row["model_id"]
    return name if row["variant"] == "*" else f"{name}, {row['variant']}"
