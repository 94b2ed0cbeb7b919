"""Searches for the best network: Figure 7 of the paper, what searching gained and cost, error against speed."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, number
from analytics.report.labels import label
from analytics.report.plot import NARROW, WIDE, Line, Mark, Scales, plot
from analytics.report.section import Caption, Section, Sources, cut
from analytics.report.studies.front import front

TITLE = "Architecture search"
LEAD = (
    "Which network, of how many message-passing steps and which width, trained how? Candidates are trained side by "
    "side; those that fall behind are ended early. The validation error chose the best, so it is a little too good: "
    "what the ensemble of the best few is worth on test rows stands under Models."
)
MOST_SEARCHES = 2
MOST_CANDIDATES = 10
MOST_CURVES = 60
STATE_WORDS = {"completed": "trained to the end", "pruned": "ended early", "failed": "failed"}
Row = dict[str, Any]


def section(asker: Asker, sources: Sources) -> Section:
    """The newest search of every name: its candidates by size, by speed, and as they learned."""
    newest: dict[str, Row] = {}
    for row in asker.select("select * from searches order by created_at desc, search_id desc"):
        newest.setdefault(row["name"], row)
    if not newest:
        return Section("search", TITLE, LEAD, nothing=(
            "No search was made in this lake yet. Make one: matlake search SUBSET --model mpeu --target band_gap_ev."
        ))
    shown, left_out = cut(list(newest.values()), MOST_SEARCHES)
    return Section("search", TITLE, LEAD, {
        "parts": [_part(asker, row, sources) for row in shown], "left_out": left_out,
    })


def _part(asker: Asker, row: Row, sources: Sources) -> Row:
    trials = asker.select("select * from trials where search_id = $search order by validation_rmse, trial",
                          search=row["search_id"])
    for trial in trials:
        trial["words"] = f"candidate {trial['trial']}: {parameters(trial)}"
    origin = f"subset {row['subset']}@{row['subset_version']}" if row["subset"] else row["where_sql"] or "all rows"
    unit, made_from = row["unit"], asker.made_from("searches", "trials")
    n = counted(len(trials), "candidate")
    return {
        "search": row, "quantity": label(row["target"]), "facts": facts(row, sources),
        "figure": by_size(trials), "pareto": _pareto(trials, unit), "curves": _curves(asker, row, trials),
        "candidates": [trial for trial in trials if trial["validation_rmse"] is not None][:MOST_CANDIDATES],
        "failed": [trial for trial in trials if trial["state"] == "failed"][:MOST_CANDIDATES],
        "figure_caption": Caption(
            f"Least validation RMSE ({unit}) of the candidates of a size, and how many there were (Figure 7 of "
            "Speckhard et al.). Darker is better.", made_from, n, origin),
        "pareto_caption": Caption(
            f"Validation RMSE ({unit}) against the time of a prediction. The line joins the candidates that none beats "
            "in both.", made_from, n, origin),
        "curves_caption": Caption(
            f"Validation RMSE ({unit}) during training. Dark: trained to the end, light: ended early.",
            asker.made_from("trial_curves", "trials"), n, origin),
        "candidates_caption": Caption("The best candidates by validation error.", made_from, n, origin),
    }


def facts(row: Row, sources: Sources) -> list[tuple[str, str]]:
    """What was searched, what it gained and what it cost, as pairs of words."""
    unit = row["unit"]
    found = [
        ("candidates", f"{count(row['n_candidates'])}: {count(row['n_completed'])} trained to the end, "
                       f"{count(row['n_pruned'])} ended early, {count(row['n_failed'])} failed"),
        ("network", f"{row['kind']} on {', '.join(sources.short(name) for name in row['sources'])}"),
        ("sampler and pruner", f"{row['sampler']}, {row['pruner']}"),
    ]
    if row["best_rmse"] is not None:
        found.append(("validation RMSE", f"best {number(row['best_rmse'], 3)} {unit}, median "
                                         f"{number(row['median_rmse'], 3)}, mean {number(row['mean_rmse'], 3)}"))
    if row["gain"] is not None:
        found.append(("gain of the best over the mean", f"{number(100 * row['gain'], 1)} %"))
    steps, full = row["training_steps"], row["full_training_steps"]
    share = f" of {count(full)} ({number(100 * steps / full, 0)} %)" if full else ""
    found.append(("gradient steps", f"{count(steps)}{share}"))
    hours = f"{number(row['device_hours'], 2)} h"
    if row["full_device_hours"] is not None:
        hours += f"; all candidates to the end: {number(row['full_device_hours'], 2)} h"
    found.append(("time on devices", hours))
    if row["cost"] is not None:
        full_cost = f"; all to the end: {number(row['full_cost'], 2)}" if row["full_cost"] is not None else ""
        found.append((f"cost at {number(row['price_per_hour'], 2)} an hour", f"{number(row['cost'], 2)}{full_cost}"))
    if row["model_id"]:
        became = f" ({row['promotion']})" if row["promotion"] else ""
        found.append(("ensemble of the best", f"{row['model_id']}{became}"))
    return found


def by_size(trials: list[Row]) -> Row | None:
    """Least error by message-passing steps (rows) and latent size (columns); shades from 0 (worst) to 100."""
    cells: dict[tuple[int, int], list[float]] = {}
    for trial in trials:
        size = trial["message_passing_steps"], trial["channels"]
        if None not in size and trial["validation_rmse"] is not None:
            cells.setdefault(size, []).append(trial["validation_rmse"])
    if not cells:
        return None
    best = {size: min(values) for size, values in cells.items()}
    low, high = min(best.values()), max(best.values())
    steps, channels = (sorted({size[place] for size in cells}) for place in (0, 1))

    def cell(size: tuple[int, int]) -> Row | None:
        if size not in best:
            return None
        strength = 100 * (high - best[size]) / (high - low) if high > low else 100.0
        return {"rmse": number(best[size], 3), "n": count(len(cells[size])), "strength": round(strength),
                "best": best[size] == low}

    return {"channels": channels, "lines": [(one, [cell((one, width)) for width in channels]) for one in steps]}


def parameters(trial: Row) -> str:
    """A candidate's values as `name value` with commas."""
    try:
        values = json.loads(trial["parameters_json"])
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return str(trial["parameters_json"])
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in sorted(values.items()))


def _pareto(trials: list[Row], unit: str) -> Markup | None:
    known = [t for t in trials if t["prediction_ms"] is not None and t["validation_rmse"] is not None
             and t["state"] == "completed"]
    points = [(float(t["prediction_ms"]), float(t["validation_rmse"])) for t in known]
    best = set(front(points))
    marks = [Mark(*point, f"{t['words']}: {number(point[1], 3)} {unit}, {number(point[0], 3)} ms a crystal",
                  "s1" if point in best else "s-other") for t, point in zip(known, points, strict=True)]
    line = Line(tuple(front(points)), "not beaten in both", "s1")
    return plot("Validation error against the time of a prediction.", [line], marks, Scales(
        ("time of a prediction (ms per crystal)", f"validation RMSE ({unit})"), whole=False), NARROW)


def _curves(asker: Asker, row: Row, trials: list[Row]) -> Markup | None:
    of_trial: dict[int, list[tuple[float, float]]] = {}
    for point in asker.select("select trial, step, validation_rmse from trial_curves where search_id = $search and "
                              "validation_rmse is not null order by trial, step", search=row["search_id"]):
        of_trial.setdefault(point["trial"], []).append((float(point["step"]), float(point["validation_rmse"])))
    shown = [t for t in trials if t["trial"] in of_trial][:MOST_CURVES]
    # Those trained to the end are drawn over the others.
    shown.sort(key=lambda trial: trial["state"] == "completed")
    lines = [Line(tuple(of_trial[t["trial"]]), f"{t['words']}: {STATE_WORDS.get(t['state'], t['state'])}",
                  "s0 candidate" if t["state"] == "completed" else "s-other candidate") for t in shown]
    return plot("Validation errors of the candidates during training.", lines, [], Scales(
        ("gradient steps", f"validation RMSE ({row['unit']})")), WIDE)
