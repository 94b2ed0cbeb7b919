"""Searches for the best network: Figure 7 of the paper, what searching gained and cost, error against speed."""

from __future__ import annotations

from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import count, counted, digits_of
from analytics.report.labels import label
from analytics.report.section import Caption, Section, Sources, cut
from analytics.report.studies.search_figures import curves_figure, pareto_figure
from analytics.report.studies.search_numbers import (
    FAILED,
    best_candidates,
    by_size,
    completed,
    digits_for,
    facts,
    one_size,
    tiles,
    trials_of,
)

TITLE = "Architecture search"
LEAD = (
    "Which network, of how many message-passing steps and which width, trained how? Candidates are trained side by "
    "side; those that fall behind are ended early. The validation error chose the best, so it is a little too good: "
    "what the ensemble of the best few is worth on test rows stands under Models."
)
MOST_SEARCHES = 2
MOST_CANDIDATES = 10
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
    trials, unit = trials_of(asker, row["search_id"]), row["unit"]
    digits = digits_for(trials)
    pareto, n_timed = pareto_figure(trials, unit)
    curves, n_curves, keys = curves_figure(asker, row["search_id"], trials, unit)
    candidates = best_candidates(trials, MOST_CANDIDATES)
    failed = [trial for trial in trials if trial["state"] == FAILED]
    return {
        "search": row, "quantity": label(row["target"]), "facts": facts(row, sources), "tiles": tiles(row, digits),
        "figure": by_size(trials), "one_size": one_size(trials), "pareto": pareto, "curves": curves, "curve_keys": keys,
        "digits": digits, "digits_ms": digits_of(t["prediction_ms"] for t in candidates), "unit": unit,
        "candidates": candidates, "left_out": max(0, len(trials) - len(candidates)),
        "failed": failed[:MOST_CANDIDATES], "n_failed": len(failed), "reasons_left_out": len(failed) > MOST_CANDIDATES,
    } | _captions(asker, row, trials, n_timed, n_curves)


def _captions(asker: Asker, row: Row, trials: list[Row], n_timed: int, n_curves: int) -> Row:
    origin = f"subset {row['subset']}@{row['subset_version']}" if row["subset"] else row["where_sql"] or "all rows"
    unit, made_from = row["unit"], asker.made_from("searches", "trials")
    done = f"{count(len(completed(trials)))} of {counted(len(trials), 'candidate')} trained to the end"
    return {
        "figure_caption": Caption(
            f"Least validation RMSE ({unit}) of the candidates of a size that were trained to the end (Figure 7 of "
            "Speckhard et al.), and how many of those tried they are. The stronger the colour the better; the frame "
            "marks the best. The gain is 1 − best / mean over candidates trained to the end; in the paper 474 against "
            "556 meV, 14.7 %.", made_from, done, origin),
        "pareto_caption": Caption(
            f"Validation RMSE ({unit}) against the time of a prediction. Orange: the Pareto front, candidates that no "
            "other beats in both.", made_from, f"{counted(n_timed, 'candidate')} trained to the end", origin),
        "curves_caption": Caption(
            f"Validation RMSE ({unit}) during training, of the best of either sort; candidates that were ended early "
            "stop at fewer steps.",
            asker.made_from("trial_curves", "trials"),
            f"{count(n_curves)} of {counted(len(trials), 'candidate')} drawn", origin),
        "candidates_caption": Caption(
            f"The best {MOST_CANDIDATES} candidates by validation error, and those on the Pareto front.", made_from,
            done, origin),
    }
