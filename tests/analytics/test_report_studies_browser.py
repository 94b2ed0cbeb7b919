"""Expansions, formulas, complexity and searches in a real browser: silent, readable on a phone, nothing overlaps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import study_lakes
from report_lakes import settings
from test_report_browser import browser, open_page  # noqa: F401

from analytics.report import write_report
from lake.store.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SECTIONS = ("expressivity", "formulas", "complexity", "search")
WRONG = """(sections) => {
  const found = [];
  for (const name of sections) {
    const section = document.getElementById(name);
    for (const svg of section.querySelectorAll("svg.figure")) {
      const outer = svg.getBoundingClientRect();
      if (outer.width < 200 || outer.right > innerWidth + 1) found.push([name, "size", outer.width, outer.right]);
      const boxes = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
      for (const [i, [a, x]] of boxes.entries()) {
        if (x.left < outer.left - 1 || x.right > outer.right + 1 || x.top < outer.top - 1
            || x.bottom > outer.bottom + 1)
          found.push([name, "cut", a]);
        for (const [b, y] of boxes.slice(i + 1))
          if (x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 3 && y.top < x.bottom - 3)
            found.push([name, "on each other", a, b]);
      }
    }
    for (const one of section.querySelectorAll("p, li, h3, h4, h5, dd, dt, figcaption, pre")) {
      const box = one.getBoundingClientRect(), scroller = one.closest(".wide");
      if (!scroller && box.right > innerWidth + 1) found.push([name, "beyond the page", one.textContent.slice(0, 60)]);
    }
    for (const cell of section.querySelectorAll("td.cell, .tiles div"))
      if (cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 1)
        found.push([name, "too small", cell.textContent.trim()]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    lake = study_lakes.put_studies(Lake.open(str(folder / "lake"), settings()))
    return write_report(lake, folder / "report.html")


def test_the_sections_on_studies_are_readable_at_every_width(browser: Browser, report: Path) -> None:  # noqa: F811
    page, asked, said = open_page(browser, report, 1280)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(WRONG, SECTIONS) == []
    for name, figures in zip(SECTIONS, (6, 1, 1, 2), strict=True):
        section = page.locator(f"#{name}")
        assert section.locator("svg.figure").count() == figures
        assert section.locator("svg.figure path.learning").count() + section.locator("svg .dots").count() >= figures
        assert section.locator("tbody tr").count() >= 1
        assert len(section.inner_text()) > 500
    assert [url for url in asked if not url.startswith("data:") and url != report.as_uri()] == []
    assert said == []
