"""What a model must not be trusted with, as far as its rows tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from analytics.report.elements import PLACES
from analytics.report.formats import count, number, signed
from analytics.report.models.experiment import TOGETHER, Row
from analytics.report.models.kinds import of_the_kind, single
from analytics.report.section import Sources
from lake.crystal.formula import SYMBOLS

FEW_ROWS = 20
"""An element in fewer training rows is told apart."""
MOST_NAMED = 60


def limits(
    row: Row, elements: Sequence[Mapping[str, Any]], evaluated: Sequence[Row], sources: Sources
) -> list[str]:
    """Sentences on what the model has not seen, and what its values are not.

    Args:
        row: of `models`.
        elements: answer of the query `model_elements`.
        evaluated: its rows of `evaluations` over all rows of a database.
        sources: the names that figures use.
    """
    seen = _elements(elements) or _known(row["settings_json"])
    found = [*seen, *_reference(row), *_elsewhere(row, evaluated, sources)]
    if row["n_members"] == 1 and not row["calibration_json"]:
        found.append(f"It is {single(row['kind'])}: it states no uncertainty.")
    elif not row["calibration_json"]:
        found.append("Its uncertainties are not calibrated: they are the spread of its members.")
    found += of_the_kind(row["kind"])
    return found


def _elements(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    trained = {one["element"]: one["n_train"] for one in rows if one["n_train"]}
    if not trained:
        # Predictions of the training rows need not be kept; then nobody can tell from the tables.
        return []
    unseen = [symbol for symbol in PLACES if symbol not in trained]
    few = sorted((n, symbol) for symbol, n in trained.items() if n < FEW_ROWS)
    found = []
    if unseen:
        found.append(f"Not in its training rows, so it must not be asked about them: {_named(unseen)}.")
    if few:
        words = [f"{symbol} ({n})" for n, symbol in few]
        found.append(f"In fewer than {FEW_ROWS} training rows: {_named(words)}.")
    return found


def _known(settings: str | None) -> list[str]:
    """What the settings tell, where no predictions of training rows are kept (a model from elsewhere)."""
    try:
        numbers = _atomic_numbers(json.loads(settings or "{}"))
    except ValueError:
        numbers = None
    unseen = [symbol for z, symbol in enumerate(SYMBOLS, start=1) if z not in numbers] if numbers else []
    return [f"Not in its training rows, so it must not be asked about them: {_named(unseen)}."] if unseen else []


def _atomic_numbers(values: Any) -> set[int] | None:
    """The first list of atomic numbers called elements, however deep in the settings."""
    if not isinstance(values, Mapping):
        return None
    found = values.get("elements")
    if isinstance(found, list) and found and all(type(z) is int for z in found):
        return set(found)
    return next((inner for value in values.values() if (inner := _atomic_numbers(value)) is not None), None)


def _named(words: Sequence[str]) -> str:
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {count(more)} more" if more > 0 else "")


def _reference(row: Row) -> list[str]:
    if row["target"].startswith("formation_energy"):
        refers = row["target_reference"]
        if not refers:
            return ["Its formation energies refer to several or unknown elemental references: compare them with none."]
        return [f"Its formation energies refer to {refers}; those of another reference differ by an offset of every "
                "element."]
    if row["target"] == "band_gap_ev":
        return ["Its band gaps are those of the functionals that it was trained on, not of measurements."]
    return []


def _elsewhere(row: Row, evaluated: Sequence[Row], sources: Sources) -> list[str]:
    """Databases that it was tested on without having learned from them."""
    return [
        f"On {sources.short(one['evaluated_on'])}, which it has not learned from, it errs by {number(one['mae'], 3)} "
        f"{row['unit']} (bias {signed(one['bias'])})."
        for one in evaluated
        if one["split"] == "test" and one["evaluated_on"] not in (*row["sources"], TOGETHER) and one["mae"] is not None
    ]
