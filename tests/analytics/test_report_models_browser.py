"""Models in a real browser: silent, readable on a phone, and a table of elements to choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from model_lakes import put_all
from report_lakes import settings
from test_report_browser import browser, open_page  # noqa: F401

from analytics.report import write_report
from lake.store.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_report(put_all(Lake.open(str(folder / "lake"), settings())), folder / "report.html")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (380, "dark")])
def test_silent_readable_and_nothing_on_top_of_each_other(
    browser: Browser, report: Path, width: int, scheme: str,  # noqa: F811
) -> None:
    page, asked, said = open_page(browser, report, width, scheme)
    assert [url for url in asked if not url.startswith("data:") and url != report.as_uri()] == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wrong = page.evaluate("""() => {
      const found = [];
      for (const svg of document.querySelectorAll("#transfer svg.figure, #models svg.figure")) {
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
      for (const cell of document.querySelectorAll("#transfer .element, #models .element, td.cell, .parity-panel"))
        if (cell.offsetParent && (cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 1))
          found.push(cell.textContent.trim());
      return found;
    }""")
    assert wrong == []


def test_another_table_of_elements_is_chosen(browser: Browser, report: Path) -> None:  # noqa: F811
    page, _, said = open_page(browser, report, 1280)
    figure = page.locator("#transfer .choice-figure").first
    assert figure.locator(".choice-view:not([hidden])").count() == 1
    select = figure.get_by_label("model and database")
    before = figure.locator(".choice-view:not([hidden]) .pair").inner_text()
    select.select_option(index=3)
    after = figure.locator(".choice-view:not([hidden]) .pair").inner_text()
    assert after != before
    assert select.locator("option").nth(3).inner_text() in after
    assert said == []


def test_it_is_whole_without_script(browser: Browser, report: Path) -> None:  # noqa: F811
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    views = page.locator("#transfer .choice-figure").first.locator(".choice-view")
    assert views.count() >= 8
    assert all(view.is_visible() for view in views.all())
