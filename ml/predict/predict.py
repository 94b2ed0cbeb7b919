"""What a model says of crystals: values, how sure it is of them, and whether they lie outside what it has seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.crystal.formula import count_species, formula, reduced
from ml.data.structures import atomic_numbers
from ml.elements import check_elements
from ml.predict.calibration import Calibration
from ml.predict.domain import Domain
from ml.predict.learn_domain import position
from ml.predict.levels import Value, with_level

if TYPE_CHECKING:
    from ml.registry.model import Model

Floats = npt.NDArray[np.float64]
LEVEL = 0.9
"""Share of values that should lie between ``low`` and ``high``."""
KEPT = ("calculation_id", "source", "material_key", "formula_reduced", "split", "actual")


def predict_rows(
    model: Model, rows: pa.Table, *, level: Mapping[str, Value] | None = None, strict: bool = True
) -> pa.Table:
    """What a model says of crystals, each by itself: no row's answer depends on which others are asked about.

    Args:
        model: the model.
        rows: ``lattice_vectors_angstrom`` (Å), ``fractional_positions``, ``species_at_sites``, and of the columns that
            the model takes as inputs those that are known.
        level: settings at which all rows are meant, in the place of their own.
        strict: whether crystals that the model cannot say anything of are an error; if not, their prediction is null
            and ``outside`` says why.

    Returns:
        A row per crystal in their order: those of :data:`KEPT` that the rows have (``formula_reduced`` always), then
        ``predicted``, ``uncertainty`` (calibrated standard deviation; null of a model of one member), ``low`` and
        ``high`` (ends of the interval in which :data:`LEVEL` of values should lie), all in the unit of the target, and
        ``outside`` (null where the material is like those that were learned from).

    Raises:
        InputError: strict, and a crystal is not whole, or holds an element that the model has never seen; the message
            names both.
    """
    rows = with_level(rows, level) if level else rows
    if strict:
        check_elements(rows, model.elements)
    problems = _problems(model, rows, strict)
    places = np.flatnonzero(np.array([problem is None for problem in problems], dtype=bool))
    values = {name: np.full(rows.num_rows, np.nan) for name in ("predicted", "uncertainty", "low", "high")}
    outside: list[str | None] = list(problems)
    if len(places):
        found, reasons = _answers(model, rows.take(pa.array(places, pa.int64())))
        for name, some in found.items():
            values[name][places] = some
        for place, reason in zip(places.tolist(), reasons, strict=True):
            outside[place] = reason
    kept = {name: rows[name] for name in KEPT if name in rows.column_names}
    if "formula_reduced" not in kept:
        species = rows["species_at_sites"].to_pylist()
        kept["formula_reduced"] = pa.array([formula(reduced(count_species(s or ()))) for s in species], pa.string())
    return pa.table({
        **kept, **{name: pa.array(found, from_pandas=True) for name, found in values.items()},
        "outside": pa.array(outside, pa.string()),
    })


def calibration_of(model: Model) -> Calibration | None:
    """How the spread of the model's members becomes an uncertainty; None where there is none.

    Raises:
        InputError: it is not what it should be.
    """
    return Calibration.of(model.row.get("calibration_json"), f"calibration_json of {model.model_id or 'the model'}")


def domain_of(model: Model) -> Domain | None:
    """What the model has seen; None of a model that does not know.

    Raises:
        InputError: it is not described as it should be.
    """
    return Domain.of(model.document.settings, model.weights, model.model_id or "The model")


def _answers(model: Model, rows: pa.Table) -> tuple[dict[str, Floats], list[str | None]]:
    """Values, and why rows lie outside."""
    domain, calibration = domain_of(model), calibration_of(model)
    with warnings.catch_warnings():
        # What was not learned from stands in `outside`, row by row.
        warnings.filterwarnings("ignore", message=".*it is taken as unknown.*", category=UserWarning)
        found = model.predict(rows, latents=domain is not None and domain.space is not None)
    reasons: list[str | None] = [None] * rows.num_rows
    if domain is not None:
        reasons = domain.reasons(rows, position(model.predictor, rows, found.latents))
    spread = found.standard_deviation
    if calibration is None or spread is None:
        return {"predicted": found.mean}, reasons
    half = calibration.half_width(spread, LEVEL)
    return {"predicted": found.mean, "uncertainty": calibration(spread), "low": found.mean - half,
            "high": found.mean + half}, reasons


def _problems(model: Model, rows: pa.Table, strict: bool) -> list[str | None]:
    """Why nothing can be predicted of each row; None where something can."""
    problems: list[str | None] = [None] * rows.num_rows
    if strict:
        return problems
    for place, species in enumerate(rows["species_at_sites"].to_pylist()):
        numbers = atomic_numbers(pa.array(species or [], pa.string()))
        strange = sorted({symbol for symbol, z in zip(species or [], numbers.tolist(), strict=True)
                          if z not in model.elements})
        if strange:
            problems[place] = f"holds {', '.join(strange)}, which the model has never seen: nothing is predicted"
    able = getattr(model.predictor, "problems", None)
    if able is not None:
        whole = [place for place, problem in enumerate(problems) if problem is None]
        for place, problem in zip(whole, able(rows.take(pa.array(whole, pa.int64()))), strict=True):
            if problem is not None:
                problems[place] = f"{problem.rstrip('.')}: nothing is predicted"
    if model.spec.sees_crystals:
        from ml.graphs.build import problems_of
        from ml.graphs.settings import GraphSettings

        nearest = GraphSettings(kind="full", n_neighbours=1)
        for place, problem in enumerate(problems_of(rows, nearest)):
            if problem is not None:
                problems[place] = f"{problem}: nothing is predicted"
    return problems
