"""From the spread of an ensemble to a standard deviation that holds: fitted on validation rows, shown on test rows.

Members of a deep ensemble (B. Lakshminarayanan, A. Pritzel & C. Blundell, NeurIPS 30, 2017) agree too much: they share
data and form, so that their spread says which predictions are less sure, and not by how much. The variance
s² = (scale · spread)² + floor² that is most likely for the errors seen on the validation rows says that as well: the
spread is multiplied, and what all members get wrong together is added.

Errors of such models have heavier tails than a normal distribution of that width, so that an interval of a stated level
has the width, in units of s, within which that share of the validation errors lies (V. Kuleshov, N. Fenner & S. Ermon,
ICML 35, 2018). How often values of the test rows lie within it, against how often they should, tells whether it holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import InputError
from ml.registry.document import read_json

Floats = NDArray[np.float64]
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
FEWEST = 5
"""Below so many validation rows nothing is fitted: the spread alone would be trusted more than such a scale."""
FEWEST_FOR_SHARE = 30
"""Below so many one number is fitted instead of two, and spread and floor have equal shares in the mean variance."""
SHARES = np.concatenate([np.linspace(0.0, 0.99, 199), 1 - np.geomspace(0.01, 1e-5, 61), [1.0]])
LEAST = 1e-6
NORMAL_WIDTHS = tuple(NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS)
WHERE_SHOWN = ("test", "validation")


@dataclass(frozen=True)
class Calibration:
    """How a spread becomes a standard deviation.

    Attributes:
        scale: what the members' spread is multiplied by.
        floor: what is added in quadrature, in the unit of the target.
        widths: half the width of the central interval of each of :data:`LEVELS`, in standard deviations.
    """

    scale: float
    floor: float
    widths: tuple[float, ...]

    def __call__(self, spread: Floats) -> Floats:
        """Standard deviations (n,) of predictions whose members spread so much (n,), both in the unit of the target."""
        return np.sqrt((self.scale * np.asarray(spread, np.float64)) ** 2 + self.floor**2)

    @classmethod
    def of(cls, text: str | None, where: str = "calibration_json") -> Calibration | None:
        """The calibration that ``calibration_json`` of a model holds; None where it has none.

        Raises:
            InputError: it is none of ours.
        """
        values = read_json(text.encode(), where) if text else None
        if values is None:
            return None
        found = values if isinstance(values, dict) else {}
        widths = found.get("widths")
        numbers = [found.get("scale"), found.get("floor"), *(widths if isinstance(widths, list) else [])]
        good = [float(v) for v in numbers if isinstance(v, int | float) and type(v) is not bool and 0 <= v < math.inf]
        if len(good) != len(numbers) or len(good) != 2 + len(LEVELS):
            raise InputError(f"{where} holds no calibration of uncertainties: scale, floor and {len(LEVELS)} widths, "
                             "all of them numbers from 0.")
        return cls(good[0], good[1], tuple(good[2:]))

    def half_width(self, spread: Floats, level: float) -> Floats:
        """Half the width of the central interval of a level (n,), in the unit of the target.

        Args:
            spread: of the members (n,).
            level: one of :data:`LEVELS`.
        """
        return self.widths[LEVELS.index(level)] * self(spread)


def calibrate(
    actual: Floats, predicted: Floats, spread: Floats | None, split: Sequence[str] | NDArray[Any]
) -> dict[str, Any] | None:
    """Fit the calibration on the validation rows, and say how far it holds on the others.

    Args:
        actual: n values, in the unit of the target.
        predicted: n predictions.
        spread: standard deviation of the members' predictions (n,), at least two of them; None = there is one member.
        split: train, validation or test of every row.

    Returns:
        What ``models.calibration_json`` holds: ``scale``, ``floor`` (in the unit of the target), ``widths``,
        ``n_fitted``; then what :func:`reliability` says of the test rows, and under ``validation`` of those that it
        was fitted to.
        None where nothing can be fitted: a single member, fewer than :data:`FEWEST` validation rows, or members that
        never differ.
    """
    if spread is None:
        return None
    actual, predicted, spread = (np.asarray(values, np.float64) for values in (actual, predicted, spread))
    names = np.asarray(split)
    fitted = names == "validation"
    if fitted.sum() < FEWEST or not (spread[fitted] > 0).any():
        return None
    found = fit(predicted[fitted] - actual[fitted], spread[fitted])
    shown: dict[str, Any] = {}
    for name in WHERE_SHOWN:
        rows = names == name
        if rows.any():
            shown[name] = reliability(predicted[rows] - actual[rows], spread[rows], found)
    first = "test" if "test" in shown else "validation"
    return {"scale": found.scale, "floor": found.floor, "widths": list(found.widths), "n_fitted": int(fitted.sum()),
            "split": first, **shown[first], **{name: values for name, values in shown.items() if name != first}}


def as_json(calibration: dict[str, Any] | None) -> str | None:
    """As `calibration_json` holds it."""
    return None if calibration is None else json.dumps(calibration, sort_keys=True, allow_nan=False)


def fit(errors: Floats, spread: Floats) -> Calibration:
    """The scale and floor under which errors of a normal distribution are most likely, and widths that hold for them.

    For each share of the scaled spread in the variance the best size of the variance is a mean; the best share is
    searched for in steps of half a per cent, and smaller ones where hardly anything is left for the floor.

    Args:
        errors: predicted minus actual (n,), in the unit of the target.
        spread: of the members (n,), not 0 everywhere.
    """
    squares, variances = errors**2, spread**2
    typical = variances.mean()
    shares = SHARES if len(errors) >= FEWEST_FOR_SHARE else np.array([0.5])
    best, scale, floor = math.inf, 1.0, 0.0
    for share in shares.tolist():
        # No variance may be 0: members that agree to the last bit are not sure to the last bit.
        form = np.maximum(share * variances / typical + (1 - share), LEAST)
        size = max(float((squares / form).mean()), LEAST * typical)
        surprise = math.log(size) + float(np.log(form).mean())
        if surprise < best:
            best = surprise
            scale, floor = math.sqrt(size * share / typical), math.sqrt(size * max(1 - share, LEAST))
    stated = Calibration(scale, floor, NORMAL_WIDTHS)(spread)
    return Calibration(scale, floor, _widths(np.abs(errors) / stated))


def _widths(sizes: Floats) -> tuple[float, ...]:
    """Within which width the share of each level lies of errors in standard deviations (n,).

    The rank counts the next error as well (that of conformal prediction); where there are too few errors for a level,
    or for any, the normal distribution speaks.
    """
    if len(sizes) < FEWEST_FOR_SHARE:
        return NORMAL_WIDTHS
    ordered = np.sort(sizes)
    ranks = [math.ceil((len(sizes) + 1) * level) for level in LEVELS]
    return tuple(float(ordered[rank - 1]) if rank <= len(sizes) else max(float(ordered[-1]), normal)
                 for rank, normal in zip(ranks, NORMAL_WIDTHS, strict=True))


def reliability(errors: Floats, spread: Floats, calibration: Calibration) -> dict[str, Any]:
    """How far stated uncertainties hold.

    Args:
        errors: predicted minus actual (n,), in the unit of the target.
        spread: of the members (n,).
        calibration: what makes it a standard deviation.

    Returns:
        ``n``; ``levels``: shares that should lie within the central interval; ``coverage_before`` and ``coverage``:
        those that do, by the members' spread as it comes (and a normal distribution), and calibrated;
        ``calibration_error_before`` and ``calibration_error``: mean distance of the two over the levels (expected
        calibration error); ``sharpness``: root mean square of the stated standard deviations, ``rmse``: of the errors,
        both in the unit of the target; ``rank_correlation``: Spearman's, of the size of errors with the stated
        uncertainty (None where all are equal).
    """
    stated = calibration(spread)
    before, after = coverage(errors, spread, NORMAL_WIDTHS), coverage(errors, stated, calibration.widths)
    return {
        "n": len(errors), "levels": list(LEVELS), "coverage_before": before, "coverage": after,
        "calibration_error_before": _distance(before), "calibration_error": _distance(after),
        "sharpness": float(np.sqrt((stated**2).mean())), "rmse": float(np.sqrt((errors**2).mean())),
        "rank_correlation": rank_correlation(np.abs(errors), stated),
    }


def coverage(errors: Floats, deviations: Floats, widths: Sequence[float]) -> list[float]:
    """Share of errors (n,) within so many of the standard deviations (n,), for each of the widths."""
    return [float((np.abs(errors) <= width * deviations).mean()) for width in widths]


def rank_correlation(first: Floats, second: Floats) -> float | None:
    """Spearman's rank correlation, equal values sharing a rank; None where all values of one are equal."""
    ranks = [_ranks(values) for values in (first, second)]
    spreads = [values.std() for values in ranks]
    if min(spreads) == 0:
        return None
    centred = [values - values.mean() for values in ranks]
    return float((centred[0] * centred[1]).mean() / (spreads[0] * spreads[1]))


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[places]
    return ranks


def _distance(seen: Sequence[float]) -> float:
    return float(np.abs(np.asarray(seen) - np.asarray(LEVELS)).mean())
