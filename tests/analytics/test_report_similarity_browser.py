"""Similarity in a real browser: a cursor in the matrix, a pair to zoom into, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_lakes import settings
from spectral_lakes import put, series
from test_report_browser import browser, open_page  # noqa: F401

from analytics.report import write_report
from analytics.subsets.curate import curate
from analytics.subsets.recipe import Recipe
from lake.store.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("similarity")
    lake = Lake.open(str(folder / "lake"), settings())
    rows = series("nomad", 64)
    put(lake, [*rows, *series("mp", 5, {"Na": 1, "Cl": 1})], {rows[9]["calculation_id"]: "window_not_covered"})
    curate(lake, Recipe("pbe-only", where=("xc_functional = 'pbe'",)))
    return write_report(lake, folder / "report.html")


def shown_range(page: Page) -> tuple[float, float]:
    """What the first panel of the shown pair shows, in eV."""
    box = page.locator(".pair-view:not([hidden]) svg.zoomed").first.get_attribute("viewBox")
    low, _, width, _ = (float(v) for v in (box or "").split())
    return low, low + width


def pair_frame(page: Page) -> Locator:
    frame = page.locator(".pair-view:not([hidden]) .pair-frame").first
    frame.scroll_into_view_if_needed()
    return frame


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_no_network_no_complaint_no_sideways_scrolling(
    browser: Browser, report: Path, width: int, scheme: str,  # noqa: F811
) -> None:
    page, asked, said = open_page(browser, report, width, scheme)
    page.wait_for_function("document.querySelector('.readout').textContent.includes('arrow keys')")
    assert [url for url in asked if not url.startswith("data:") and url != report.as_uri()] == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('.matrix-view').scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 380])
def test_texts_are_neither_cut_nor_on_top_of_each_other(
    browser: Browser, report: Path, width: int,  # noqa: F811
) -> None:
    page, _, _ = open_page(browser, report, width)
    wrong = page.evaluate("""() => {
      const found = [];
      for (const svg of document.querySelectorAll("#similarity svg.figure")) {
        const outer = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()])
          .filter(([, box]) => box.width > 0);
        for (const [i, [a, x]] of boxes.entries()) {
          if (x.left < outer.left - 1 || x.right > outer.right + 1 || x.bottom > outer.bottom + 1) found.push([a]);
          for (const [b, y] of boxes.slice(i + 1))
            if (x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 3 && y.top < x.bottom - 3)
              found.push([a, b]);
        }
      }
      return found;
    }""")
    assert wrong == []


def test_the_matrix_tells_a_pair_under_the_pointer(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, said = open_page(browser, report, 1280)
    svg = page.locator(".matrix-view svg").first
    svg.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.matrix-view').tabIndex === 0")
    box = svg.bounding_box()
    assert box is not None
    scale = box["width"] / 652
    # The diagonal of the matrix: a calculation with itself.
    page.mouse.move(box["x"] + (72 + 570 / 2) * scale, box["y"] + (52 + 570 / 2) * scale)
    readout = page.locator(".readout").first
    assert readout.locator("code").first.inner_text() == readout.locator("code").last.inner_text()
    assert readout.locator(".value dd").first.inner_text() == "1.000"
    assert said == []


def test_the_matrix_is_read_by_keyboard(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, _ = open_page(browser, report, 1280)
    page.wait_for_function("document.querySelector('.matrix-view').tabIndex === 0")
    readout = page.locator(".readout").first
    page.locator(".matrix-view").first.focus()
    page.keyboard.press("ArrowRight")
    first = readout.locator("code").all_inner_texts()
    assert first[0] == first[1]
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    ids = page.evaluate("JSON.parse(document.querySelector('.matrix-figure script').textContent).ids")
    assert readout.locator("code").all_inner_texts() == [ids[2], ids[1]]
    plain, aligned = (float(text) for text in readout.locator(".value dd").all_inner_texts())
    assert 0 < plain <= aligned <= 1
    page.keyboard.press("End")
    assert readout.locator("code").last.inner_text() == ids[-1]
    page.keyboard.press("Escape")
    assert "arrow keys" in readout.inner_text()


def test_a_pair_is_zoomed_by_buttons_and_reset(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, said = open_page(browser, report, 1280)
    whole = shown_range(page)
    tools = page.locator(".pair-view:not([hidden]) .tools").first
    tools.get_by_label("zoom in").click()
    low, high = shown_range(page)
    assert high - low == pytest.approx((whole[1] - whole[0]) / 2)
    assert low + high == pytest.approx(whole[0] + whole[1])
    tools.get_by_label("to higher energies").click()
    assert shown_range(page)[0] > low
    ticks = page.locator(".pair-view:not([hidden]) .x-ticks text").first.text_content()
    tools.get_by_label("reset the zoom").click()
    assert shown_range(page) == pytest.approx(whole)
    assert page.locator(".pair-view:not([hidden]) .x-ticks text").first.text_content() != ticks
    for _ in range(12):
        tools.get_by_label("zoom in").click()
    low, high = shown_range(page)
    assert high - low == pytest.approx(0.05)
    assert said == []


def test_a_pair_is_zoomed_by_keys(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, _ = open_page(browser, report, 1280)
    whole = shown_range(page)
    pair_frame(page).focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    low, high = shown_range(page)
    assert high - low == pytest.approx((whole[1] - whole[0]) / 4)
    panel = page.locator(".pair-view:not([hidden]) svg.zoomed").first
    page.keyboard.press("ArrowUp")
    assert (panel.get_attribute("viewBox") or "").split()[3] == "500"
    page.keyboard.press("0")
    assert shown_range(page) == pytest.approx(whole)
    assert (panel.get_attribute("viewBox") or "").split()[3] == "1000"


def test_a_range_is_dragged_and_the_wheel_zooms_only_when_asked(
    browser: Browser, report: Path,  # noqa: F811
) -> None:
    page, _, _ = open_page(browser, report, 1280)
    whole = shown_range(page)
    box = pair_frame(page).bounding_box()
    assert box is not None
    left, middle = box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3
    page.mouse.move(left, middle)
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(50)
    assert shown_range(page) == pytest.approx(whole)
    box = pair_frame(page).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] * 0.3
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + box["width"] * 0.2, middle, steps=4)
    page.mouse.up()
    dragged = shown_range(page)
    assert dragged[1] - dragged[0] == pytest.approx((whole[1] - whole[0]) * 0.2 * 660 / 580, rel=0.03)
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(50)
    low, high = shown_range(page)
    assert high - low < dragged[1] - dragged[0]
    page.mouse.dblclick(left, middle)
    assert shown_range(page) == pytest.approx(whole)


def test_the_pointer_reads_off_an_interval(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, _ = open_page(browser, report, 1280)
    box = pair_frame(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7)
    said = page.locator(".pair-view:not([hidden]) .pair-readout").first.inner_text()
    assert "interval" in said
    assert "overlap" in said


def test_another_pair_is_chosen(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, _ = open_page(browser, report, 1280)
    figure = page.locator(".pair-figure").first
    assert figure.locator(".pair-view:not([hidden])").count() == 1
    select = figure.locator("select")
    select.select_option(index=1)
    title = figure.locator(".pair-view:not([hidden]) h4").inner_text()
    assert select.locator("option").nth(1).inner_text() == title


def test_it_is_whole_without_script(browser: Browser, report: Path) -> None:  # noqa: F811
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert page.locator(".matrix-view svg image").first.is_visible()
    views = page.locator(".pair-figure").first.locator(".pair-view")
    assert views.count() >= 3
    assert all(view.is_visible() for view in views.all())
    assert page.locator(".tools").count() == page.locator("select").count() == 0
    assert not page.locator(".readout").first.is_visible()
    assert page.locator(".funnel .stack i").count() >= 2
