"""Searches in the report: least errors by size, gain and price, the front, and searches that failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pytest
import study_lakes
from report_lakes import settings
from test_report import words
from test_report_studies import section_of

from analytics.report.studies import search_numbers
from analytics.report.studies.front import front
from lake.store.lake import Lake


@pytest.fixture(scope="module")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(str(tmp_path_factory.mktemp("searches") / "lake"), settings())
    study_lakes.search(lake)
    lake.refresh()
    return lake


@pytest.fixture(scope="module")
def full(full_lake: Lake) -> str:
    return section_of(full_lake, "search")


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
    shown = sizes(full)
    assert set(shown) == {(steps, width) for steps in (2, 3, 4) for width in (64, 128, 256)}
    for (steps, width), text in shown.items():
        tried = [t for t in trials if (t["message_passing_steps"], t["channels"]) == (steps, width)]
        errors = [t["validation_rmse"] for t in tried if t["state"] == "completed"]
        done = f"{min(errors, default=0.0):.3f} {len(errors)} of {len(tried)}"
        assert text.strip() == (done if errors else f"{len(tried)} tried, none to the end")
    best = min(t["validation_rmse"] for t in trials if t["state"] == "completed")
    assert re.search(rf'class="cell best[^"]*"[^>]*><b>{best:.3f}', full)


def test_what_searching_gained_and_cost_is_said(full_lake: Lake, full: str) -> None:
    said, row = words(full).replace("\u202f", " "), full_lake.read("searches").to_pylist()[0]
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


def test_three_hundred_candidates_stay_readable_and_small(lake: Lake) -> None:
    study_lakes.search(lake, 300, "many")
    lake.append("trials", lambda _: lake.read("trials", where="trial = 0").set_column(
        1, "trial", pa.array([-1], pa.int32())))
    lake.refresh()
    shown = section_of(lake, "search")
    assert "60 of 300 candidates drawn" in shown
    assert shown.count("learning candidate early") == 20
    assert shown.count("learning candidate s1 chosen") == 1
    assert len(re.findall(r'<tr><td class="n">\d+</td>', shown)) <= 20
    assert len(shown) < 200_000
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
