"""How far models carry from one database to another: the newest experiment of every target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analytics.report.ask import Asker
from analytics.report.elements import PLACES
from analytics.report.formats import counted
from analytics.report.labels import Label, label
from analytics.report.models.answer import QUESTION, answers
from analytics.report.models.curves import MOST_LINES, Curve, colours_of, curves_figure, curves_of
from analytics.report.models.element_errors import ElementTable, element_table
from analytics.report.models.experiment import TOGETHER, Experiment, experiments
from analytics.report.models.matrix import columns_of, matrix, most_rows
from analytics.report.models.parity import panels
from analytics.report.models.parity_drawing import N_BINS
from analytics.report.models.slices import slice_lines
from analytics.report.section import Caption, Section, Sources, cut

TITLE = "Transfer"
LEAD = (
    "How far does what a model learned from one database carry to another? Every model is tested on every database, "
    "on the same test materials, of which no model has seen any calculation from any database."
)
MOST_TARGETS = 3
MOST_DATABASES = 4
"""Databases with parity plots and slices; the matrix shows all."""
MOST_PANELS = 8
MOST_ELEMENT_TABLES = 12


@dataclass(frozen=True)
class Part:
    """What every figure of one experiment needs."""

    asker: Asker
    sources: Sources
    experiment: Experiment
    quantity: Label
    filter: str


def section(asker: Asker, sources: Sources) -> Section:
    """One part per target: matrix, answer, parity, slices, elements, learning curves."""
    found = experiments(asker)
    if not found:
        return Section("transfer", TITLE, LEAD, nothing=(
            "No transfer experiment was made in this lake yet. Make one: "
            f"matlake transfer --sources {','.join(sources.names[:2]) or 'aflow,mp'} --target "
            "formation_energy_ev_per_atom."
        ))
    shown, left_out = cut(found, MOST_TARGETS)
    return Section("transfer", TITLE, LEAD, {
        "parts": [_part(asker, sources, one) for one in shown], "places": PLACES,
        "left_out": [label(one.target).text for one in found[len(shown):]] if left_out else [],
    })


def _part(asker: Asker, sources: Sources, experiment: Experiment) -> dict[str, Any]:
    part = Part(asker, sources, experiment, label(experiment.target), _filter(asker, experiment))
    return {
        "experiment": experiment, "quantity": part.quantity, "question": QUESTION,
        **_matrix(part), **_parity(part), **_slices(part), **_elements(part), **_curves(part),
    }


def _filter(asker: Asker, experiment: Experiment) -> str:
    """The rows of the experiment in words: those of its models, which share them."""
    rows = asker.select(
        "select subset, subset_version, where_sql from models where model_id = $model",
        model=experiment.models[0].model_id,
    )
    if not rows:
        return "rows of the experiment"
    row = rows[0]
    words = [f"subset {row['subset']}@{row['subset_version']}"] if row["subset"] else []
    return "; ".join([*words, *([row["where_sql"]] if row["where_sql"] else [])]) or "all rows with the target"


def _matrix(part: Part) -> dict[str, Any]:
    experiment = part.experiment
    compared = part.asker.rows("transfer_against_own", transfer=experiment.transfer_id)
    common = experiment.first["n_common_materials"]
    tested = ", ".join(f"{part.sources.short(on)} {most_rows(experiment, on):,}" for on in experiment.databases)
    common_words = "" if common is None else f"; {counted(common, 'common material')}"
    return {
        "lines": matrix(experiment, compared, part.sources),
        "columns": [
            (name, None if name == TOGETHER else name) for name in columns_of(experiment)
        ],
        "answers": answers(experiment, compared, part.sources),
        "matrix_caption": Caption(
            f"Errors of the {part.quantity.text} ({experiment.unit}) on test rows. Bold: mean absolute error, in "
            "brackets its 95 % bootstrap interval over materials; bias: mean of predicted minus actual. Framed: the "
            "database's own model; red is a larger error than its on the rows that both can predict, blue a smaller "
            "one, full colour from four times and a quarter on. A model says nothing of rows with elements that it "
            "has not seen.",
            part.asker.made_from("transfers", "evaluations", "predictions"),
            f"test rows: {tested}{common_words}",
            part.filter),
    }


def _parity(part: Part) -> dict[str, Any]:
    experiment = part.experiment
    rows = part.asker.rows("transfer_parity", transfer=experiment.transfer_id, n_bins=str(N_BINS))
    drawn = [
        (name, panels(experiment, rows, name, part.sources, MOST_PANELS)) for name in experiment.databases
    ]
    drawn = [(name, found) for name, found in drawn if found]
    return {
        "parity": drawn[:MOST_DATABASES],
        "parity_left_out": max(0, len(drawn) - MOST_DATABASES) or max(0, len(experiment.models) - MOST_PANELS),
        "parity_caption": Caption(
            f"Predicted against actual {part.quantity.text} ({experiment.unit}) of the test rows, as in Figure 1 of "
            "Speckhard et al. Orange: materials in two or more of the databases, blue: in one only; darker is more "
            "rows. Line: predicted = actual; dashed: shifted by the bias.",
            part.asker.made_from("transfers", "predictions"),
            counted(sum(row["n"] for row in rows), "prediction"), part.filter),
    }


def _slices(part: Part) -> dict[str, Any]:
    experiment = part.experiment
    ids = [model.model_id for model in experiment.models]
    tables = []
    for name in experiment.databases[:MOST_DATABASES]:
        rows = [row for row in experiment.slices if row["evaluated_on"] == name]
        whole = {one: row["mae"] for one in ids if (row := experiment.errors.get((one, name))) is not None}
        lines = slice_lines(rows, whole, ids)
        if lines:
            tables.append((name, lines))
    return {
        "slices": tables, "heads": [model.words(part.sources) for model in experiment.models],
        "slices_caption": Caption(
            f"MAE of each model on parts of the test rows ({experiment.unit}), under it the bias. Darker: further "
            "above the same model's error on all rows, full from twice on. Pale figures: fewer than ten rows.",
            part.asker.made_from("evaluations"), counted(len(experiment.slices), "slice"), part.filter),
    }


def _elements(part: Part) -> dict[str, Any]:
    experiment = part.experiment
    tables: list[ElementTable] = []
    for model in experiment.models:
        for name in experiment.databases:
            whole = experiment.errors.get((model.model_id, name))
            rows = [r for r in experiment.slices if r["evaluated_on"] == name and r["model_id"] == model.model_id]
            words = f"{model.words(part.sources)} → {part.sources.short(name)}"
            made = element_table(words, rows, whole["n"] if whole else 0)
            if made is not None:
                tables.append(made)
    shown, left_out = cut(tables, MOST_ELEMENT_TABLES)
    return {"elements": shown, "elements_left_out": left_out, "elements_caption": element_caption(
        part.asker, part.quantity, counted(sum(len(one.cells) for one in shown), "element error"), part.filter)}


def element_caption(asker: Asker, quantity: Label, n: str, words: str) -> Caption:
    """The caption of periodic tables of errors."""
    return Caption(
        f"MAE of the {quantity.text} over the test rows that contain an element, under it their number. Hatched: too "
        "few test rows (under 5); pale: in none.", asker.made_from("evaluations"), n, words)


def _curves(part: Part) -> dict[str, Any]:
    experiment = part.experiment
    models = experiment.models[:MOST_LINES]
    alone = [model.trained_on[0] if model.road == "own" else None for model in models]
    colours = colours_of(alone, part.sources)
    curves = curves_of(part.asker, {
        model.model_id: (model.words(part.sources), colour) for model, colour in zip(models, colours, strict=True)
    })
    return {"curves": curves, **curve_parts(part.asker, curves, experiment.unit, part.filter)}


def curve_parts(asker: Asker, curves: list[Curve], unit: str, words: str) -> dict[str, Any]:
    """Figure and caption of learning curves."""
    names = ", ".join(curve.words for curve in curves)
    return {
        "curves_svg": curves_figure(curves, unit, f"Learning curves of the models trained on {names}."),
        "curves_caption": Caption(
            f"Mean absolute error ({unit}) during training: line, validation rows; dashed, training rows; dot, the "
            "step whose weights were kept.", asker.made_from("learning_curves", "models"),
            counted(sum(len(curve.points) for curve in curves), "evaluation"), words),
    }
