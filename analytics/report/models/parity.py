"""Parity plots (Figure 1 of Speckhard et al.): predicted against actual values of test rows, a panel per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analytics.report.formats import count, number, signed
from analytics.report.models.experiment import Experiment, Row
from analytics.report.models.parity_drawing import Axis, Points, parity_drawing
from analytics.report.section import Sources


@dataclass(frozen=True)
class Panel:
    """One model on one database."""

    words: str
    note: str
    svg: Markup


def panels(
    experiment: Experiment, rows: list[dict[str, Any]], database: str, sources: Sources, most: int
) -> list[Panel]:
    """The panels of one database: each model's predictions of its test rows.

    Args:
        experiment: the models, in order, and their errors.
        rows: answer of the query `transfer_parity`, of ``N_BINS`` bins.
        database: whose rows are predicted.
        sources: the names that figures use.
        most: panels at most.
    """
    by_model: Mapping[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["evaluated_on"] == database:
            by_model[row["model_id"]].append(row)
    found: list[Panel] = []
    for model in experiment.models:
        of_model = by_model.get(model.model_id)
        if not of_model or len(found) == most:
            continue
        axis = Axis(of_model[0]["axis_low"], of_model[0]["axis_high"], experiment.unit)
        errors = experiment.errors.get((model.model_id, database))
        words = model.words(sources)
        title = f"Predicted against actual values on {sources.short(database)} of the model trained on {words}"
        found.append(Panel(words, _note(of_model, errors), _drawn(of_model, errors, axis, title)))
    return found


def _note(rows: Sequence[Row], errors: Row | None) -> str:
    parts = [f"{count(sum(row['n'] for row in rows))} rows"]
    if errors is not None:
        parts = [f"MAE {number(errors['mae'], 3)}", f"bias {signed(errors['bias'])}", *parts]
    outside = sum(row["n_outside"] for row in rows)
    return " · ".join([*parts, *([f"{count(outside)} at the edge"] if outside else [])])


def _drawn(rows: Sequence[Row], errors: Row | None, axis: Axis, title: str) -> Markup:
    apart = [(Points.of([row for row in rows if row["common"] is common]), kind)
             for common, kind in ((False, "alone"), (True, "common"))]
    return parity_drawing(apart, axis, errors["bias"] if errors is not None else None, f"{title}.")
