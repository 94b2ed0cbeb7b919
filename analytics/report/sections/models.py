"""The models of the lake: a list, and cards of the champions and the newest."""

from __future__ import annotations

from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import counted
from analytics.report.labels import label
from analytics.report.models.calibration import calibration
from analytics.report.models.curves import curves_of
from analytics.report.models.element_errors import ElementTable, element_table
from analytics.report.models.experiment import errors_on_test
from analytics.report.models.facts import facts_of
from analytics.report.section import Caption, Section, Sources, cut
from analytics.report.sections.transfer import curve_parts, element_caption

TITLE = "Models"
LEAD = (
    "What was trained on the lake's calculations: on which rows, how well, under which licence, and what it is not for."
)
MOST_MODELS = 15
MOST_CARDS = 4


def section(asker: Asker, sources: Sources) -> Section:
    """The list, then the cards."""
    rows = asker.rows("trained_models")
    if not rows:
        return Section("models", TITLE, LEAD, nothing=(
            "No model was trained in this lake yet. Train one: matlake train --subset NAME --target "
            "formation_energy_ev_per_atom --model mpeu."
        ))
    shown, left_out = cut(rows, MOST_MODELS)
    cards = _chosen(asker, rows)
    return Section("models", TITLE, LEAD, {
        "models": [row | {"quantity": label(row["target"]).text} for row in shown], "left_out": left_out,
        "cards": [_card(asker, sources, model_id) for model_id in cards],
        "caption": Caption(
            "Champions of retraining first, then the newest. MAE: mean absolute error on the test rows of the "
            "databases that the model was trained on.", asker.made_from("models", "evaluations", "promotions"),
            counted(len(rows), "model")),
        "n": len(rows),
    })


def _chosen(asker: Asker, rows: list[dict[str, Any]]) -> list[str]:
    """Models with a card: champions, then the newest of every name.

    Models of transfer experiments come last, those of most rows first: they have figures of their own above.
    """
    transferred = {row["model_id"] for row in asker.select("select distinct model_id from transfers")}
    candidates = [row for row in rows if row["champion"] or (row["champion"] is None and row["newest"])]
    candidates.sort(key=lambda row: (
        not row["champion"], *((True, -row["n_train"]) if row["model_id"] in transferred else (False, 0))
    ))
    return [row["model_id"] for row in candidates[:MOST_CARDS]]


def _card(asker: Asker, sources: Sources, model_id: str) -> dict[str, Any]:
    row = asker.select("select * from models where model_id = $model", model=model_id)[0]
    errors = errors_on_test(asker, [model_id])
    tables = _elements(errors, sources)
    words = f"subset {row['subset']}@{row['subset_version']}" if row["subset"] else row["where_sql"] or "all rows"
    curves = curves_of(asker, {model_id: (model_id, "s0")})
    measured = calibration(row["calibration_json"], row["unit"])
    return {
        "facts": facts_of(asker, row, sources), "elements": tables, "curves": curves, "calibration": measured,
        "caption": Caption(
            "What the lake's tables say of the model. Interval: 95 %, bootstrap over materials; bias: mean of "
            "predicted minus actual.", asker.made_from("models", "evaluations", "predictions", "calculations"),
            counted(row["n_train"], "training row"), words),
        "calibration_caption": Caption(
            "How often the actual value lies within the interval that the model states, against how often it should. "
            "Dashed: as trained, line: calibrated, thin: as it should be.",
            asker.made_from("models"), measured.rows if measured else "none", words),
        "elements_caption": element_caption(
            asker, label(row["target"]), counted(sum(one.n for one in tables), "test row"), words),
        **curve_parts(asker, curves, row["unit"], words),
    }


def _elements(errors: list[dict[str, Any]], sources: Sources) -> list[ElementTable]:
    whole = {row["evaluated_on"]: row["n"] for row in errors if row["slice_kind"] == "all"}
    found = []
    for name in sources.names:
        rows = [row for row in errors if row["evaluated_on"] == name]
        made = element_table(f"on {sources.short(name)}", rows, whole.get(name, 0)) if rows else None
        if made is not None:
            found.append(made)
    return found
