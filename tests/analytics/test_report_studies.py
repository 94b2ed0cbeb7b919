"""Searches, expansions, formulas and complexities in the report: right about a lake, whatever it holds."""

from __future__ import annotations

import re

import pytest
import study_lakes
from model_lakes import put
from report_lakes import settings
from test_report import report_of, words
from test_report_similarity import part

from analytics.report.ask import Asker
from analytics.report.page import environment_of
from analytics.report.plot import Line, Mark, Scales, plot
from analytics.report.sections import complexity, expressivity, formulas, search
from analytics.report.sections.contents import sources_of
from analytics.report.studies import class_comparisons
from analytics.report.studies.expansion_curves import Curve, answers, curves_of
from analytics.report.studies.expansion_panels import pools_of
from lake.store.lake import Lake

SECTIONS = {"search": search, "expressivity": expressivity, "formulas": formulas, "complexity": complexity}


@pytest.fixture(scope="module")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return study_lakes.put_studies(Lake.open(str(tmp_path_factory.mktemp("studies") / "lake"), settings()))


@pytest.fixture(scope="module")
def full(full_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(full_lake, tmp_path_factory.mktemp("page"))


def section_of(lake: Lake, name: str) -> str:
    with Asker.of(lake) as asker:
        sources = sources_of(asker.rows("sources"))
        made = SECTIONS[name].section(asker, sources)
        return made.nothing or environment_of(sources).get_template(f"{name}.html.j2").render(s=made)


def test_without_results_each_section_says_which_command_makes_them(lake: Lake) -> None:
    commands = {"search": "matlake search", "expressivity": "matlake expand", "formulas": "matlake sisso",
                "complexity": "matlake complexity"}
    for name, command in commands.items():
        said = section_of(lake, name)
        assert command in said
        assert "<" not in said


def test_what_is_in_the_tables_is_no_markup(full: str) -> None:
    assert "<script>alert" not in full
    assert "&lt;script&gt;alert" in full


def test_where_curves_turn_and_whether_nonlinear_is_better(full_lake: Lake, full: str) -> None:
    said = words(part(full, "expressivity"))
    paths = [r for r in full_lake.read("selection_paths").to_pylist() if r["pool"] == "large" and r["degree"] == 3]
    least = min(paths, key=lambda row: row["cv_rmse"])
    # In the made lake degree 3 fits better at every number of features, and under cross-validation at small ones only.
    standard = {r["n_features"]: r["cv_rmse"] for r in full_lake.read("selection_paths").to_pylist()
                if r["pool"] == "large" and r["degree"] == 1}
    better = sum(r["cv_rmse"] < standard[r["n_features"]] for r in paths if r["n_features"] in standard)
    assert 0 < better <= 4
    assert "Large pool, degree 3 against standard: better on the fit, better under cross-validation." in said
    assert f"lower at {better} of 4 equal numbers of features" in said
    assert re.search(rf"nonlinear, degree 3 large 19,683 {least['n_features']} {least['cv_rmse']:.4f} ± 0.0010", said)
    assert f"turns at {least['n_features']}: more features predict worse" in said
    assert "3 structures could not be mapped" in said
    assert "3 × too_distorted" in said


def test_fit_and_cross_validation_stand_side_by_side_on_the_same_axes(full: str) -> None:
    halves = re.findall(r'<div class="halves">(.*?</svg></div>)</div>', part(full, "expressivity"), re.DOTALL)
    assert len(halves) == 2
    marks = [re.findall(r'<text x="[^"]+" y="[^"]+" text-anchor="(?:end|middle)">([^<]+)</text>', svg)
             for one in halves for svg in re.findall(r"<svg.*?</svg>", one, re.DOTALL)]
    assert len(marks) == 4
    assert all(one == marks[0] and len(one) >= 6 for one in marks)


def curve(*errors: float | None, spread: float | None = None, degree: int = 1) -> Curve:
    base = {"degree": degree, "method": "omp", "parent": "*", "pool": "small", "cv_rmse_spread": spread}
    return Curve(tuple(base | {"n_features": n, "fit_rmse": 1 / n / degree, "cv_rmse": error}
                       for n, error in enumerate(errors, start=1)))


@pytest.mark.parametrize(("given", "expected"), [
    (curve(3.0, 2.0, 1.0), "does not turn up to 3"),
    (curve(None, None), "not cross-validated"),
    (curve(3.0, 1.0, 2.0), "turns at 2: more features predict worse"),
    (curve(3.0, 1.0, 2.0, spread=1.5), "flat from 2 on, within the standard error"),
    (curve(3.0, 1.0, 0.9, spread=0.2), "flat from 2 on, within the standard error"),
    (curve(1.0, None, 2.0, None), "turns at 1: more features predict worse"),
])
def test_where_a_curve_turns_is_said_with_its_standard_error(given: Curve, expected: str) -> None:
    assert given.turn() == expected


def test_errors_that_are_no_number_are_no_point_of_a_curve() -> None:
    rows = [row | {"feature_set": "standard"} for row in curve(3.0, float("nan"), 1.0, 2.0, spread=0.1).points]
    rows[0]["fit_rmse"] = float("inf")
    found, = curves_of(rows)
    assert found.turn() == "turns at 3: more features predict worse"
    assert [row["cv_rmse"] for row in found.held] == [3.0, 1.0, 2.0]
    assert pools_of([found], "eV")[0].panels[1][1].count("learning") == 2  # the curve, and its standard error


@pytest.mark.parametrize(("errors", "spread", "expected"), [
    ((3.0, 0.5), 0.1, "better on the fit, better under"),
    ((3.0, 0.95), 0.1, "better on the fit, no clear difference under"),
    ((3.0, 2.0), 0.1, "better on the fit, worse under"),
    ((None, None), None, "better on the fit, not known under"),
])
def test_nonlinear_is_better_only_by_more_than_the_standard_errors(
    errors: tuple[float | None, ...], spread: float | None, expected: str,
) -> None:
    (verdict, numbers), = answers([curve(3.0, 1.0, spread=0.1), curve(*errors, spread=spread, degree=2)], "eV")
    assert expected in verdict
    assert "lower at 2 of 2" in numbers
    assert answers([curve(1.0, degree=2)], "eV") == []


def test_formulas_are_there_to_be_read_and_run(full: str) -> None:
    shown = words(part(full, "formulas"))
    assert "0.0800" in shown  # the error of dimension 2
    assert "0.1 + 0.2 * (ip_b_ev - ea_b_ev) / r_p_a_angstrom ** 2" in shown
    assert r"\frac{a}{b}" in shown
    assert "saved as binaries.1" in shown


def test_errors_of_several_tasks_are_pooled_by_their_rows(lake: Lake) -> None:
    study_lakes.formulas(lake, ("aflow", "mp"), aflow={"rmse": 0.3, "n_rows": 10}, mp={"rmse": 0.1, "n_rows": 30})
    lake.refresh()
    assert f"{((10 * 0.09 + 30 * 0.01) / 40) ** 0.5:.4f}" in words(section_of(lake, "formulas"))


def test_a_classification_shows_shares_instead_of_errors(lake: Lake) -> None:
    study_lakes.formulas(lake, accuracy=0.875)
    lake.refresh()
    shown = words(section_of(lake, "formulas"))
    assert "87.5" in shown
    assert "RMSE" not in shown


def test_only_models_of_the_same_rows_are_drawn_together(lake: Lake) -> None:
    study_lakes.complexities(lake)
    study_lakes.complexities(lake, None, "other-")
    lake.refresh()
    made = section_of(lake, "complexity")
    figures = re.findall(r"<svg.*?</svg>", made, re.DOTALL)
    assert len(figures) == 2
    assert not any("other-" in figure and ">mlp-0" in figure for figure in figures)


@pytest.mark.parametrize("measure", ["mae", "rmsle"])
def test_models_are_judged_by_what_their_study_judges_by(lake: Lake, measure: str) -> None:
    study_lakes.complexities(lake, rmsle=0.25)
    study_lakes.comparisons(lake, measure)
    lake.refresh()
    shown = section_of(lake, "complexity")
    title = "RMSLE" if measure == "rmsle" else "MAE (eV)"
    assert f'<svg viewBox="0 0 640 310" role="img" aria-label="{title} against complexity."' in shown
    assert ("RMSLE" in shown) == (measure == "rmsle")
    assert ("ln(1 + value)" in shown) == (measure == "rmsle")


def test_without_comparisons_models_are_judged_by_what_is_known(lake: Lake) -> None:
    rows = study_lakes.complexities(lake, rmsle=0.25)
    lake.refresh()
    assert "MAE (eV) against complexity" in section_of(lake, "complexity")
    assert class_comparisons.measure_of([row | {"mae": None} for row in rows], []) == "rmse"
    assert class_comparisons.measure_of([dict.fromkeys(row) for row in rows], []) == "mae"


def test_classes_are_compared_with_intervals_and_reasons(full: str) -> None:
    said = words(part(full, "complexity"))
    assert "nearly as many parameters forest 100 0.400 mlp 101 0.420 +0.020 +0.010 to +0.050 forest" in said
    assert "nearly as many parameters forest 1,000 0.400 mlp 1,010 0.420 +0.020 −0.010 to +0.050 not decided" in said
    assert "0.469 / 0.515" in said
    # The reasons of the best of either class.
    assert "Pairing 3" in said
    assert "Pairing 0" not in said


def test_comparisons_of_other_data_stand_elsewhere(lake: Lake) -> None:
    study_lakes.complexities(lake, None, "a-")
    study_lakes.comparisons(lake, "rmsle", "lake:d1:50", "b-")
    lake.refresh()
    shown = section_of(lake, "complexity")
    assert "One class against the other" not in shown
    assert "RMSLE" not in shown


def test_models_that_could_not_be_made_say_why_beside_the_others(lake: Lake) -> None:
    rows = study_lakes.complexities(lake)
    put(lake, "complexities", [rows[0] | dict.fromkeys((
        "n_parameters", "n_weights", "n_biases", "n_additive", "n_linear", "n_nonlinear", "complexity", "evaluated_on",
        "n", "mae", "rmse", "train_mae", "train_rmse")) | {
            "model_id": "mlp-9", "reason": "a model of 9 parameters cannot be made"}])
    lake.refresh()
    shown = section_of(lake, "complexity")
    assert shown.count("<svg") == 1
    assert "a model of 9 parameters cannot be made" in shown
    assert "9 models on 50 rows" in shown


def test_a_figure_leaves_out_what_its_axes_cannot_show() -> None:
    scales = Scales(("x", "y"))
    assert plot("empty", [], [], scales) is None
    assert plot("zero", [Line(((0.0, 1.0),), "a", "s0")], [Mark(1.0, float("nan"), "b", "s0")], scales) is None
    drawn = plot("some", [Line(((1.0, 1.0), (2.0, 0.0), (3.0, 2.0)), "line <1>", "s0")], [], scales)
    assert drawn is not None
    path = re.search(r'd="M([^"]+)"', str(drawn))
    assert path is not None
    assert path[1].count("L") == 1
    assert "line &lt;1&gt;" in drawn
