"""A formula that was found on rows of the lake as a learned model, to be judged and saved like all others."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lake.errors import InputError
from ml.elements import elements_of, left_out_note, rows_of_elements
from ml.learned import Learned
from ml.registry.document import Document
from ml.sisso.formula import Formula
from ml.sisso.model import PART, FormulaModel
from ml.sisso.settings import SissoSettings
from ml.sisso.sources import Columns
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from ml.data.dataset import Dataset


def spec_of(settings: SissoSettings, columns: Columns, dimension: int) -> ModelSpec:
    """What was asked, as the spec of a model."""
    asked = asdict(columns)
    return ModelSpec(
        kind="sisso", model=settings.plain() | {"dimension": dimension},
        features={name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()},
        inputs=(columns.task,) if columns.task else (), baseline="none", seed=settings.seed,
    )


def learned(
    dataset: Dataset, formula: Formula, spec: ModelSpec, *, n_searched: int, seconds: float, device: str
) -> Learned:
    """A formula as a model.

    Args:
        dataset: the rows; the formula was found on those of the training split.
        formula: over features of crystals.
        spec: how it was found.
        n_searched: combinations that were tried, which stand for steps.
        seconds: wall time.
        device: where features were screened.

    Raises:
        InputError: it is not defined on any row.
    """
    elements = elements_of(dataset.rows.take(pa.array(dataset.places("train"))))
    places = rows_of_elements(dataset.rows, elements)
    n_known = len(places)
    model = FormulaModel(formula, elements)
    if formula.task_column is not None:
        names = [str(one) for one in dataset.rows[formula.task_column].to_pylist()]
        places = places[np.array([names[place] in formula.tasks for place in places.tolist()], dtype=bool)]
    members = model.members(dataset.rows.take(pa.array(places)))
    defined = np.isfinite(members[0])
    places, members = places[defined], members[:, defined]
    if not len(places):
        raise InputError("The formula is not defined on any row: take other features or operators.")
    notes = list(left_out_note(dataset.rows.num_rows, n_known))
    if len(places) < n_known:
        notes.append(f"The formula says nothing of {n_known - len(places):,} of {n_known:,} rows: a term of it is not "
                     "defined there, or their task has no coefficients.")
    settings: dict[str, Any] = {PART: formula.to_json(), "text": formula.text(), "model": dict(spec.model),
                                "features": dict(spec.features)}
    document = Document(dataset.target, spec, settings, elements, None, 0.0, 1.0)
    return Learned(
        document, {"coefficients": formula.coefficients}, model, places, members, [], int(formula.coefficients.size),
        n_searched, n_searched, "done", seconds, device, None, tuple(notes),
    )
