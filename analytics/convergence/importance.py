"""Which setting matters most: how far two calculations are apart that differ in it and in nothing else.

Where no two calculations differ in one setting alone, its effect is estimated: the distance 1 − Tc of every pair as
a sum of non-negative contributions of the settings in which the two differ (least squares; 0 where they differ in
none). Where settings always change together, no estimate can tell them apart, and there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.convergence.resampling import FEWEST_CALCULATIONS, PERCENTILES, Resampled, resample
from analytics.convergence.settings import Setting

ONE_AT_A_TIME, REGRESSION = "one at a time", "regression"
REFITS = 200
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
    """Contributions of the settings (s,), their replicates (r, s), and which cannot be told from each other (s, s)."""

    contributions: Matrix
    replicates: Matrix
    confounded: Flags
    columns: Flags
    sums: Resampled

    @classmethod
    def of(cls, differs: Flags, sums: Resampled) -> _Regression:
        present = sums.counts > 0
        design = differs[present].astype(np.float64)
        every = max(1, sums.weights.shape[1] // REFITS)
        drawn = [
            _contributions(design, sums.weights[present, r], sums.totals[present, r])
            for r in range(0, sums.weights.shape[1], every)
        ]
        fitted = _contributions(design, sums.counts[present].astype(np.float64), sums.sums[present])
        return cls(fitted, np.array(drawn), _confounded(design), differs, sums)

    def effect(self, number: int, name: str, levels: int, names: list[str]) -> Effect:
        """What it says of one setting."""
        with_it = self.columns[:, number]
        pairs = int(self.sums.counts[with_it].sum())
        if self.confounded[number].any() or pairs == 0:
            others = [names[s] for s in np.flatnonzero(self.confounded[number]).tolist() if s != number]
            what = f"; it changes together with {', '.join(others)}" if others else ""
            return Effect(name, levels, None, None, None, None, None, pairs,
                          f"no two calculations differ in it alone{what}")
        low, high = np.percentile(self.replicates[:, number], PERCENTILES).tolist()
        few = int(self.sums.calculations[with_it].max(initial=0)) < FEWEST_CALCULATIONS
        return Effect(name, levels, REGRESSION, float(self.contributions[number]), None if few else low,
                      None if few else high, None, pairs, None)


def _confounded(design: Matrix) -> Flags:
    """Which contributions can be traded for each other without changing any sum (s, s).

    These are the settings between which the projector on the null space of the design does not vanish.
    """
    _, values, directions = np.linalg.svd(design, full_matrices=True)
    rank = int((values > 1e-9 * max(1.0, values.max(initial=0.0))).sum())
    null = directions[rank:]
    found: Flags = np.abs(null.T @ null) > 1e-9
    return found


def _contributions(design: Matrix, weights: Matrix, totals: Matrix) -> Matrix:
    """Least squares over all pairs from the sums of their classes (s,)."""
    from scipy.optimize import nnls

    seen = weights > 0
    root = np.sqrt(weights[seen])
    found, _ = nnls(design[seen] * root[:, None], totals[seen] / root)
    contributions: Matrix = found
    return contributions
