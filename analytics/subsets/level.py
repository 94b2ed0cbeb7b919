"""The other road: formation energies brought to one database's level by fitted element offsets, not left out.

For every other database, the differences to the chosen one over their common materials are fitted as a sum of one
offset per element (:mod:`analytics.element_fit`); each of its rows is moved by what its composition then says. A row
whose composition the common materials do not determine cannot be moved, and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics.element_fit import Compositions, Floats, compositions, cross_validated, fit, frequent
from analytics.subsets.steps import Step, text_literal
from lake.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analytics.subsets.selection import Selection

FOLDS = 5
DECIMALS = 6
"""Corrections are rounded to µeV/atom, so that the last bits of a machine's algebra do not make other members."""
UNDETERMINED = 1e-6


@dataclass(frozen=True)
class Corrections:
    """What moves every row of the other databases: calculation_id → eV/atom, and what the fits are worth."""

    by_id: dict[str, float]
    impossible: list[str]
    facts: dict[str, Any]

    @property
    def step(self) -> Step:
        """The funnel's step."""
        to = self.facts["to"]
        return Step(
            "correctable", f"its formation energy can be brought to the level of {to} (or it has none)", None,
            f"of a composition that the materials in common with {to} do not determine",
            f"formation energies brought to the level of {to}",
        )


def corrections_to(selection: Selection, source: str, at_least: int) -> Corrections:
    """Fit every other database that is still in against one.

    Raises:
        InputError: no row of that one with a formation energy is in, or no other database has common materials.
    """
    energies = selection.rows(
        "select calculation_id, source, material_key, formula_reduced, formation_energy_ev_per_atom from kept "
        "where formation_energy_ev_per_atom is not null order by calculation_id"
    )
    present = sorted(set(energies["source"].to_pylist()))
    if source not in present:
        raise InputError(
            f"correct: the rules leave no row of {source!r:.80} with a formation energy. "
            f"Databases that have some: {', '.join(present) or 'none'}."
        )
    by_id: dict[str, float] = {}
    impossible: list[str] = []
    facts: list[dict[str, Any]] = []
    for other in (name for name in present if name != source):
        rows = energies.filter(pa.compute.field("source") == other)
        common = selection.rows(
            f"from source_differences('kept', {text_literal(other)}, {text_literal(source)})"
        )
        moved, fact = _one(rows, common, at_least)
        ids = rows["calculation_id"].to_pylist()
        by_id |= {one: value for one, value in zip(ids, moved, strict=True) if value is not None}
        impossible += [one for one, value in zip(ids, moved, strict=True) if value is None]
        facts.append({"source": other, **fact})
    if facts and not by_id:
        shared = ", ".join(f"{f['n_common']} with {f['source']}" for f in facts)
        raise InputError(
            f"correct: nothing can be brought to the level of {source}. Materials in common: {shared}; and no "
            f"composition has all its elements in {at_least} of them. Lower correct_at_least, or loosen the rules."
        )
    return Corrections(by_id, impossible, {"to": source, "at_least": at_least, "fits": facts})


def _one(rows: pa.Table, common: pa.Table, at_least: int) -> tuple[list[float | None], dict[str, Any]]:
    import numpy as np

    known = compositions(common["formula_reduced"].to_pylist())
    used = frequent(known, at_least)
    differences = common["difference_ev_per_atom"].to_numpy()[used]
    fact: dict[str, Any] = {"n_common": common.num_rows, "n_fitted": int(used.sum()), "elements": []}
    if not used.any():
        return [None] * rows.num_rows, fact | {"n_moved": 0, "n_not_moved": rows.num_rows}
    present = known.counts(used) > 0
    fractions = known.fractions[used][:, present]
    fitted = fit(fractions, differences)
    elements = tuple(e for e, there in zip(known.elements, present, strict=True) if there)
    moved = _moved(rows["formula_reduced"].to_pylist(), elements, fitted.deltas, fractions)
    held_out = cross_validated(fractions, differences, FOLDS)
    possible = [value for value in moved if value is not None]
    fact |= {
        "n_moved": len(possible), "n_not_moved": len(moved) - len(possible),
        "median_before_ev_per_atom": float(np.median(differences)),
        "mae_before_ev_per_atom": float(np.abs(differences).mean()),
        "mae_after_ev_per_atom": float(np.abs(differences - fractions @ fitted.deltas).mean()),
        "mae_after_cross_validated_ev_per_atom": None if held_out is None else float(np.abs(held_out).mean()),
        "elements": [
            {"element": e, "delta_ev_per_atom": round(float(d), DECIMALS) if s else None}
            for e, d, s in zip(elements, fitted.deltas, fitted.separable, strict=True)
        ],
    }
    return moved, fact


def _moved(
    formulas: list[str | None], elements: tuple[str, ...], deltas: Floats, fractions: Any
) -> list[float | None]:
    """What to add to each row; None where an element is missing or the fit does not determine the composition."""
    import numpy as np

    places = [place for place, formula in enumerate(formulas) if formula is not None]
    wanted = compositions([str(formulas[place]) for place in places])
    inside, unknown = _aligned(wanted, elements)
    gram = np.asarray((fractions.T @ fractions).toarray())
    null_space = np.eye(len(gram)) - np.linalg.pinv(gram, rcond=1e-9, hermitian=True) @ gram
    undetermined = np.abs(inside @ null_space).max(axis=1, initial=0.0) > UNDETERMINED
    found: list[float | None] = [None] * len(formulas)
    for place, value, bad in zip(places, inside @ deltas, unknown | undetermined, strict=True):
        # Adding 0.0 turns a negative zero into a plain one.
        found[place] = None if bad else round(float(value), DECIMALS) + 0.0
    return found


def _aligned(wanted: Compositions, elements: tuple[str, ...]) -> tuple[Floats, NDArray[np.bool_]]:
    """Fractions in the order of the fitted elements, and which rows have an element that was not fitted."""
    import numpy as np

    place = {element: column for column, element in enumerate(elements)}
    dense = np.zeros((wanted.fractions.shape[0], len(elements)))
    matrix = wanted.fractions.tocoo()
    columns = np.array([place.get(element, -1) for element in wanted.elements], dtype=np.int64)
    there = columns[matrix.col] >= 0
    dense[matrix.row[there], columns[matrix.col[there]]] = matrix.data[there]
    return dense, np.isin(np.arange(len(dense)), matrix.row[~there])
