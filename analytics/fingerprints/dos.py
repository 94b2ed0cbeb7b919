"""Fingerprints of a batch of densities of states: the counts of those that can be compared, reasons for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.fingerprints.comparable import RULES, Comparable, Rules, check
from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.histogram import Counts, Ints, dos_counts
from analytics.fingerprints.profiles import Profiles


@dataclass(frozen=True)
class DosFingerprints:
    """Fingerprints of n densities of states.

    Attributes:
        counts: (n, n_counts), C-contiguous uint8 or uint16; zeros where there is a reason.
        starts: (n,) first interval that the data cover; 0 where there is a reason.
        stops: (n,) the one after the last; 0 where there is a reason.
        totals: (n,) sums of the counts.
        checks: reasons, messages and measured columns of every density.
    """

    counts: Counts
    starts: Ints
    stops: Ints
    totals: NDArray[np.int64]
    checks: Comparable


def dos_fingerprints(
    profiles: Profiles, grid: DosGrid, *, formulas: Sequence[str | None] | pa.Array | None = None,
    rules: Rules = RULES, threads: int = 1,
) -> DosFingerprints:
    """Check densities of states and make the fingerprints of those that can be compared.

    Args:
        profiles: n densities, of whatever quality: none of them raises.
        grid: the grid.
        formulas: n formulas, by which electrons are counted; see :func:`analytics.fingerprints.comparable.check`.
        rules: what a density must fulfil.
        threads: threads that share the work.
    """
    checks = check(profiles, grid, formulas=formulas, rules=rules)
    counts, starts, stops = dos_counts(checks.profiles, grid, threads=threads)
    totals = counts.sum(axis=1, dtype=np.int64)
    for row in np.flatnonzero(stops == 0).tolist():
        checks.set_aside(row, "window_not_covered", "the data cover no interval of the grid whole")
    for row in np.flatnonzero(totals == 0).tolist():
        checks.set_aside(row, "empty", "the states within the window fill no level of the grid")
    aside = ~checks.good
    counts[aside], starts[aside], stops[aside], totals[aside] = 0, 0, 0, 0
    return DosFingerprints(counts, starts, stops, totals, checks)
