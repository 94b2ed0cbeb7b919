"""The transfer matrix: trained on × evaluated on, shaded by how an error compares with the own model's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analytics.report.formats import count, counted, number, signed
from analytics.report.models.experiment import TOGETHER, Experiment, Row
from analytics.report.section import Sources

FULL_RATIO = 4.0
"""Colour is full where an error is this many times the own model's, or this fraction of it."""


@dataclass(frozen=True)
class Cell:
    """One cell; ``kind`` is own, plus (larger error than the own model's), minus or nothing, ``strength`` percent.

    ``part`` is there where the model says nothing of some test rows: they hold elements that it has not seen.
    """

    mae: str
    interval: str
    rmse: str
    bias: str
    r2: str
    n: str
    part: str | None
    kind: str
    strength: int
    ratio: str | None

    @property
    def css(self) -> str:
        """The classes of the cell: light and dark pages turn their ink at different strengths."""
        return f"{self.kind}{' half' if self.strength > 50 else ''}{' full' if self.strength > 75 else ''}"


@dataclass(frozen=True)
class Line:
    """One row of the matrix; a cell is None where the model was not evaluated there."""

    model_id: str
    words: str
    cells: tuple[Cell | None, ...]


def matrix(experiment: Experiment, compared: Iterable[Row], sources: Sources) -> list[Line]:
    """The rows of the matrix; the columns are the databases, then all together where there are several.

    Args:
        experiment: models and errors.
        compared: rows of the query `transfer_against_own`: errors on the rows that a model and the own one share.
        sources: the names that figures use.
    """
    columns = columns_of(experiment)
    shared = {(row["model_id"], row["evaluated_on"]): row for row in compared}
    return [
        Line(model.model_id, model.words(sources), tuple(
            _cell(experiment, model.model_id, on, shared.get((model.model_id, on))) for on in columns
        ))
        for model in experiment.models
    ]


def most_rows(experiment: Experiment, on: str) -> int:
    """The test rows of a database: as many as the model has that can say something of most of them."""
    return max((row["n"] for (_, where), row in experiment.errors.items() if where == on), default=0)


def columns_of(experiment: Experiment) -> tuple[str, ...]:
    """What is evaluated on, in the order of the columns."""
    together = any(on == TOGETHER for _, on in experiment.errors)
    return (*experiment.databases, TOGETHER) if together else experiment.databases


def interval(row: Row, measure: str, digits: int = 3) -> str:
    """The 95 % interval of an error in brackets; nothing where there is none."""
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    return "" if low is None or high is None else f"[{number(low, digits)}, {number(high, digits)}]"


def _cell(experiment: Experiment, model_id: str, on: str, shared: Row | None) -> Cell | None:
    row = experiment.errors.get((model_id, on))
    if row is None or row["mae"] is None:
        return None
    own = experiment.own(on)
    kind, strength, ratio = "", 0, None
    if own is not None and own.model_id == model_id:
        kind = "own"
    elif shared is not None and shared["own_mae"] > 0 and shared["mae"] > 0:
        times = shared["mae"] / shared["own_mae"]
        strength = round(100 * min(1.0, abs(math.log(times)) / math.log(FULL_RATIO)))
        kind, ratio = "plus" if times > 1 else "minus", f"{number(times, 2)} × own"
    n = f"{counted(row['n'], 'row')}, {counted(row['n_materials'], 'material')}"
    most = most_rows(experiment, on)
    part = f"{count(row['n'])} of {count(most)} rows" if row["n"] < most else None
    return Cell(
        number(row["mae"], 3), interval(row, "mae"), number(row["rmse"], 3), signed(row["bias"]),
        number(row["r2"], 2), n, part, kind, strength, ratio,
    )
