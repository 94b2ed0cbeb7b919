"""Uncertainties: from the spread of members to intervals that hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from lake.errors import InputError
from ml.predict.calibration import (
    LEVELS,
    NORMAL_WIDTHS,
    Calibration,
    as_json,
    calibrate,
    fit,
    rank_correlation,
    reliability,
)


def drawn(n: int, scale: float, floor: float, seed: int = 0, tails: float | None = None) -> tuple[np.ndarray, ...]:
    """Values, predictions and spreads of an ensemble that is too sure of itself by a known measure."""
    generator = np.random.default_rng(seed)
    spread = generator.gamma(2.0, 0.03, n)
    true = np.sqrt((scale * spread) ** 2 + floor**2)
    noise = generator.normal(size=n) if tails is None else generator.standard_t(tails, n) / np.sqrt(tails / (tails - 2))
    actual = generator.normal(size=n)
    return actual, actual + true * noise, spread


def splits(n: int) -> np.ndarray:
    return np.array(["train", "validation", "test", "validation", "test"])[np.arange(n) % 5]


@pytest.mark.parametrize(("scale", "floor"), [(2.0, 0.05), (1.0, 0.0), (0.0, 0.1), (4.0, 0.01)])
def test_scale_and_floor_of_the_errors_are_found_again(scale: float, floor: float) -> None:
    actual, predicted, spread = drawn(20_000, scale, floor)
    found = fit(predicted - actual, spread)
    assert found.scale == pytest.approx(scale, abs=0.12 + 0.02 * scale)
    assert found.floor == pytest.approx(floor, abs=0.003 + 0.03 * floor)


def test_the_fit_is_the_most_likely_of_all() -> None:
    actual, predicted, spread = drawn(400, 1.7, 0.04, seed=3)
    errors = predicted - actual
    found = fit(errors, spread)
    best = stats.norm.logpdf(errors, 0, found(spread)).sum()
    for scale in np.linspace(0, 4, 41):
        for floor in np.linspace(0.002, 0.2, 40):
            assert stats.norm.logpdf(errors, 0, np.sqrt((scale * spread) ** 2 + floor**2)).sum() <= best + 0.05


@pytest.mark.parametrize("tails", [None, 3.0])
def test_stated_intervals_hold_on_rows_that_were_not_fitted(tails: float | None) -> None:
    actual, predicted, spread = drawn(20_000, 3.0, 0.05, seed=1, tails=tails)
    found = calibrate(actual, predicted, spread, splits(20_000))
    assert found is not None
    assert found["split"] == "test"
    assert found["n"] == 8_000
    np.testing.assert_allclose(found["coverage"], LEVELS, atol=0.02)
    assert found["calibration_error"] < 0.01 < 0.2 < found["calibration_error_before"]
    assert found["validation"]["calibration_error"] < 0.01
    assert found["sharpness"] == pytest.approx(found["rmse"], rel=0.15)
    assert found["rank_correlation"] > 0.3
    # Errors with heavy tails lie closer to 0 for the most part.
    middle = found["widths"][LEVELS.index(0.5)] / NORMAL_WIDTHS[LEVELS.index(0.5)]
    assert middle == pytest.approx(1.0, abs=0.05) if tails is None else middle < 0.8


def test_training_rows_have_no_say() -> None:
    actual, predicted, spread = drawn(600, 2.0, 0.02)
    names = splits(600)
    other = np.where(names == "train", predicted + 100, predicted)
    assert calibrate(actual, predicted, spread, names) == calibrate(actual, other, spread, names)


@pytest.mark.parametrize("n", [5, 12, 40])
def test_few_rows_give_no_absurd_uncertainty(n: int) -> None:
    for seed in range(20):
        actual, predicted, spread = drawn(n, 2.0, 0.05, seed)
        found = calibrate(actual, predicted, spread, ["validation"] * n)
        assert found is not None
        assert found["split"] == "validation"
        assert 0.3 < found["sharpness"] / found["rmse"] < 3
        assert all(low <= high for low, high in zip(found["widths"], found["widths"][1:], strict=False))


def test_there_is_nothing_to_calibrate_without_members_rows_or_differences() -> None:
    actual, predicted, spread = drawn(50, 1.0, 0.1)
    names = splits(50)
    assert calibrate(actual, predicted, None, names) is None
    assert calibrate(actual[:9], predicted[:9], spread[:9], names[:9]) is None
    assert calibrate(actual, predicted, np.zeros(50), names) is None
    assert as_json(None) is None
    assert Calibration.of(None) is None


def test_perfect_predictions_and_equal_members_stay_finite() -> None:
    actual = np.linspace(0, 1, 40)
    found = calibrate(actual, actual, np.r_[0.0, np.full(39, 1e-3)], ["validation"] * 40)
    assert found is not None
    json.dumps(found, allow_nan=False)
    assert found["rank_correlation"] is None
    held = Calibration.of(as_json(found))
    assert held is not None
    assert np.isfinite(held(np.array([0.0, 1.0]))).all()
    assert (held(np.array([0.0, 1.0])) > 0).all()


def test_it_goes_through_json_and_widens_with_the_level() -> None:
    actual, predicted, spread = drawn(500, 2.0, 0.05)
    found = calibrate(actual, predicted, spread, splits(500))
    held = Calibration.of(as_json(found))
    assert found is not None
    assert held is not None
    np.testing.assert_allclose(held(spread), np.sqrt((found["scale"] * spread) ** 2 + found["floor"] ** 2))
    halves = [held.half_width(spread[:1], level)[0] for level in LEVELS]
    assert halves == sorted(halves)


@pytest.mark.parametrize("text", [
    "[]", '"x"', "{}", '{"scale": 1}', '{"scale": -1, "floor": 0, "widths": []}', '{"scale": true, "floor": 0}',
    '{"scale": 1, "floor": 0, "widths": [1, 2]}', '{"scale": "1", "floor": 0}', "{", '{"scale": NaN, "floor": 0}',
])
def test_a_calibration_from_elsewhere_is_checked(text: str) -> None:
    with pytest.raises(InputError, match="here"):
        Calibration.of(text, "here")


def test_rank_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 9, 200).astype(float), generator.normal(size=200)
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert rank_correlation(np.ones(5), np.arange(5.0)) is None


def test_reliability_counts_what_lies_within() -> None:
    found = reliability(np.array([0.0, 0.5, 3.0]), np.ones(3), Calibration(1.0, 0.0, NORMAL_WIDTHS))
    assert found["coverage"][LEVELS.index(0.5)] == pytest.approx(2 / 3)
    assert found["coverage"] == found["coverage_before"]
    assert found["coverage"][LEVELS.index(0.1)] == pytest.approx(1 / 3)
