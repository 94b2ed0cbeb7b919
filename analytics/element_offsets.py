"""The step of `element_offsets`: how much of the offset between two databases elemental references explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.element_fit import Compositions, ElementFit, Floats, compositions, cross_validated, fit, frequent
from analytics.query_files import Value

_SUMMARY = (
    "median_before_ev_per_atom", "mad_before_ev_per_atom", "mad_after_ev_per_atom",
    "standard_deviation_before_ev_per_atom", "standard_deviation_after_ev_per_atom",
    "mae_before_ev_per_atom", "mae_after_ev_per_atom", "mae_after_cross_validated_ev_per_atom",
    "explained_fraction", "explained_fraction_cross_validated",
)
SCHEMA = pa.schema([
    ("left_source", pa.string()),
    ("right_source", pa.string()),
    ("element", pa.string()),
    ("status", pa.string()),
    ("n_materials", pa.int64()),
    ("n_materials_fitted", pa.int64()),
    ("delta_ev_per_atom", pa.float64()),
    ("standard_error_ev_per_atom", pa.float64()),
    ("n_materials_set_aside", pa.int64()),
    *((name, pa.float64()) for name in _SUMMARY),
    ("left_unknown_functional_rows", pa.int64()),
    ("right_unknown_functional_rows", pa.int64()),
])


def complete(materials: pa.Table, parameters: Mapping[str, Value]) -> pa.Table:
    """Fit every pair of sources.

    Args:
        materials: left_source, right_source, formula_reduced, difference_ev_per_atom, …, a row per material.
        parameters: ``at_least`` materials per element, ``folds`` of the cross-validation.

    Returns:
        Per pair a summary row (element ``*``) and a row per element, as `sql/queries/element_offsets.sql` says.
    """
    lines: list[dict[str, Any]] = []
    pairs = materials.group_by(["left_source", "right_source"], use_threads=False).aggregate([]).to_pylist()
    for pair in sorted(pairs, key=lambda p: (p["left_source"], p["right_source"])):
        chosen = materials.filter(
            (pa.compute.field("left_source") == pair["left_source"])
            & (pa.compute.field("right_source") == pair["right_source"])
        )
        lines += [pair | line for line in _fit_pair(chosen, int(parameters["at_least"]), int(parameters["folds"]))]
    return pa.Table.from_pylist(lines, SCHEMA)


def _fit_pair(materials: pa.Table, at_least: int, folds: int) -> list[dict[str, Any]]:
    known = compositions(materials["formula_reduced"].to_pylist())
    differences = materials["difference_ev_per_atom"].to_numpy()
    used = frequent(known, at_least)
    present = known.counts(used) > 0
    fractions = known.fractions[used][:, present]
    fitted = fit(fractions, differences[used])
    summary: dict[str, Any] = {
        "element": "*",
        "status": "summary",
        "n_materials": len(differences),
        "n_materials_fitted": int(used.sum()),
        "n_materials_set_aside": int((~used).sum()),
    }
    for side in ("left", "right"):
        name = f"{side}_unknown_functional_rows"
        summary[name] = int(materials[name].to_numpy()[used].sum())
    if used.any():
        left_out = cross_validated(fractions, differences[used], folds)
        summary |= _summary(differences[used], differences[used] - fractions @ fitted.deltas, left_out)
    return [summary, *_elements(known, used, present, fitted)]


def _elements(known: Compositions, used: Any, present: Any, fitted: ElementFit) -> list[dict[str, Any]]:
    n_all, n_used = known.counts(), known.counts(used)
    place = iter(range(len(fitted.deltas)))
    lines: list[dict[str, Any]] = []
    for column, element in enumerate(known.elements):
        line: dict[str, Any] = {
            "element": element,
            "status": "too_few",
            "n_materials": int(n_all[column]),
            "n_materials_fitted": int(n_used[column]),
            "n_materials_set_aside": int(n_all[column] - n_used[column]),
        }
        if present[column]:
            index = next(place)
            line["status"] = "fitted" if fitted.separable[index] else "not_separable"
            if fitted.separable[index]:
                error = float(fitted.standard_errors[index])
                line["delta_ev_per_atom"] = float(fitted.deltas[index])
                line["standard_error_ev_per_atom"] = error if np.isfinite(error) else None
        lines.append(line)
    return lines


def _summary(before: Floats, after: Floats, left_out: Floats | None) -> dict[str, float | None]:
    def deviation(values: Floats) -> float:
        return float(np.median(np.abs(values - np.median(values))))

    mae = float(np.abs(before).mean())
    held_out = None if left_out is None else float(np.abs(left_out).mean())
    values = (
        float(np.median(before)), deviation(before), deviation(after), float(before.std()), float(after.std()),
        mae, float(np.abs(after).mean()), held_out,
        1 - float(np.abs(after).mean()) / mae if mae else None,
        1 - held_out / mae if mae and held_out is not None else None,
    )
    return dict(zip(_SUMMARY, values, strict=True))
