"""Complexity of the lake's models, classes against one another, and the studies, on small data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from training_lakes import NOW, fill, rows_of

from lake.errors import InputError
from lake.settings import load_settings
from lake.store.lake import Lake
from lake.tables import TABLES
from ml.complexity import Coefficients, measured
from ml.complexity.class_study import ClassStudy, run_class_study
from ml.complexity.compare import best_of_each, comparable, difference, matched
from ml.complexity.forest_network import forest_network_reasons, forest_network_study
from ml.complexity.match import compare_models
from ml.complexity.rows import measure_models
from ml.complexity.variants import variants_of
from ml.complexity.worth import Answers, rmsle
from ml.data import Dataset, Selection, dataset
from ml.registry.document import Document
from ml.sisso.expression import Expression, Primary
from ml.sisso.formula import Formula
from ml.spec import ModelSpec

QUICK = {"steps": 20, "batch_size": 16, "evaluate_every": 10, "device": "cpu", "threads": 1}
STUDY = forest_network_study(sizes=(400,), defaults=False, training=QUICK, tolerance=0.3)


@pytest.fixture(scope="module")
def salts(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(str(tmp_path_factory.mktemp("complexity")), load_settings(tracking_uri="off", dask_workers=1))
    return fill(lake, rows_of("aflow"))


@pytest.fixture(scope="module")
def gaps(salts: Lake) -> Dataset:
    return dataset(salts, Selection("band_gap_ev", sources=("aflow",)))


@pytest.fixture(scope="module")
def studied(salts: Lake, gaps: Dataset) -> list[str]:
    """What the study said while it ran once."""
    said: list[str] = []
    found = run_class_study(salts, gaps, STUDY, reasons=forest_network_reasons(gaps), note=said.append)
    assert found.n_trained == 2
    return said


def test_a_study_trains_compares_and_is_not_done_twice(salts: Lake, gaps: Dataset, studied: list[str]) -> None:
    assert [text.partition(": ")[2] for text in studied] == [
        "forest-against-network-forest-400", "forest-against-network-mlp-400"]
    again = run_class_study(salts, gaps, STUDY, reasons=forest_network_reasons(gaps))
    assert again.n_trained == 0
    rows = {row["kind"]: row for row in again.complexities.to_pylist()}
    assert rows["forest"]["model_id"] == "forest-against-network/forest-400.1"
    assert rows["forest"]["n_parameters"] == 2 * rows["forest"]["n_leaves"] - rows["forest"]["n_trees"]
    assert rows["mlp"]["n_parameters"] == rows["mlp"]["n_weights"] + rows["mlp"]["n_biases"]
    for row in rows.values():
        assert abs(row["n_parameters"] - 400) < 120
        assert row["complexity"] == row["n_additive"] + row["n_linear"] + row["n_nonlinear"]
        assert row["mae"] > 0
        assert row["n"] == len(gaps.places("test"))
    pairs = again.comparisons.to_pylist()
    assert {pair["pairing"] for pair in pairs} == {"parameters", "best"}
    for pair in pairs:
        assert (pair["left_kind"], pair["paper_left"], pair["paper_right"]) == ("forest", 0.469, 0.515)
        assert pair["left_error"] == pytest.approx(rows["forest"]["mae"])
        assert pair["difference"] == pytest.approx(rows["mlp"]["mae"] - rows["forest"]["mae"])
        said = " ".join(pair["reasons"])
        assert f"{gaps.rows.num_rows:,} calculations of aflow" in said
        assert "61,898" in said
        assert f"{np.mean(gaps.actual == 0):.0%} of the gaps are 0" in said
    assert salts.read("complexities").num_rows == 2
    assert salts.read("model_comparisons").num_rows == len(pairs)


def test_a_size_that_cannot_be_had_is_written_down_and_the_others_go_on(salts: Lake, gaps: Dataset) -> None:
    study = ClassStudy("sizes", ("forest", "mlp"), (20, 400), defaults=False, training=QUICK | {"batch_size": -1})
    found = run_class_study(salts, gaps, study).complexities.to_pylist()
    reasons = {row["model_id"]: row["reason"] for row in found}
    assert "cannot have about 20 parameters" in reasons["sizes/mlp-20"]
    assert "batch_size" in reasons["sizes/mlp-400"]
    assert reasons["sizes/forest-400.1"] is None
    failed = next(row for row in found if row["model_id"] == "sizes/mlp-20")
    assert failed["n_parameters"] is None
    assert failed["complexity"] is None


def test_studies_that_make_no_sense_are_refused() -> None:
    for kinds, sizes, message in ((("mlp",), (10,), "two different"), (("mlp", "oracle"), (10,), "oracle"),
                                  (("mlp", "forest"), (0,), "from 1"), (("mlp", "forest"), (), "no models")):
        with pytest.raises(InputError, match=message):
            ClassStudy("x", kinds, sizes, defaults=False)


def test_models_of_the_lake_are_measured_and_matched(salts: Lake, studied: list[str]) -> None:
    assert studied
    rows = measure_models(salts, ["forest-against-network-mlp-400", "forest-against-network-forest-400"],
                          Coefficients(1, 10, 100))
    mlp, forest = rows.to_pylist()
    assert (mlp["model_id"], mlp["study"], mlp["variant"]) == ("forest-against-network-mlp-400.1", None, "*")
    assert mlp["complexity"] == mlp["n_additive"] + 10 * mlp["n_linear"] + 100 * mlp["n_nonlinear"]
    evaluated = salts.read("evaluations", where="model_id = 'forest-against-network-forest-400.1' and split = 'test' "
                                                "and slice_kind = 'all'").to_pylist()[0]
    assert (forest["mae"], forest["rmse"], forest["n"]) == (evaluated["mae"], evaluated["rmse"], evaluated["n"])
    assert forest["rmsle"] > 0
    pairs = compare_models(salts, rows, 0.5)
    assert {pair["pairing"] for pair in pairs.to_pylist()} == {"parameters", "best"}
    # Measured again they replace their rows, and those of the studies stay.
    measure_models(salts, [], Coefficients())
    table = salts.read("complexities")
    assert len(pc.unique(table["model_id"])) == table.num_rows
    assert "forest-against-network/mlp-400.1" in table["model_id"].to_pylist()
    with pytest.raises(InputError, match="no-such"):
        measure_models(salts, ["no-such"], Coefficients())


def test_a_model_without_its_files_is_written_down_with_the_reason(salts: Lake, studied: list[str]) -> None:
    assert studied
    folder = salts.read("models", where="name = 'forest-against-network-mlp-400'")["folder"][0].as_py()
    weights = Path(salts.root.path(*folder.split("/"), "weights.safetensors"))
    content = weights.read_bytes()
    try:
        weights.write_bytes(content[:-7])
        broken, whole = measure_models(
            salts, ["forest-against-network-mlp-400", "forest-against-network-forest-400"], Coefficients()).to_pylist()
    finally:
        weights.write_bytes(content)
    assert "not those that were saved" in broken["reason"]
    assert broken["complexity"] is None
    assert whole["complexity"] > 0


def test_a_formula_and_the_others_of_its_run_are_measured(salts: Lake, gaps: Dataset, studied: list[str]) -> None:
    assert studied
    a, b = Primary("a"), Primary("b")
    ratio = Expression("/", (Expression("+", (a, b)), a))
    formula = Formula("band_gap_ev", "eV", (ratio, b), ("x", "y"), np.ones((2, 1, 3)), "source")
    document = Document(gaps.target, ModelSpec("sisso"), {"formula": formula.to_json()}, (1, 8), None, 0.0, 1.0)
    counts = measured(document, {"coefficients": formula.coefficients})
    # Two tasks with an intercept and two coefficients each; (a + b) / a has two operators, one in the other.
    assert (counts.n_additive, counts.n_linear, counts.n_nonlinear) == (2, 4, 0)
    assert (counts.rung, counts.dimension, counts.n_operators) == (2, 2, 2)
    with pytest.raises(InputError, match="cannot be measured, as sisso"):
        measured(replace(document, settings={}), {})
    common = {"run_id": "f.1", "name": "f", "kind": "regression", "target": "band_gap_ev", "unit": "eV", "origin": "o",
              "table_versions": [], "data_sha256": "d", "rung": 1, "terms": [], "term_units": [],
              "coefficients_json": "[]", "text": "t", "latex": "l", "sql": "s", "n_primary": 2, "n_candidates": 9,
              "n_screened": 9, "mae": 0.3, "max_error": 1.0, "settings_json": "{}", "seconds": 1.0, "created_at": NOW}
    lines = [common | {"dimension": d, "task": task, "n_rows": n, "rmse": rmse, "cv_rmse": rmse,
                       "model_id": "f.1" if d == 2 else None}
             for d, task, n, rmse in ((1, "x", 3, 1.0), (1, "y", 1, 3.0), (2, "x", 3, 0.5), (2, "y", 1, 0.5))]
    schema = TABLES["formulas"].schema
    salts.append("formulas", lambda _: pa.Table.from_pylist(lines, schema=schema))
    first, second = variants_of(salts, {"kind": "sisso", "model_id": "f.1"})
    assert (first[0], second[0]) == ("dimension-1", "dimension-2")
    assert (first[1].n_parameters, second[1].n_parameters) == (4, 6)
    assert first[2].rmse == pytest.approx(np.sqrt((3 * 1 + 9) / 4))
    assert (first[2].n, first[2].evaluated_on) == (4, "cross-validation")
    assert variants_of(salts, {"kind": "forest", "model_id": "f.1"}) == []


def test_an_expansion_is_measured_by_its_terms(gaps: Dataset) -> None:
    settings = {"expansion": {"terms_by_degree": {"1": 4, "2": 3}, "n_constants": 2}}
    document = Document(gaps.target, ModelSpec("expansion"), settings, (1, 8), None, 0.0, 1.0)
    counts = measured(document, {})
    assert (counts.n_additive, counts.n_linear, counts.n_nonlinear) == (2, 7, 0)
    assert dict(counts.columns()["terms_by_degree"]) == {"1": 4, "2": 3}
    # The sum over elements that is taken off before is fitted as well.
    assert measured(replace(document, baseline={1: 0.1, 8: 0.2}), {}).n_linear == 9
    with pytest.raises(InputError, match="cannot be measured, as expansion"):
        measured(replace(document, settings={}), {})


def test_points_of_a_selection_path_are_variants_of_an_expansion(salts: Lake) -> None:
    run = {"run_id": "e.1", "name": "e", "target": "band_gap_ev", "unit": "eV", "table_versions": [],
           "data_sha256": "d", "parents_json": "[]", "n_rows": 9, "n_mapped": 9, "n_left_out": 0, "model_id": "e.1",
           "turns_json": "{}", "settings_json": "{}", "seconds": 1.0, "created_at": NOW}
    point = {"run_id": "e.1", "feature_set": "standard", "degree": 1, "pool": "small", "method": "omp",
             "n_candidates": 9, "n_rows": 9, "unit": "eV", "fit_rmse": 0.2, "cv_rmse": 0.3}
    points = [point | {"parent": parent, "n_features": n} for n in (2, 4) for parent in ("*", "bcc", "fcc")]
    for name, rows in (("expansions", [run]), ("selection_paths", points)):
        made = pa.Table.from_pylist(rows, schema=TABLES[name].schema)
        salts.append(name, lambda _, made=made: made)  # type: ignore[misc]
    found = variants_of(salts, {"kind": "expansion", "model_id": "e.1"})
    assert [(name, counts.n_additive, counts.n_linear, worth.rmse) for name, counts, worth in found] == [
        ("standard-small-omp-features-2", 2, 2, 0.3), ("standard-small-omp-features-4", 2, 4, 0.3)]


def answers(actual: list[float], predicted: list[float], materials: list[str] | None = None) -> Answers:
    n = len(actual)
    return Answers(np.array([f"r{i}" for i in range(n)]), np.array(materials or [f"m{i}" for i in range(n)]),
                   np.array(actual, float), np.array(predicted, float))


def test_the_logarithmic_error_is_that_of_its_definition() -> None:
    actual, predicted = np.array([0.0, np.e - 1]), np.array([-3.0, np.e**3 - 1])
    assert rmsle(actual, predicted) == pytest.approx(np.sqrt((0 + 4) / 2))
    assert rmsle(np.array([-0.1]), np.array([0.0])) is None
    assert rmsle(np.zeros(0), np.zeros(0)) is None


def test_differences_are_of_common_rows_and_intervals_of_materials() -> None:
    generator = np.random.default_rng(0)
    actual = generator.uniform(0, 2, 40)
    worse = (actual + np.where(np.arange(40) % 2, 0.5, -0.5)).tolist()
    left, right = answers(actual.tolist(), (actual + 0.1).tolist()), answers(actual.tolist(), worse)
    found = difference(left, right)
    assert found.left == pytest.approx(0.1)
    assert found.right == pytest.approx(0.5)
    assert found.low == pytest.approx(0.4)
    assert found.is_clear
    some = right.on(right.rows[:7])
    assert difference(left, some).n == 7
    assert difference(answers([1, 2, 3], [1, 2, 3]), answers([1, 2, 3], [2, 2, 3])).low is None
    logs = difference(left, right, "rmsle")
    assert logs.right == pytest.approx(rmsle(actual, np.array(worse)))
    with pytest.raises(InputError, match="no rows in common"):
        difference(left, replace(right, rows=np.array([f"q{i}" for i in range(40)])))
    with pytest.raises(InputError, match="different values"):
        difference(left, replace(right, actual=actual + 1))


def row(model_id: str, kind: str, n_parameters: int, **more: Any) -> dict[str, Any]:
    return {"model_id": model_id, "kind": kind, "n_parameters": n_parameters, "variant": "*", "study": None,
            "target": "t", "unit": "eV", "data_sha256": "d", "evaluated_on": "test", "n": 5, "mae": 1.0} | more


def test_models_are_matched_within_the_tolerance_each_with_its_nearest() -> None:
    rows = [row("a", "forest", 100), row("b", "forest", 1000), row("c", "mlp", 105), row("d", "mlp", 95),
            row("e", "mlp", 5000)]
    assert [(x["model_id"], y["model_id"]) for x, y in matched(rows, 0.1)] == [("a", "c")]
    assert matched(rows, 0.01) == []
    with pytest.raises(InputError, match="tolerance"):
        matched(rows, 1.0)
    best = best_of_each([*rows, row("f", "mlp", 7, mae=0.5)], "mae", {"a": 3.0, "b": 2.0})
    assert [(x["model_id"], y["model_id"]) for x, y in best] == [("b", "f")]


def test_errors_of_other_data_or_rows_do_not_compare() -> None:
    rows = [row("a", "forest", 1), row("b", "mlp", 1), row("c", "mlp", 1, data_sha256="x"), row("d", "mlp", 1, n=4),
            row("e", "mlp", 1, mae=None), row("f", "mlp", 1, variant="dimension-1")]
    groups = [{one["model_id"] for one in group} for group in comparable(rows)]
    assert sorted(map(sorted, groups)) == [["a", "b"], ["c"], ["d"]]


def test_settings_of_a_study_are_kept_with_its_rows(salts: Lake, studied: list[str]) -> None:
    assert studied
    kept = json.loads(salts.read("complexities", where="model_id = 'forest-against-network/mlp-400.1'")
                      ["settings_json"][0].as_py())
    assert kept["model_id"] == "forest-against-network-mlp-400.1"
    assert kept["wanted_parameters"] == 400
    assert kept["spec"]["model"]["hidden"] == [kept["spec"]["model"]["hidden"][0]] * 2
