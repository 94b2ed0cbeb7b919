"""Searches, expansions, formulas and complexities in the report: right about a lake, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pyarrow as pa
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
from analytics.report.studies import class_comparisons, search_numbers
from analytics.report.studies.expansion_curves import Curve, answers, curves_of
from analytics.report.studies.expansion_panels import pools_of
from analytics.report.studies.front import front
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


def sizes(shown: str) -> dict[tuple[int, int], str]:
    """The cells of the figure of sizes by steps and latent size, as words."""
    table = re.search(r'<table class="sizes">.*?</table>', shown, re.DOTALL)
    assert table is not None
    widths = [int(width.replace(",", "")) for width in re.findall(r'<th scope="col" class="n">([\d,]+)</th>', table[0])]
    found = {}
    for line in re.findall(r'<tr><th scope="row" class="n">(\d+)</th>(.*?)</tr>', table[0], re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", line[1], re.DOTALL)
        found |= {(int(line[0]), width): words(cell) for width, cell in zip(widths, cells, strict=True)}
    return found


def test_the_figure_of_sizes_holds_the_least_error_of_those_trained_to_the_end(full_lake: Lake, full: str) -> None:
    trials = full_lake.read("trials").to_pylist()
    shown = sizes(part(full, "search"))
    assert set(shown) == {(steps, width) for steps in (2, 3, 4) for width in (64, 128, 256)}
    for (steps, width), text in shown.items():
        tried = [t for t in trials if (t["message_passing_steps"], t["channels"]) == (steps, width)]
        errors = [t["validation_rmse"] for t in tried if t["state"] == "completed"]
        done = f"{min(errors, default=0.0):.3f} {len(errors)} of {len(tried)}"
        assert text.strip() == (done if errors else f"{len(tried)} tried, none to the end")
    best = min(t["validation_rmse"] for t in trials if t["state"] == "completed")
    assert re.search(rf'class="cell best[^"]*"[^>]*><b>{best:.3f}', part(full, "search"))


def test_what_searching_gained_and_cost_is_said(full_lake: Lake, full: str) -> None:
    said, row = words(part(full, "search")).replace("\u202f", " "), full_lake.read("searches").to_pylist()[0]
    for expected in ("18: 12 trained to the end, 5 ended early, 1 failed", "30.0 min", "1.2 h with all trained",
                     "cost at 2.00 an hour; full price 2.50", "gaps-best.1 (turned down)",
                     f"best validation RMSE (eV) {row['best_rmse']:.3f}",
                     f"mean validation RMSE (eV) {row['mean_rmse']:.3f}",
                     f"median validation RMSE (eV) {row['median_rmse']:.3f}"):
        assert expected in said


def test_the_gain_is_that_of_the_paper() -> None:
    # Speckhard et al. (2025): mean 556 meV, best 474 meV, 14.7 %.
    assert search_numbers.gain_of({"best_rmse": 474.0, "mean_rmse": 556.0}) == pytest.approx(0.147, abs=5e-4)
    assert search_numbers.gain_of({"best_rmse": None, "mean_rmse": None}) is None
    assert search_numbers.gain_of({"best_rmse": 0.0, "mean_rmse": 0.0}) is None


ALL_FAILED = {
    "n_completed": 0, "n_pruned": 0, "best_trial": None, "best_rmse": None, "mean_rmse": None, "median_rmse": None,
    "gain": None, "full_device_hours": None, "price_per_hour": None, "cost": None, "full_cost": None, "model_id": None,
    "promotion": None,
}
NO_SIZE = {"message_passing_steps": None, "channels": None}


def failed_search(lake: Lake) -> None:
    nothing = {"state": "failed", "reason": "it does not fit into memory", "validation_rmse": None,
               "validation_mae": None, "prediction_ms": None, "n_parameters": None, "training_steps": 0,
               "best_step": None, "seconds": None}
    study_lakes.search(lake, 12, "failed", ALL_FAILED | {"n_failed": 12}, lambda _: nothing)


def test_a_search_whose_candidates_all_failed_says_why(lake: Lake) -> None:
    failed_search(lake)
    lake.refresh()
    shown = section_of(lake, "search")
    said = words(shown)
    assert "No candidate was trained to the end, so there is no least error and no gain." in said
    assert "12 of 12 candidates failed" in said
    assert said.count("it does not fit into memory") == 10
    assert "<details open>" in shown
    assert "not known: the search was given no price per hour" in said
    assert "<svg" not in shown
    assert not re.search(r"\b(None|nan)\b", said)


def test_a_search_of_one_candidate_has_no_figure_of_sizes(lake: Lake) -> None:
    study_lakes.search(lake, 1, "one", more=lambda _: {"state": "completed", "reason": None, "validation_rmse": 0.5})
    lake.refresh()
    said = words(section_of(lake, "search"))
    assert "All candidates have 2 message-passing steps and a latent size of 64" in said
    assert "1 of 1 candidate trained to the end" in said


@pytest.mark.parametrize(("more", "expected"), [
    (lambda trial: NO_SIZE, None),
    (lambda trial: {"channels": None}, None),
    (lambda trial: {"message_passing_steps": 3}, {(3, 64), (3, 128), (3, 256)}),
    (lambda trial: {"channels": 128}, {(2, 128), (3, 128), (4, 128)}),
    (lambda trial: NO_SIZE if trial % 3 else {}, {(2, 64), (2, 128), (2, 256)}),
])
def test_a_search_may_lack_steps_or_latent_size(
    more: Callable[[int], dict[str, Any]], expected: set[tuple[int, int]] | None,
) -> None:
    trials = study_lakes.candidates(more=more)
    figure = search_numbers.by_size(trials)
    if figure is None or expected is None:
        assert figure is expected
        assert search_numbers.one_size(trials).startswith("Message-passing steps or latent size are not known")
    else:
        found = {(steps, width) for steps, cells in figure["lines"]
                 for width, cell in zip(figure["channels"], cells, strict=True) if cell is not None}
        assert found == expected


def test_three_hundred_candidates_stay_readable_and_small(lake: Lake, full: str) -> None:
    study_lakes.search(lake, 300, "many")
    lake.append("trials", lambda _: lake.read("trials", where="trial = 0").set_column(
        1, "trial", pa.array([-1], pa.int32())))
    lake.refresh()
    shown = section_of(lake, "search")
    assert "60 of 300 candidates drawn" in shown
    assert shown.count("learning candidate early") == 20
    assert shown.count("learning candidate s1 chosen") == 1
    assert len(re.findall(r'<tr><td class="n">\d+</td>', shown)) <= 20
    assert len(shown) + len(full) < 500_000
    # A claim that another search is being written is no candidate.
    assert "candidate -1" not in shown


def test_a_number_that_is_none_is_no_candidate_of_the_figures(lake: Lake) -> None:
    study_lakes.search(lake, 18, "odd", more=lambda trial: {
        "validation_rmse": float("nan"), "prediction_ms": float("inf")} if trial % 2 else {})
    lake.refresh()
    shown = section_of(lake, "search")
    assert "nan" not in words(shown)
    assert "NaN" not in shown


def test_the_front_holds_the_candidates_that_none_beats(full_lake: Lake) -> None:
    trials = [t for t in full_lake.read("trials").to_pylist() if t["state"] == "completed"]
    points = [(t["prediction_ms"], t["validation_rmse"]) for t in trials]
    found = set(front(points))
    expected = study_lakes.expected_front(trials)
    assert {t["trial"] for t in trials if (t["prediction_ms"], t["validation_rmse"]) in found} == expected
    assert 1 < len(expected) < len(trials)


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


@pytest.mark.parametrize("scheme", [0, 1])
def test_candidates_ended_early_are_light_and_can_be_seen(scheme: int) -> None:
    templates = files("analytics.report").joinpath("templates")
    roots = re.findall(r":root \{(.*?)\}", templates.joinpath("style.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", roots[scheme]))

    def contrast(name: str) -> float:
        first, second = sorted((luminance(colours[name]), luminance(colours["sheet"])), reverse=True)
        return (first + 0.05) / (second + 0.05)

    assert contrast("early") >= 2
    assert contrast("s0") >= 1.5 * contrast("early")
    styles = templates.joinpath("models.css").read_text()
    assert ".early { --c: var(--early); }" in styles
    assert not re.search(r"candidate[^{]*\{[^}]*opacity", styles)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    values = [int(colour[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
