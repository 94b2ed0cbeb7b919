"""Figures of a search: how candidates learned, and error against the time of a prediction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.formats import digits_of, number
from analytics.report.plot import NARROW, WIDE, Line, Mark, Scales, plot
from analytics.report.studies.front import front
from analytics.report.studies.search_numbers import COMPLETED, Row, completed, digits_for, on_front

MOST_CURVES = 60
MOST_COMPLETED = 40
"""As many as these of candidates trained to the end: those that were ended early are to be seen as well."""


def pareto_figure(trials: Sequence[Row], unit: str) -> tuple[Markup | None, int]:
    """Error against the time of a prediction of candidates trained to the end, and how many are shown."""
    known = [trial for trial in completed(trials) if trial["prediction_ms"] is not None]
    members, digits = on_front(known), digits_for(known)
    digits_ms = digits_of(trial["prediction_ms"] for trial in known)
    # Those on the front are drawn over the others.
    marks = [Mark(float(t["prediction_ms"]), float(t["validation_rmse"]),
                  f"candidate {t['trial']}: {number(t['validation_rmse'], digits)} {unit}, "
                  f"{number(t['prediction_ms'], digits_ms)} ms a crystal; {t['words']}",
                  "s1" if t["trial"] in members else "s0 faint")
             for t in sorted(known, key=lambda t: t["trial"] in members)]
    line = Line(tuple(front((mark.x, mark.y) for mark in marks)), "not beaten in both", "s1")
    return plot("Validation error against the time of a prediction.", [line], marks, Scales(
        ("time of a prediction (ms per crystal)", f"validation RMSE ({unit})"), whole=False), NARROW), len(known)


def curves_figure(
    asker: Asker, search_id: str, trials: Sequence[Row], unit: str
) -> tuple[Markup | None, int, list[tuple[str, str]]]:
    """Validation errors during training, how many candidates are drawn, and the keys of their colours."""
    points: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for point in asker.select("select trial, step, validation_rmse from trial_curves where search_id = $search and "
                              "isfinite(validation_rmse) order by trial, step", search=search_id):
        points[point["trial"]].append((float(point["step"]), float(point["validation_rmse"])))
    there = [trial for trial in trials if len(points[trial["trial"]]) > 1]
    done = [trial for trial in there if trial["state"] == COMPLETED][:MOST_COMPLETED]
    shown = done + [trial for trial in there if trial["state"] != COMPLETED][:MOST_CURVES - len(done)]
    if not shown:
        return None, 0, []
    css = {trial["trial"]: ("s0" if trial["state"] == COMPLETED else "early") for trial in shown}
    if done and done[0]["validation_rmse"] is not None:
        css[done[0]["trial"]] = "s1 chosen"
    # The best is drawn over the others, and these over those that were ended early.
    lines = [Line(tuple(points[t["trial"]]), f"candidate {t['trial']}, {t['ended']}: {t['words']}",
                  f"candidate {css[t['trial']]}") for t in reversed(shown)]
    svg = plot("Validation errors of the candidates during training.", lines, [], Scales(
        ("gradient steps", f"validation RMSE ({unit})")), WIDE)
    words = {"s1 chosen": "best", "s0": "trained to the end", "early": "ended early or failed"}
    return svg, len(shown), [(text, name) for name, text in words.items() if name in css.values()]
