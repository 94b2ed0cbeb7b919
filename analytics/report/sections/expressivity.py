"""Cluster expansions: how far features carry a linear model (Figure 5 of the paper), on the fit and beyond it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import numpy as np
from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, number
from analytics.report.labels import label
from analytics.report.models.parity_drawing import parity_figure
from analytics.report.plot import WIDE, Line, Mark, Scales, plot
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Expressivity"
LEAD = (
    "How far does a richer set of features carry a simple model? A cluster expansion is linear in the correlations of "
    "its clusters; with their products and powers it is nonlinear in them. The error of the fit says what the features "
    "can express; the error under cross-validation, on materials that were left out, what they are worth."
)
MOST_RUNS = 2
MOST_REASONS = 8
ALL = "*"
COLOURS = ("s0", "s1", "s3", "s4", "s5", "s6", "s7")
Row = dict[str, Any]


def section(asker: Asker, sources: Sources) -> Section:  # noqa: ARG001 - all sections are called alike
    """The newest expansion of every name: its curves, where they turn, and its predictions."""
    newest: dict[str, Row] = {}
    for row in asker.select("select * from expansions order by created_at desc, run_id desc"):
        newest.setdefault(row["name"], row)
    if not newest:
        return Section("expressivity", TITLE, LEAD, nothing=(
            "No cluster expansion was made in this lake yet. Make one: matlake expand SUBSET --target band_gap_ev."
        ))
    shown, left_out = cut(list(newest.values()), MOST_RUNS)
    return Section("expressivity", TITLE, LEAD, {"parts": [_part(asker, row) for row in shown], "left_out": left_out})


def _part(asker: Asker, row: Row) -> Row:
    paths = asker.select(
        "select * from selection_paths where run_id = $run and parent = $all order by pool desc, degree, method, "
        "n_features", run=row["run_id"], all=ALL)
    if not paths:
        # A run on one lattice alone has no other path than that lattice's.
        paths = asker.select("select * from selection_paths where run_id = $run order by pool desc, degree, method, "
                             "n_features", run=row["run_id"])
    curves = curves_of(paths)
    origin = f"subset {row['subset']}@{row['subset_version']}" if row["subset"] else row["where_sql"] or "all rows"
    unit, n = row["unit"], counted(row["n_mapped"], "structure")
    made_from = asker.made_from("expansions", "selection_paths")
    return {
        "run": row, "quantity": label(row["target"]), "parents": _parents(row), "reasons": _reasons(asker, row),
        "answers": answers(curves, unit), "pools": _pools(curves, unit), "turns": [turn_of(c) for c in curves],
        "parity": _parity(asker, row),
        "path_caption": Caption(
            f"RMSE ({unit}) against the number of features (Figure 5 of Speckhard et al.). Dashed: of the fit; line: "
            "under cross-validation, selection included; dot: where it is least.", made_from, n, origin),
        "turn_caption": Caption(
            f"Where each curve is least under cross-validation, RMSE in {unit}. Beyond it more features fit better and "
            "predict no better.", made_from, n, origin),
        "parent_caption": Caption(
            "Parent lattices, and how many structures were mapped onto each.", asker.made_from("expansions"), n,
            origin),
        "parity_caption": Caption(
            f"Predicted against actual values ({unit}) of the expansion that was saved as {row['model_id']}, on rows "
            "that it did not learn from where there are any.", asker.made_from("predictions"), n, origin),
    }


def curves_of(paths: list[Row]) -> list[list[Row]]:
    """The points of every curve, by number of features; the wider pool first, then by degree."""
    found: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in paths:
        found[row["pool"], row["feature_set"], row["method"], row["parent"]].append(row)
    return list(found.values())


def turn_of(curve: list[Row]) -> Row:
    """A curve's point of the least error under cross-validation, with what it is called."""
    known = [row for row in curve if row["cv_rmse"] is not None]
    best = min(known, key=lambda row: row["cv_rmse"]) if known else None
    return {"words": words(curve[0]), "pool": curve[0]["pool"], "last": curve[-1], "best": best,
            "turns": best is not None and best is not curve[-1] and best is not known[-1]}


def words(row: Row) -> str:
    """What a curve is called."""
    features = "standard" if row["degree"] == 1 else f"nonlinear, degree {row['degree']}"
    method = "" if row["method"] == "omp" else f", {row['method']}"
    parent = "" if row["parent"] == ALL else f", {row['parent']}"
    return features + method + parent


def answers(curves: list[list[Row]], unit: str) -> list[str]:
    """Whether nonlinear beats standard at equal numbers of features, on the fit and under cross-validation."""
    found = []
    groups: dict[tuple[str, str, str], dict[int, list[Row]]] = defaultdict(dict)
    for curve in curves:
        groups[curve[0]["pool"], curve[0]["method"], curve[0]["parent"]][curve[0]["degree"]] = curve
    for (pool, _, _), by_degree in groups.items():
        if 1 not in by_degree:
            continue
        for degree, curve in sorted(by_degree.items()):
            if degree > 1:
                fit, held = (_beats(by_degree[1], curve, measure) for measure in ("fit_rmse", "cv_rmse"))
                found += [f"{pool.capitalize()} pool, degree {degree} against standard at equal numbers of features: "
                          f"on the fit {fit}; under cross-validation {held}. {_least(by_degree[1], curve, unit)}"]
    return found


def _beats(standard: list[Row], other: list[Row], measure: str) -> str:
    reference = {row["n_features"]: row[measure] for row in standard if row[measure] is not None}
    pairs = [(reference[row["n_features"]], row[measure]) for row in other
             if row["n_features"] in reference and row[measure] is not None]
    if not pairs:
        return "nothing can be compared"
    better = sum(value < known for known, value in pairs)
    return f"better at {count(better)} of {count(len(pairs))}"


def _least(standard: list[Row], other: list[Row], unit: str) -> str:
    first, second = turn_of(standard)["best"], turn_of(other)["best"]
    if first is None or second is None:
        return ""
    return (f"Least error under cross-validation: {number(second['cv_rmse'], 4)} against "
            f"{number(first['cv_rmse'], 4)} {unit}.")


def _pools(curves: list[list[Row]], unit: str) -> list[Row]:
    """A figure for every pool, all with the same colour for the same features."""
    names = list(dict.fromkeys(words(curve[0]) for curve in curves))
    colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    found = []
    for pool in dict.fromkeys(curve[0]["pool"] for curve in curves):
        of_pool = [curve for curve in curves if curve[0]["pool"] == pool]
        lines, marks = [], []
        for curve in of_pool:
            name = words(curve[0])
            for measure, css in (("fit_rmse", "train"), ("cv_rmse", "validation")):
                points = tuple((row["n_features"], row[measure]) for row in curve if row[measure] is not None)
                lines.append(Line(points, f"{name}: {'fit' if css == 'train' else 'cross-validation'}",
                                  f"{css} {colour[name]}"))
            best = turn_of(curve)["best"]
            if best is not None:
                marks.append(Mark(best["n_features"], best["cv_rmse"], f"{name}: least under cross-validation, "
                                  f"{number(best['cv_rmse'], 4)} {unit} with {count(best['n_features'])} features",
                                  colour[name]))
        svg = plot(f"Error against number of features, {pool} pool.", lines, marks,
                   Scales(("number of features", f"RMSE ({unit})")), WIDE)
        keys = [(words(curve[0]), colour[words(curve[0])]) for curve in of_pool]
        largest = max(row["n_candidates"] for curve in of_pool for row in curve)
        found.append({"pool": pool, "svg": svg, "keys": keys, "largest": largest})
    return found


def _parents(row: Row) -> list[Row]:
    try:
        found = json.loads(row["parents_json"])
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _reasons(asker: Asker, row: Row) -> list[Row]:
    return asker.select(
        "select reason, count(*) as n, min(message) as example from unmapped where run_id = $run group by reason "
        "order by n desc, reason limit $most", run=row["run_id"], most=MOST_REASONS)


def _parity(asker: Asker, row: Row) -> list[tuple[str, str, Markup]]:
    """Predicted against actual values by split: what it is, a note, the figure."""
    if not row["model_id"]:
        return []
    rows = asker.select("select split, actual, predicted from predictions where model_id = $model and actual is not "
                        "null and split is not null", model=row["model_id"])
    found = []
    for split in ("train", "validation", "test"):
        pairs = np.array([(r["actual"], r["predicted"]) for r in rows if r["split"] == split], dtype=np.float64)
        if len(pairs):
            rmse = float(np.sqrt(np.mean((pairs[:, 0] - pairs[:, 1]) ** 2)))
            found.append((f"{split} rows", f"RMSE {number(rmse, 4)} {row['unit']} · {count(len(pairs))} rows",
                          parity_figure(pairs[:, 0], pairs[:, 1], row["unit"], f"Predicted against actual, {split}.")))
    return found
