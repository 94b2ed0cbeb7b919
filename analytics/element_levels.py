"""What brings the energies of databases to the level of one: a shift per element, fitted to materials in common.

Another choice of elemental references moves every formation energy by a sum over elements, so that the differences of
materials in common tell the shift of each element (:mod:`analytics.element_fit`). Elements in too few of them move by
the median difference. Where a fit to the elements does no better on materials that it has not seen than that median
alone, all elements move by the median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from analytics.element_fit import Compositions, Floats, compositions, cross_validated, fit, frequent
from analytics.query_files import texts

AT_LEAST = 1
"""One material tells the shift of an element as long as references are all that differs: the cross-validation says."""
FOLDS = 5
DECIMALS = 6
"""Shifts are rounded to µeV/atom, so that the last bits of a machine's algebra do not make other targets."""


@dataclass(frozen=True)
class Levels:
    """What is added to the energies of every other database, and what the fits are worth.

    Attributes:
        level: the database whose level it is.
        by_source: database → element → eV/atom; a database without materials in common is not in it.
        facts: database → how many materials, how far apart before and after, which elements were fitted.
    """

    level: str
    by_source: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, Mapping[str, Any]]


def levels(rows: pa.Table, level: str, elements: Sequence[str], at_least: int = AT_LEAST) -> Levels:
    """Fit every other database against one.

    Args:
        rows: source, material_key, formula_reduced, formation_energy_ev_per_atom; those to be fitted to alone.
        level: database whose level the others are brought to.
        elements: those that a shift is wanted for.
        at_least: an element in fewer common materials moves by the median.
    """
    by_source: dict[str, dict[str, float]] = {}
    facts: dict[str, dict[str, Any]] = {}
    with duckdb.connect() as connection:
        connection.register("level_rows", rows)
        connection.execute(texts("macros")["source_differences"])
        for source in sorted(set(rows["source"].to_pylist()) - {level}):
            common = connection.sql(
                "from source_differences('level_rows', $source, $level)", params={"source": source, "level": level}
            ).to_arrow_table()
            if common.num_rows:
                by_source[source], facts[source] = _shifts(common, elements, at_least)
    return Levels(level, by_source, facts)


def _shifts(common: pa.Table, elements: Sequence[str], at_least: int) -> tuple[dict[str, float], dict[str, Any]]:
    known = compositions(common["formula_reduced"].to_pylist())
    differences = common["difference_ev_per_atom"].to_numpy()
    median = float(np.median(differences))
    used = frequent(known, at_least)
    fitted, left_out = _fitted(known, used, differences - median)
    flat = float(np.abs(differences[used] - median).mean()) if used.any() else None
    by_elements = left_out is not None and flat is not None and left_out < flat
    moved = fitted if by_elements else {}
    shifts = {e: round(median + moved.get(e, 0.0), DECIMALS) + 0.0 for e in sorted({*elements, *moved})}
    return shifts, {
        "n_common": common.num_rows, "n_fitted": int(used.sum()), "method": "elements" if by_elements else "median",
        "median_ev_per_atom": median, "mae_before_ev_per_atom": float(np.abs(differences).mean()),
        "mae_by_median_ev_per_atom": float(np.abs(differences - median).mean()),
        "mae_by_elements_cross_validated_ev_per_atom": left_out, "mae_by_median_same_materials_ev_per_atom": flat,
        "n_elements_fitted": len(moved), "elements_by_median": sorted(set(elements) - set(moved)),
    }


def _fitted(known: Compositions, used: Any, values: Floats) -> tuple[dict[str, float], float | None]:
    """The shift of every element in enough materials, and the mean absolute error on materials held out."""
    if not used.any():
        return {}, None
    present = known.counts(used) > 0
    fractions = known.fractions[used][:, present]
    held_out = cross_validated(fractions, values[used], FOLDS)
    names = (element for element, there in zip(known.elements, present, strict=True) if there)
    deltas = fit(fractions, values[used]).deltas
    error = None if held_out is None else float(np.abs(held_out).mean())
    return {name: float(delta) for name, delta in zip(names, deltas, strict=True)}, error
