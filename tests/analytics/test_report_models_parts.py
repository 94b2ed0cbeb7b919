"""The pieces of the report on models: curves, colours, slices, pictures with transparency."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from analytics.report.axes import MOST_MARKS, Box, LinearAxis, LogAxis, texts
from analytics.report.models import kinds
from analytics.report.models.calibration import calibration
from analytics.report.models.curves import MOST_POINTS, Curve, _thinned, colours_of, curves_figure
from analytics.report.models.element_errors import element_table
from analytics.report.models.limits import limits
from analytics.report.models.slices import MOST_SLICES, slice_lines
from analytics.report.plot import HALF, NARROW, WIDE
from analytics.report.png import palette_png
from analytics.report.section import Sources
from ml.predict.calibration import as_json, calibrate
from ml.spec import KINDS

ENDS = [(1, 1), (1, 2), (0.03, 0.9), (1, 10**7), (1e-12, 1e12), (0.061, 0.062), (500, 20_000), (0.13, 0.95),
        (0.22, 0.41), (4e-6, 9e-5), (0.9, 1.1), (95, 105)]


@pytest.mark.parametrize(("low", "high"), ENDS)
def test_logarithmic_ticks_are_few_inside_and_round(low: float, high: float) -> None:
    marks = LogAxis(low, high, 0.0, 100.0).marks()
    assert min(3, len({low, high})) <= len(marks) <= MOST_MARKS
    assert len(marks) >= 3 or low == high
    assert marks == sorted(marks)
    assert all(low * 0.999 <= mark <= high * 1.001 for mark in marks)
    # Round: of one digit, or evenly spaced by a step of one digit.
    step = marks[-1] - marks[-2] if len(marks) > 1 else marks[0]
    assert all(f"{mark:.0e}"[0] in "1235" for mark in marks) or abs(step / float(f"{step:.0e}") - 1) < 1e-6


@pytest.mark.parametrize(("low", "high"), [(low, high) for low, high in ENDS if low < high])
@pytest.mark.parametrize("box", [WIDE, NARROW, HALF])
def test_texts_of_marks_are_at_least_three_and_never_on_each_other(low: float, high: float, box: Box) -> None:
    up = box.up(LogAxis, low, high)
    heights = [up.place(value) for value in box.heights(up)]
    assert len(heights) >= 3
    assert min(a - b for a, b in itertools.pairwise(heights)) >= box.font
    box = box.beside(up)
    across = box.across(LogAxis, low, high)
    marks = box.widths(across)
    assert len(marks) >= 2
    half = [len(text) * 0.6 * box.font / 2 for text in texts(marks)]
    places = [across.place(value) for value in marks]
    assert all(b - a >= x + y for (a, b), (x, y) in zip(itertools.pairwise(places), itertools.pairwise(half),
                                                        strict=True))
    assert len(set(texts(marks))) == len(marks)


def test_whole_numbers_are_marked_at_whole_numbers() -> None:
    for axis in (LogAxis, LinearAxis):
        marks = HALF.widths(HALF.across(axis, 0.9, 3.2, whole=True))
        assert marks == [1, 2, 3]


@pytest.mark.parametrize(("values", "expected"), [
    ([0.2, 0.3, 0.5], ["0.2", "0.3", "0.5"]), ([0.25, 0.3, 0.35], ["0.25", "0.30", "0.35"]),
    ([1, 100, 10_000, 1e6], ["1", "100", "10,000", "10⁶"]), ([2e-5, 5e-5], ["2·10⁻⁵", "5·10⁻⁵"]),
    ([0.0], ["0"]), ([], []),
])
def test_marks_are_written_as_short_as_they_go(values: list[float], expected: list[str]) -> None:
    assert texts(values) == expected


def test_a_logarithmic_axis_stays_inside_its_ends() -> None:
    axis = LogAxis(1.0, 100.0, 10.0, 110.0)
    assert [axis.place(v) for v in (1.0, 10.0, 100.0)] == pytest.approx([10.0, 60.0, 110.0])
    assert (axis.place(0.001), axis.place(1e9)) == (10.0, 110.0)
    assert LogAxis(5.0, 5.0, 0.0, 10.0).place(5.0) == 5.0


def test_long_curves_are_thinned_and_keep_the_best_and_the_last() -> None:
    rows: list[dict[str, Any]] = [{"step": step} for step in range(1, 50_001)]
    kept = [row["step"] for row in _thinned(rows, 33_333)]
    assert len(kept) <= MOST_POINTS + 2
    assert {33_333, 50_000} <= set(kept)
    assert kept == sorted(kept)
    assert _thinned(rows[:MOST_POINTS], None) == rows[:MOST_POINTS]


def test_curves_without_a_best_step_or_without_train_errors_are_drawn() -> None:
    curve = Curve("<a>", "s0", ((10, None, 0.5), (100, None, 0.2), (1000, None, 0.3)), None)
    assert curve.best == (100, 0.2)
    drawn = curves_figure([curve], "eV", "one curve of a model")
    assert drawn is not None
    assert "&lt;a&gt;: best at step 100" in drawn
    assert "learning train" not in drawn
    assert "nan" not in drawn


def test_nothing_to_draw_is_no_figure() -> None:
    assert curves_figure([Curve("a", "s0", ((1, None, None), (2, None, None)), None)], "eV", "nothing") is None


def test_own_models_have_their_database_colour_and_no_two_lines_the_same() -> None:
    sources = Sources(("a", "b", "c"), {})
    found = colours_of(["a", "b", None, None, "a", None], sources)
    assert found[:2] == ["s0", "s1"]
    assert len(set(found)) == len(found)


def row(kind: str, name: str, n: int, mae: float = 0.1, model_id: str = "m.1") -> dict[str, Any]:
    return {"model_id": model_id, "slice_kind": kind, "slice": name, "n": n, "mae": mae, "mae_low": None,
            "mae_high": None, "bias": 0.01, "unit": "eV"}


def test_slices_stand_in_their_order_and_many_are_cut() -> None:
    rows = [row("size", "13–24 atoms", 90), row("size", "1–4 atoms", 5), row("size", "unknown", 3),
            row("n_elements", "10", 20), row("n_elements", "2", 30), row("common", "in common", 30),
            *(row("functional", f"f{i}", i) for i in range(20))]
    lines = slice_lines(rows, {"m.1": 0.05}, ["m.1", "absent.1"])
    names = [line.name for line in lines]
    assert names.index("1–4 atoms") < names.index("13–24 atoms") < names.index("unknown")
    assert names.index("2 elements") < names.index("10 elements")
    # A kind with one slice says nothing more than all rows do.
    assert "in common" not in names
    assert sum(name.startswith("F") for name in names) == MOST_SLICES
    assert all(line.cells[1] is None for line in lines)
    few = next(line for line in lines if line.name == "1–4 atoms").cells[0]
    many = next(line for line in lines if line.name == "13–24 atoms").cells[0]
    assert few is not None
    assert many is not None
    assert (few.few, few.strength, many.few, many.strength) == (True, 0, False, 100)


def test_elements_with_few_rows_have_no_number_and_none_at_all_no_table() -> None:
    found = element_table("m", [row("element", "Fe", 40, 0.0314), row("element", "O", 4), row("element", "Xx", 99)], 44)
    assert found is not None
    assert [(c.symbol, c.value) for c in found.cells] == [("Fe", "31"), ("O", None)]
    assert (found.unit, found.scale, found.n) == ("meV", "31", 44)
    assert len(found.absent) == 116
    assert element_table("m", [row("element", "O", 4)], 4) is None


def test_colours_of_a_picture_can_be_half_transparent() -> None:
    picture = palette_png(np.array([[0, 1]], dtype=np.uint8), np.zeros((3, 3), dtype=np.uint8), alphas=(0, 128))
    assert re.search(rb"\x00\x00\x00\x02tRNS\x00\x80", picture)
    assert b"tRNS" not in palette_png(np.array([[0]], dtype=np.uint8), np.zeros((1, 3), dtype=np.uint8))


@pytest.mark.parametrize("broken", [
    None, "", "no json", "[]", "{}", '{"levels": [0.5], "coverage": [0.5, 0.6]}', '{"levels": [2], "coverage": [1]}',
    '{"levels": [0.5], "coverage": "x"}', '{"levels": [NaN], "coverage": [0.5]}', '{"levels": [], "coverage": []}',
])
def test_a_calibration_that_says_nothing_is_not_drawn(broken: str | None) -> None:
    assert calibration(broken, "eV") is None


def test_a_calibration_on_real_errors_is_that_of_the_model() -> None:
    random = np.random.default_rng(2)
    actual = random.normal(size=400)
    members = actual + np.array([[0.1], [0.1], [0.1]]) * random.normal(size=(3, 400)) + 0.2 * random.normal(size=400)
    found = calibrate(actual, members.mean(axis=0), members.std(axis=0), ["validation"] * 200 + ["test"] * 200)
    drawn = calibration(as_json(found), "eV")
    assert found is not None
    assert drawn is not None
    place = found["levels"].index(0.9)
    assert f"calibrated {100 * found['coverage'][place]:.1f}" in drawn.words.replace("\u202f", "")
    assert "200 test rows" in drawn.words
    assert f"{found['floor']:.3f} eV" in drawn.words


@pytest.mark.parametrize(("kind", "expected"), [
    ("mpeu", "a single network"), ("schnet", "a single network"), ("painn", "a single network"),
    ("mlp", "a single network"), ("forest", "a single forest"), ("expansion", "a single cluster expansion"),
    ("sisso", "a single formula"), ("ensemble", "an ensemble of a single network"),
])
def test_a_model_of_one_member_is_called_by_its_kind(kind: str, expected: str) -> None:
    row = {"n_members": 1, "calibration_json": None, "settings_json": None, "target": "band_gap_ev", "kind": kind}
    said = limits(row, [], [], Sources((), {}))
    assert f"It is {expected}: it states no uncertainty." in said
    assert any("parent lattices" in text for text in said) == (kind == "expansion")
    assert any("columns" in text for text in said) == (kind == "sisso")


def test_every_kind_of_model_has_its_words() -> None:
    assert set(kinds.SINGLE) == set(KINDS)
    assert kinds.described("expansion", 1) == "cluster expansion"
    assert kinds.described("forest", 1) == "forest, 1 member"
    assert kinds.described("ensemble", 3) == "ensemble of several networks, 3 members"
