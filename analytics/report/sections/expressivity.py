"""Cluster expansions: how far features carry a linear model (Figure 5 of the paper), on the fit and beyond it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import MISSING, count, counted, digits_of, number
from analytics.report.labels import label
from analytics.report.models.parity_drawing import parity_figure
from analytics.report.section import Caption, Section, Sources, cut
from analytics.report.studies.expansion_curves import ALL, Curve, answers, curves_of, digits_for, least
from analytics.report.studies.expansion_panels import pools_of, rows_of

TITLE = "Expressivity"
LEAD = (
    "How far does a richer set of features carry a simple model? A cluster expansion is linear in the correlations of "
    "its clusters; with their products and powers it is nonlinear in them. The error of the fit says what the features "
    "can express; the error under cross-validation, on materials that were left out, what they are worth."
)
MOST_RUNS = 2
MOST_REASONS = 8
LEARNED = ("train", "validation")
"""Splits that an expansion is fitted to: cross-validation takes the place of a validation split."""
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
    curves, unit = curves_of(paths), row["unit"]
    parity = _parity(asker, row)
    return {
        "run": row, "quantity": label(row["target"]), "parents": _parents(row), "reasons": _reasons(asker, row),
        "answers": answers(curves, unit), "pools": pools_of(curves, unit), "digits": digits_for(curves),
        "turns": [_turn(curve, digits_for(curves)) for curve in curves], "parity": parity, "unit": unit,
    } | _captions(asker, row, curves, sum(n for *_, n in parity))


def _captions(asker: Asker, row: Row, curves: list[Curve], n_parity: int) -> Row:
    origin = f"subset {row['subset']}@{row['subset_version']}" if row["subset"] else row["where_sql"] or "all rows"
    unit, about, made_from = row["unit"], rows_of(curves), asker.made_from("expansions", "selection_paths")
    learned = counted(about["n"], "structure") + (
        "" if about["n"] == row["n_mapped"] else f" of {count(row['n_mapped'])} on a lattice: test rows are left out")
    return {
        "path_caption": Caption(
            f"RMSE ({unit}) against the number of selected features (Figure 5 of Speckhard et al.), on the rows "
            "that were fitted and beside it under cross-validation, selection included."
            f"{about['folds']} Full dots: least under cross-validation, with its standard error; open dots: the same "
            "models on the fit. Curves lie on each other where the same features were selected. All panels have the "
            "same axes.", made_from, learned, origin),
        "turn_caption": Caption(
            f"Where each curve is least under cross-validation, RMSE in {unit}; ± is the standard error over folds. "
            "A curve turns where adding features makes it worse by more than that.", made_from, learned, origin),
        "parent_caption": Caption(
            "Parent lattices. X is a vacancy; semicolons part sublattices. Distortion: the largest root mean square "
            "distance of the sites of a structure from those of its lattice. Correlations: of the small and the large "
            "pool.", asker.made_from("expansions"), counted(row["n_mapped"], "structure"), origin),
        "parity_caption": Caption(
            f"Predicted against actual values ({unit}) of {row['model_id']}, the smallest model within one standard "
            "error of the least error under cross-validation unless another was asked for.",
            asker.made_from("predictions"), counted(n_parity, "structure"), origin),
    }


def _turn(curve: Curve, digits: int) -> Row:
    """A line of the table of turns."""
    best, last = curve.best, curve.points[-1]
    end = next((one["cv_rmse"] for one in reversed(curve.held)), None)
    return {
        "words": curve.words, "pool": curve.pool, "candidates": max(row["n_candidates"] for row in curve.points),
        "n": best["n_features"] if best else None, "cv": least(best, digits) if best else MISSING,
        "fit": best["fit_rmse"] if best else None, "last_n": last["n_features"], "last_fit": last["fit_rmse"],
        "last_cv": end, "turn": curve.turn(),
    }


def _parents(row: Row) -> list[Row]:
    try:
        found = json.loads(row["parents_json"])
    except ValueError:
        return []
    return [_parent(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _parent(one: Row) -> Row:
    pools = one.get("pools")
    sizes = [pools.get(pool, {}).get("n_correlations") for pool in ("small", "large")] if isinstance(
        pools, dict) and all(isinstance(pool, dict) for pool in pools.values()) else []
    distortion = one.get("largest_rms_angstrom")
    return {
        **{name: one.get(name) for name in ("name", "spacegroup_number", "species", "n_mapped")},
        "distortion": number(distortion if isinstance(distortion, int | float) else None, 2),
        "correlations": " / ".join(count(n) for n in sizes if isinstance(n, int)) or MISSING,
    }


def _reasons(asker: Asker, row: Row) -> list[Row]:
    return asker.select(
        "select reason, count(*) as n, min(message) as example from unmapped where run_id = $run group by reason "
        "order by n desc, reason limit $most", run=row["run_id"], most=MOST_REASONS)


def _parity(asker: Asker, row: Row) -> list[tuple[str, str, Markup, int]]:
    """Predicted against actual values: what the rows are, a note, the figure, how many."""
    if not row["model_id"]:
        return []
    rows = asker.select("select split, actual, predicted from predictions where model_id = $model and actual is not "
                        "null and predicted is not null and split is not null", model=row["model_id"])
    found = []
    for splits, words in ((LEARNED, "rows that it was fitted to"), (("test",), "test rows, not seen before")):
        pairs = np.array([(r["actual"], r["predicted"]) for r in rows if r["split"] in splits], dtype=np.float64)
        if len(pairs):
            rmse = float(np.sqrt(np.mean((pairs[:, 0] - pairs[:, 1]) ** 2)))
            note = f"RMSE {number(rmse, digits_of([rmse]))} {row['unit']} · {counted(len(pairs), 'structure')}"
            found.append((words, note, parity_figure(pairs[:, 0], pairs[:, 1], row["unit"],
                                                     f"Predicted against actual values, {words}."), len(pairs)))
    return found
