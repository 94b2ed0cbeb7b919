"""From rows of the table `dos` to fingerprints, or to the reasons why there are none."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.fingerprints.comparable import METHOD, Rules, check
from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.histogram import dos_counts
from analytics.fingerprints.made import Made
from analytics.fingerprints.profiles import DOS_COLUMNS, Floats, Profiles

COLUMNS = tuple(name for name in DOS_COLUMNS if name != "calculation_id")


def method(rules: Rules) -> dict[str, Any]:
    """What beside the grid decides on the counts and on what is set aside."""
    return {"method": METHOD, **asdict(rules)}


def make(rows: pa.Table, grid: DosGrid, rules: Rules) -> Made:
    """The fingerprints of densities of states.

    The reasons are those of :func:`analytics.fingerprints.comparable.check`.

    Args:
        rows: n rows with the columns of :data:`~analytics.fingerprints.profiles.DOS_COLUMNS` and
            ``formula_reduced`` (null = the number of electrons is not checked).
        grid: the grid.
        rules: what a density must fulfil.
    """
    formulas = pa.concat_arrays(rows.column("formula_reduced").chunks or [pa.array([], pa.string())])
    found = check(Profiles.of_table(rows), grid, formulas=formulas, rules=rules)
    counts, starts, stops = dos_counts(found.profiles, grid)
    window = f"{grid.edges_ev[0]:g} to {grid.edges_ev[-1]:g} eV"
    for row in np.flatnonzero(starts >= stops).tolist():
        found.set_aside(row, "window_not_covered", f"the data cover no whole interval of the window {window}")
    for row in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        found.set_aside(row, "empty", f"the states between {window} are too few to fill one level")
    return Made(counts, starts, stops, found.reasons.tolist(), found.messages.tolist(), {
        "reference_level": found.profiles.reference_level,
        "spin_polarized": found.profiles.spin_polarized,
        "broadening_ev": found.profiles.broadening_ev,
        "covered_min_ev": _known(found.covered_min_ev),
        "covered_max_ev": _known(found.covered_max_ev),
        "energy_step_ev": _known(found.energy_step_ev),
        "electrons_per_atom": _known(found.electrons_per_atom),
    })


def _known(values: Floats) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))
