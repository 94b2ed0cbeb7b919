"""Which setting matters most: how far two calculations are apart that differ in it and in nothing else.

Where no two calculations differ in one setting alone, its effect is estimated: the distance 1 − Tc of every pair as
a sum of non-negative contributions of the settings in which the two differ (least squares). Where two settings
always change together, no estimate can tell them apart, and there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.convergence.resampling import FEWEST_CALCULATIONS, PERCENTILES, Resampled, resample
from analytics.convergence.settings import Setting

ONE_AT_A_TIME, REGRESSION = "one at a time", "regression"
Matrix = NDArray[np.float64]
Patterns = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Effect:
    """What one setting does to the similarity.

    Attributes:
        setting: its name.
        n_levels: different values among the calculations.
        method: one at a time, regression, or None where nothing can be said.
        distance: mean 1 − Tc of pairs that differ in it alone, or the estimated contribution; None as above.
        low: lower end of the 95 % interval; None where there are too few calculations.
        high: upper end.
        aligned_distance: mean 1 − aligned Tc of the same pairs; None where not computed, or a regression.
        n_pairs: pairs that the number is from.
        reason: why nothing can be said.
    """

    setting: str
    n_levels: int
    method: str | None
    distance: float | None
    low: float | None
    high: float | None
    aligned_distance: float | None
    n_pairs: int
    reason: str | None


def importance_of(
    settings: Mapping[str, Setting], similarity: Matrix, aligned: Matrix | None
) -> tuple[Effect, ...]:
    """The settings that vary, those that matter most first; those of which nothing can be said last.

    Args:
        settings: by name, over n calculations.
        similarity: coefficients (n, n) in the same order.
        aligned: the same of the aligned ones, or None.
    """
    varying = [s for s in settings.values() if len(set(s.levels.tolist())) > 1]
    if not varying:
        return ()
    classes, differs, clean = _patterns(varying, settings["basis_kind"])
    sums = resample(classes, 1 - similarity, len(differs))
    shifted = None if aligned is None else resample(classes, 1 - aligned, len(differs))
    alone = np.flatnonzero(clean & (differs.sum(axis=1) == 1) & (sums.counts > 0)).tolist()
    single = {int(np.flatnonzero(differs[place])[0]): place for place in alone}
    estimates = _Regression.of(differs, sums) if len(single) < len(varying) else None
    effects = []
    for number, setting in enumerate(varying):
        levels = len(set(setting.levels[setting.known].tolist()))
        if number in single:
            place = single[number]
            low, high = sums.interval(place) or (None, None)
            effects.append(Effect(
                setting.name, levels, ONE_AT_A_TIME, sums.mean(place), low, high,
                None if shifted is None else shifted.mean(place), int(sums.counts[place]), None,
            ))
        elif estimates is not None:
            effects.append(estimates.effect(number, setting.name, levels, [s.name for s in varying]))
    return tuple(sorted(effects, key=lambda e: (e.distance is None, -(e.distance or 0), e.setting)))


def _patterns(varying: list[Setting], kind: Setting) -> tuple[NDArray[np.int32], Flags, Flags]:
    """The class of every pair (n, n) by the settings in which the two differ.

    Beside it, for every class: which settings differ (c, s), and whether each of them is known on both sides
    (c,). A size of the basis is not compared across kinds of basis. What is unknown on both sides is taken for
    the same, what is known on one side only for different.
    """
    n = len(kind.levels)
    same_kind = kind.levels[:, None] == kind.levels[None, :]
    code: Patterns = np.zeros((n, n), np.int64)
    for number, setting in enumerate(varying):
        differs = setting.levels[:, None] != setting.levels[None, :]
        if setting.name == "basis_size":
            differs &= same_kind
        half = differs & (setting.known[:, None] != setting.known[None, :])
        code |= differs.astype(np.int64) << number
        code |= half.astype(np.int64) << (number + len(varying))
    found, classes = np.unique(code, return_inverse=True)
    bits = (found[:, None] >> np.arange(2 * len(varying))[None, :]) & 1 == 1
    return classes.reshape(n, n).astype(np.int32), bits[:, :len(varying)], ~bits[:, len(varying):].any(axis=1)


@dataclass(frozen=True)
class _Regression:
    """Contributions of the settings (s,), their replicates (r, s), and which of them can be told from the others."""

    contributions: Matrix
    replicates: Matrix
    determined: Flags
    columns: Flags
    sums: Resampled

    @classmethod
    def of(cls, differs: Flags, sums: Resampled) -> _Regression:
        columns = differs.astype(np.float64)
        present = sums.counts > 0
        design = np.hstack([np.ones((present.sum(), 1)), columns[present]])
        rank = np.linalg.matrix_rank(design)
        determined = np.array([
            np.linalg.matrix_rank(np.delete(design, 1 + s, axis=1)) < rank for s in range(columns.shape[1])
        ])
        weights, totals = sums.counts[present].astype(np.float64), sums.sums[present]
        every = max(1, sums.weights.shape[1] // 200)
        drawn = [
            _contributions(design, sums.weights[present, r], sums.totals[present, r])
            for r in range(0, sums.weights.shape[1], every)
        ]
        return cls(_contributions(design, weights, totals), np.array(drawn), determined, differs, sums)

    def effect(self, number: int, name: str, levels: int, names: list[str]) -> Effect:
        """What it says of one setting."""
        with_it = self.columns[:, number]
        pairs = int(self.sums.counts[with_it].sum())
        calculations = int(self.sums.calculations[with_it].max(initial=0))
        if not self.determined[number] or pairs == 0:
            together = [
                names[s] for s in range(len(names))
                if s != number and not self.determined[s] and (self.columns[with_it, s].mean() > 0.5 or pairs == 0)
            ]
            what = f"; it changes together with {', '.join(together)}" if together else ""
            return Effect(name, levels, None, None, None, None, None, pairs,
                          f"no two calculations differ in it alone{what}")
        low, high = np.percentile(self.replicates[:, number], PERCENTILES)
        few = calculations < FEWEST_CALCULATIONS
        return Effect(name, levels, REGRESSION, float(self.contributions[number]), None if few else float(low),
                      None if few else float(high), None, pairs, None)


def _contributions(design: Matrix, weights: Matrix, totals: Matrix) -> Matrix:
    """Least squares over all pairs from the sums of their classes, without the constant (s,)."""
    from scipy.optimize import nnls

    seen = weights > 0
    root = np.sqrt(weights[seen])
    found, _ = nnls(design[seen] * root[:, None], totals[seen] / root)
    contributions: Matrix = found[1:]
    return contributions
