"""Learning curves: errors on train and validation rows against gradient steps, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analytics.report.ask import Asker
from analytics.report.axes import Axis, Box, LogAxis, frame
from analytics.report.formats import count, number
from analytics.report.models.experiment import Row
from analytics.report.section import Sources
from analytics.report.svg import drawing, tag

BOX = Box()
MOST_POINTS = 160
MOST_LINES = 8
"""As many colours as there are."""


@dataclass(frozen=True)
class Curve:
    """The curve of one model: points as (step, train, validation error), the best step, and its CSS colour class."""

    words: str
    colour: str
    points: tuple[tuple[int, float | None, float | None], ...]
    best_step: int | None

    @property
    def best(self) -> tuple[int, float] | None:
        """The step whose weights were kept, and the validation error there."""
        known = [(step, value) for step, _, value in self.points if value is not None]
        of_step = [point for point in known if point[0] == self.best_step]
        return (of_step or [min(known, key=lambda point: point[1])])[0] if known else None


def curves_of(asker: Asker, models: Mapping[str, tuple[str, str]]) -> list[Curve]:
    """The curves of some models; those without one are left out.

    Args:
        asker: the lake.
        models: model → its words and the CSS class of its colour.
    """
    if not models:
        return []
    ids = {f"m{place}": model_id for place, model_id in enumerate(models)}
    listed = ", ".join(f"${name}" for name in ids)
    rows = asker.select(
        "select model_id, step, train_mae, validation_mae from learning_curves "  # noqa: S608 - names made here
        f"where model_id in ({listed}) order by model_id, step", **ids,
    )
    best = {row["model_id"]: row["best_step"] for row in asker.select(
        f"select model_id, best_step from models where model_id in ({listed})", **ids)}  # noqa: S608
    found = []
    for model_id, (words, colour) in models.items():
        of_model = [row for row in rows if row["model_id"] == model_id and row["step"] > 0]
        points = tuple(
            (row["step"], _positive(row["train_mae"]), _positive(row["validation_mae"]))
            for row in _thinned(of_model, best.get(model_id))
        )
        if len(points) > 1:
            found.append(Curve(words, colour, points, best.get(model_id)))
    return found


def colours_of(databases: Sequence[str | None], sources: Sources) -> list[str]:
    """Colour classes of models: a database's own where the model is of it alone, then those that are free."""
    taken = {sources.colour(name) for name in databases if name is not None}
    free = iter([f"s{i}" for i in range(Sources.COLOURS) if f"s{i}" not in taken] + ["s-other"] * len(databases))
    used: set[str] = set()
    found = []
    for name in databases:
        colour = sources.colour(name) if name is not None else next(free)
        if colour in used and colour != "s-other":
            colour = next(free)
        used.add(colour)
        found.append(colour)
    return found


def curves_figure(curves: Sequence[Curve], unit: str, title: str) -> Markup | None:
    """The figure; None where there is nothing to draw.

    Args:
        curves: at least one; validation errors as lines, train errors dashed, the best step a dot.
        unit: of the errors.
        title: what a screen reader says.
    """
    validation = [value for curve in curves for _, _, value in curve.points if value is not None]
    train = [value for curve in curves for _, value, _ in curve.points if value is not None]
    if not validation and not train:
        return None
    steps = [step for curve in curves for step, _, _ in curve.points]
    # A model that learns its rows by heart would take the axis for itself.
    low = min(validation or train) * 0.5 if not train else max(min([*train, *validation]), min(validation or train) / 4)
    up = BOX.up(LogAxis, low * 0.94, max([*validation, *train]) * 1.06)
    box = BOX.beside(up)
    across = box.across(LogAxis, min(steps), max(steps), whole=True)
    drawn = frame(box, across, up, ("gradient steps (of a forest: trees)", f"MAE ({unit})"))
    for curve in curves:
        drawn += _line(curve, across, up, unit)
    return drawing(box.width, box.height, title, *drawn)


def _line(curve: Curve, across: Axis, up: Axis, unit: str) -> list[Markup]:
    drawn = []
    for place, kind, words in ((1, "train", "train rows"), (2, "validation", "validation rows")):
        known = [(point[0], value) for point in curve.points if (value := point[place]) is not None]
        path = "L".join(f"{across.place(step):.1f} {up.place(float(value)):.1f}" for step, value in known)
        if path:
            drawn.append(tag("path", tag("title", f"{curve.words}: {words}"), d=f"M{path}",
                             class_=f"learning {kind} {curve.colour}"))
    if curve.best is not None:
        step, value = curve.best
        told = f"{curve.words}: best at step {count(step)}, validation MAE {number(value, 3)} {unit}"
        drawn.append(tag("circle", tag("title", told), cx=across.place(step), cy=up.place(value), r=5,
                         class_=f"best {curve.colour}"))
    return drawn


def _positive(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None


def _thinned(rows: Sequence[Row], best_step: int | None) -> Sequence[Row]:
    """At most ``MOST_POINTS``, evenly spread over the logarithm of the step: the last, and the best among them."""
    if len(rows) <= MOST_POINTS:
        return rows
    first, last = math.log(rows[0]["step"]), math.log(rows[-1]["step"])
    kept: dict[int, Row] = {}
    for row in rows:
        kept[int((math.log(row["step"]) - first) / (last - first) * (MOST_POINTS - 2))] = row
    chosen = {row["step"] for row in kept.values()} | {best_step, rows[-1]["step"]}
    return [row for row in rows if row["step"] in chosen]
