"""The pieces of the report: circles, histograms, axes, numbers, the periodic table."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.report import formats
from analytics.report.elements import PLACES
from analytics.report.euler import circles, lens_area
from analytics.report.histogram import Bin, Series, central_range, histogram_figure, rows_outside
from analytics.report.labels import label
from analytics.report.section import Sources
from analytics.report.svg import tag, tick_text, ticks
from lake.tables import CALCULATIONS


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.floats(0.001, 1))
def test_circles_share_the_area_that_the_sets_share(left: int, right: int, share: float) -> None:
    common = max(1, round(share * min(left, right)))
    found = circles(left, right, common, 1.0)
    assert math.pi * found.left**2 == pytest.approx(left)
    assert math.pi * found.right**2 == pytest.approx(right)
    assert lens_area(found.left, found.right, found.distance) == pytest.approx(common, rel=1e-3, abs=1e-3)


def test_circles_of_nothing_common_do_not_touch() -> None:
    found = circles(10, 20, 0, 1.0)
    assert found.distance > found.left + found.right


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-4.3, 1.2, [-4, -3, -2, -1, 0, 1]), (0, 0.07, [0, 0.02, 0.04, 0.06]), (3, 3, [3])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 5) == pytest.approx(expected)


def test_tick_texts_have_the_decimals_that_the_step_needs() -> None:
    values = ticks(-0.1, 0.1, 4)
    assert [tick_text(v, values) for v in values] == ["−0.10", "−0.05", "0", "0.05", "0.10"]


def test_svg_escapes_texts_and_attributes() -> None:
    made = tag("text", "<b>&", aria_label='"><script>')
    assert str(made) == '<text aria-label="&#34;&gt;&lt;script&gt;">&lt;b&gt;&amp;</text>'


def test_outliers_do_not_stretch_the_axis_and_are_counted() -> None:
    bins = [Bin(-40.0, -39.9, 1, 0.01), *(Bin(i / 10, (i + 1) / 10, 1000, 10.0) for i in range(-5, 5))]
    series = [Series("a", "s0", bins)]
    low, high = central_range(series)
    assert (low, high) == pytest.approx((-0.5, 0.5))
    assert rows_outside(series, low, high) == 1


def test_a_histogram_of_one_bin() -> None:
    figure = histogram_figure([Series("<a>", "s0", [Bin(0.0, 0.1, 3, 100.0)])], (-0.1, 0.1), 105.0, "x (eV)", "one bin")
    assert "&lt;a&gt;: 3 rows" in figure
    assert "nan" not in figure


def test_numbers_are_readable() -> None:
    assert formats.signed(0.0412) == "+0.041"
    assert formats.signed(-0.0412) == "−0.041"
    assert formats.signed(-0.0001) == "0.000"
    assert formats.number(None) == formats.number(float("nan")) == "–"
    assert formats.percent(0.004) == "<0.1\u202f%"
    assert formats.percent(99.99) == ">99.9\u202f%"
    assert formats.percent(100.0) == "100\u202f%"
    assert formats.count(1234567) == "1,234,567"
    assert formats.shortened("a\nb\x00" + "c" * 300, 10) == "a␣b�ccccc…"


def test_ages_have_one_unit() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    assert formats.age(now - timedelta(days=1, hours=5), now) == "1 day ago"
    assert formats.age(now - timedelta(minutes=125), now) == "2 hours ago"
    assert formats.age(now + timedelta(seconds=30), now) == "just now"
    assert formats.age(None, now) == "–"


def test_the_periodic_table_has_118_elements_in_118_places() -> None:
    assert len(PLACES) == len(set(PLACES.values())) == 118
    assert PLACES["Fe"] == (4, 8)
    assert PLACES["Og"] == (7, 18)
    assert PLACES["U"][0] == 10


def test_every_column_has_words_and_its_declared_unit() -> None:
    for column in CALCULATIONS.columns:
        found = label(column.name)
        assert found.text
        assert "_" not in found.text
        assert found.unit == (column.unit or None), column.name
    assert str(label("median_ev_per_atom")) == "median (eV/atom)"


def test_a_source_keeps_its_colour() -> None:
    sources = Sources(tuple(f"s{i:02}" for i in range(10)), {})
    assert [sources.colour(s) for s in ("s00", "s07", "s08", "unknown")] == ["s0", "s7", "s0", "s0"]
