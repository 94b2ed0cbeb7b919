"""Errors against the plain formulas, intervals against a plain bootstrap and against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import InputError
from lake.tables import TABLES
from ml import bootstrap
from ml.bootstrap import Draws
from ml.evaluate import evaluate, metrics, paired_difference
from tests.conftest import examples

REAL = st.floats(-50, 50, allow_nan=False)


def predictions(n: int = 60, **columns: Any) -> pa.Table:
    """Rows of two databases, three for each material."""
    generator = np.random.default_rng(1)
    actual = generator.normal(size=n)
    made = {
        "source": ["aflow" if place % 2 else "mp" for place in range(n)],
        "material_key": [f"key{place // 3}" for place in range(n)],
        "split": ["test"] * n,
        "actual": actual,
        "predicted": actual + generator.normal(0.1, 0.2, size=n),
    }
    return pa.table(made | columns)


def line(table: pa.Table, **values: str) -> dict[str, Any]:
    found = [r for r in table.to_pylist() if all(r[name] == value for name, value in values.items())]
    assert len(found) == 1, (values, len(found))
    return dict(found[0])


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(st.tuples(REAL, REAL), min_size=2, max_size=30))
def test_metrics_are_the_plain_formulas(pairs: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    found = metrics(actual, predicted)
    error = predicted - actual
    assert found["n"] == len(pairs)
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["bias"] == pytest.approx(error.mean(), abs=1e-12)
    spread = ((actual - actual.mean()) ** 2).sum()
    if spread > 1e-6:
        assert found["r2"] == pytest.approx(1 - (error**2).sum() / spread, rel=1e-6, abs=1e-6)


def test_equal_values_have_no_r2_and_no_rows_no_errors() -> None:
    assert metrics(np.array([-3.3, -3.3, -3.3]), np.array([1.0, 2.0, 3.0]))["r2"] is None
    assert metrics(np.array([]), np.array([])) == {"n": 0, "mae": None, "rmse": None, "bias": None, "r2": None}


def test_draws_are_those_of_a_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = Draws.of(7, 200)
    assert (draws.counts.sum(axis=1) == 7).all()
    assert draws.counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.25)
    assert len(np.unique(draws.counts, axis=0)) > 150
    values = np.random.default_rng(0).normal(size=(7, 3))
    whole = draws.sums(values)
    monkeypatch.setattr(bootstrap, "LARGEST_BLOCK", 21)
    assert np.allclose(Draws.of(7, 200).sums(values), Draws.of(7, 200).counts @ values)
    assert np.allclose(draws.sums(values), whole)


def test_many_materials_get_fewer_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "MOST_COUNTS", 1500)
    monkeypatch.setattr(bootstrap, "FEWEST_REPLICATES", 20)
    assert len(Draws.of(5).counts) == 300
    assert len(Draws.of(1000).counts) == 20
    assert len(Draws.of(1000, 10).counts) == 10


def test_intervals_agree_with_a_plain_bootstrap_of_materials() -> None:
    rows = predictions(90, source=["mp"] * 90)
    found = line(evaluate(rows, model_id="m.1", unit="eV"), slice_kind="all")
    actual, predicted = rows["actual"].to_numpy(), rows["predicted"].to_numpy()
    generator = np.random.default_rng(5)
    plain = []
    for _ in range(2000):
        chosen = np.concatenate([np.arange(3) + 3 * key for key in generator.integers(0, 30, 30)])
        plain.append([metrics(actual[chosen], predicted[chosen])[name] for name in bootstrap.NAMES])
    for place, name in enumerate(bootstrap.NAMES):
        column = np.array(plain, dtype=float)[:, place]
        low, high = np.percentile(column, (2.5, 97.5))
        width = high - low
        assert abs(found[f"{name}_low"] - low) < 0.15 * width, name
        assert abs(found[f"{name}_high"] - high) < 0.15 * width, name


def test_copies_of_a_row_do_not_narrow_an_interval() -> None:
    once = predictions(30, source=["mp"] * 30, material_key=[f"k{n}" for n in range(30)])
    one = line(evaluate(once, model_id="m.1", unit="eV"), slice_kind="all")
    ten = line(evaluate(pa.concat_tables([once] * 10), model_id="m.1", unit="eV"), slice_kind="all")
    assert ten["n"] == 300
    assert ten["n_materials"] == 30
    for name in ("mae_low", "mae_high", "rmse_low", "bias_high"):
        assert one[name] == pytest.approx(ten[name])


def test_sources_splits_and_slices_have_a_line_each() -> None:
    n = 60
    rows = predictions(
        n, split=["train"] * 30 + ["validation"] * 12 + ["test"] * 18,
        elements=[["Fe", "O"] if p % 3 else ["O"] for p in range(n)], n_sites=[2 + p for p in range(n)],
        plus_u=[None, "none", "+U"] * 20, energy_functional=["pbe"] * n,
        formation_energy_ev_per_atom=[None if p == 59 else -float(p) for p in range(n)],
    )
    found = evaluate(rows, model_id="m.1", unit="eV/atom", target="formation_energy_ev_per_atom")
    assert found.schema == TABLES["evaluations"].schema
    keys = [tuple(r[c] for c in TABLES["evaluations"].key) for r in found.to_pylist()]
    assert len(keys) == len(set(keys))
    for source, count in (("mp", 9), ("aflow", 9), ("*", 18)):
        test = {"evaluated_on": source, "split": "test"}
        assert line(found, **test, slice_kind="all")["n"] == count
        for kind in ("plus_u", "n_elements", "size", "formation_energy", "common"):
            parts = [r["n"] for r in found.to_pylist() if (r["evaluated_on"], r["slice_kind"]) == (source, kind)]
            assert sum(parts) == count, kind
        assert line(found, **test, slice_kind="element", slice="O")["n"] == count
    assert line(found, evaluated_on="*", split="test", slice_kind="element", slice="Fe")["n"] == 12
    assert line(found, evaluated_on="*", split="test", slice_kind="common", slice="in common")["n"] == 18
    assert line(found, evaluated_on="*", split="test", slice_kind="formation_energy", slice="unknown")["n"] == 1
    assert {r["slice_kind"] for r in found.to_pylist() if r["split"] != "test"} == {"all"}


def test_gaps_are_told_apart_where_gaps_are_predicted() -> None:
    rows = predictions(6, actual=[0.0, 0.0, 0.5, 1.0, 2.0, 7.0], predicted=[0.0] * 6, source=["mp"] * 6)
    found = evaluate(rows, model_id="m.1", unit="eV", target="band_gap_ev").to_pylist()
    assert {r["slice"]: r["n"] for r in found if r["slice_kind"] == "gap"} == {
        "no gap": 2, "up to 1 eV": 2, "1–3 eV": 1, "above 3 eV": 1,
    }


def test_rows_without_value_or_split_are_left_out_and_no_rows_are_no_lines() -> None:
    rows = predictions(6, actual=[None, float("nan"), 1.0, 1.0, 1.0, 1.0],
                       predicted=[1.0, 1.0, float("inf"), 2.0, 2.0, 2.0], split=["test"] * 5 + [None])
    assert line(evaluate(rows, model_id="m.1", unit="eV"), evaluated_on="*", slice_kind="all")["n"] == 2
    assert evaluate(rows.slice(0, 2), model_id="m.1", unit="eV").num_rows == 0
    with pytest.raises(InputError, match="without the columns predicted"):
        evaluate(rows.drop_columns("predicted"), model_id="m.1", unit="eV")


def test_few_materials_have_no_interval() -> None:
    found = line(evaluate(predictions(9, source=["mp"] * 9), model_id="m.1", unit="eV"), slice_kind="all")
    assert found["n_materials"] == 3
    assert found["mae"] is not None
    assert found["mae_low"] is None
    assert found["r2_high"] is None


def test_a_paired_difference_sees_what_two_intervals_do_not() -> None:
    generator = np.random.default_rng(2)
    hard = np.repeat(generator.exponential(1.0, size=100), 2)
    keys = [f"k{place // 2}" for place in range(200)]
    actual = np.zeros(200)
    difference, low, high = paired_difference(actual, hard, hard + 0.02, keys)
    assert difference == pytest.approx(0.02)
    assert low == pytest.approx(0.02)
    assert high == pytest.approx(0.02)
    difference, low, high = paired_difference(actual, hard, hard[::-1], keys)
    assert difference == pytest.approx(0)
    assert low < 0 < high
    assert np.isnan(paired_difference(actual[:2], hard[:2], hard[:2], keys[:2])[1])
    with pytest.raises(InputError, match="one row at least"):
        paired_difference(np.array([]), np.array([]), np.array([]), [])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """In 200 samples of 40 materials with three rows of one error each, the true bias 0 lies inside 95 % of them."""
    generator = np.random.default_rng(3)
    inside = 0
    for sample in range(200):
        error = np.repeat(generator.normal(size=40), 3)
        _, low, high = paired_difference(
            np.zeros(120), np.full(120, 5.0), 5 + error, np.repeat(np.arange(40), 3).astype(str), replicates=300,
            seed=sample,
        )
        inside += low <= 0 <= high
    assert 0.88 <= inside / 200 <= 0.99
