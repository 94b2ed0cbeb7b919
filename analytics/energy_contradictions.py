"""The step of `energy_contradictions`: rows whose formation energy is not their total energy less references."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.element_fit import compositions, fit, frequent
from analytics.query_files import Value

GROUP = ["source", "reference_group", "functional_group", "plus_u_group"]
SCHEMA = pa.schema([
    ("source", pa.string()),
    ("calculation_id", pa.string()),
    ("formula_reduced", pa.string()),
    ("formation_energy_reference", pa.string()),
    ("energy_functional", pa.string()),
    ("total_energy_ev_per_atom", pa.float64()),
    ("formation_energy_ev_per_atom", pa.float64()),
    ("expected_formation_energy_ev_per_atom", pa.float64()),
    ("residual_ev_per_atom", pa.float64()),
    ("threshold_ev_per_atom", pa.float64()),
    ("n_rows_fitted", pa.int64()),
])


def complete(rows: pa.Table, parameters: Mapping[str, Value]) -> pa.Table:
    """Fit the references of every group of rows, and keep the rows that lie far off.

    Args:
        rows: as the SQL of the query lists them, both energies in eV/atom.
        parameters: ``tolerance_ev_per_atom``, ``sigmas`` and ``at_least``.

    Returns:
        The contradicting rows, the worst first within each source.
    """
    parts = [SCHEMA.empty_table()]
    for group in rows.group_by(GROUP, use_threads=False).aggregate([]).to_pylist():
        chosen = rows
        for name, value in group.items():
            chosen = chosen.filter(pc.field(name) == value)
        parts.append(_contradicting(chosen, parameters))
    found = pa.concat_tables(parts)
    size = pc.abs(found["residual_ev_per_atom"])
    order = found.append_column("size", size).sort_by(
        [("source", "ascending"), ("size", "descending"), ("calculation_id", "ascending")]
    )
    return order.select(SCHEMA.names)


def _contradicting(rows: pa.Table, parameters: Mapping[str, Value]) -> pa.Table:
    known = compositions(rows["formula_reduced"].to_pylist())
    used = frequent(known, int(parameters["at_least"]))
    fractions, rows = known.fractions[used], rows.filter(pa.array(used))
    total = rows["total_energy_ev_per_atom"].to_numpy()
    stated = rows["formation_energy_ev_per_atom"].to_numpy()
    fitted = fit(fractions, total - stated)
    expected = total - fractions @ fitted.deltas
    residuals = stated - expected
    threshold = max(float(parameters["tolerance_ev_per_atom"]), float(parameters["sigmas"]) * fitted.scale)
    far = np.abs(residuals) > threshold
    columns = {
        "expected_formation_energy_ev_per_atom": expected,
        "residual_ev_per_atom": residuals,
        "threshold_ev_per_atom": np.full(len(rows), threshold),
        "n_rows_fitted": np.full(len(rows), len(rows), dtype=np.int64),
    }
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values))
    return rows.select(SCHEMA.names).filter(pa.array(far)).cast(SCHEMA)
