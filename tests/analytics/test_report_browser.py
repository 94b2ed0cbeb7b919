"""The report in a real browser: silent, without a network, readable on a phone, and sortable."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_lakes import calculation, fill, reject, settings

from analytics.report import write_report
from lake.store.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = '<script>document.title = "taken"</script><img src="https://example.org/x.png" onerror="alert(1)">'
ANIONS = ("O", "F", "Cl", "S", "N")
METALS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Al", "La", "U")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    lake = Lake.open(str(folder / "lake"), settings())
    rows = []
    for source, shift in (("aflow", 0.0), ("mp", -0.3), ("nomad", 0.1)):
        for i, metal in enumerate(METALS):
            for j, anion in enumerate(ANIONS):
                energy = -0.3 * i + shift * (1 + 0.1 * j)
                rows += [
                    calculation(source, f"{metal}{anion}{k}", {metal: 1 + k % 2, anion: 1}, band_gap_ev=0.1 * (i + j),
                                formation_energy_ev_per_atom=energy, license=HOSTILE)
                    for k in range(3)
                ]
    fill(lake, "calculations", rows)
    fill(lake, "rejects", [reject("mp", f"{HOSTILE} {i}", reason=f"reason_{i}") for i in range(4)])
    return write_report(lake, folder / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium fonts-dejavu-core")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def open_page(browser: Browser, report: Path, width: int, scheme: str = "light") -> tuple[Page, list[str], list[str]]:
    """The page at a width, with what it asked for and what it complained about."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    return page, asked, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_no_network_no_complaint_no_sideways_scrolling(browser: Browser, report: Path, width: int, scheme: str) -> None:
    page, asked, said = open_page(browser, report, width, scheme)
    assert [url for url in asked if url not in (report.as_uri(), "data:,")] == []
    assert said == []
    assert page.title() == "lake · matlake report"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 380])
def test_no_text_is_cut(browser: Browser, report: Path, width: int) -> None:
    page, _, _ = open_page(browser, report, width)
    cut = page.evaluate("""() => {
      const found = [];
      for (const text of document.querySelectorAll("svg text")) {
        const inner = text.getBoundingClientRect(), outer = text.closest("svg").getBoundingClientRect();
        if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1
            || inner.bottom > outer.bottom + 1) found.push(text.textContent);
      }
      for (const cell of document.querySelectorAll(".element, .tiles div, .card, td.heat"))
        if (cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 1)
          found.push(cell.textContent.trim());
      return found;
    }""")
    assert cut == []


def test_axis_texts_do_not_overlap(browser: Browser, report: Path) -> None:
    page, _, _ = open_page(browser, report, 380)
    overlapping = page.evaluate("""() => {
      const found = [];
      for (const group of [...document.querySelectorAll("svg"), ...document.querySelectorAll(".ticks")]) {
        const boxes = [...group.querySelectorAll("text, span")].map((t) => [t.textContent, t.getBoundingClientRect()])
          .filter(([, box]) => box.width > 0);
        for (const [i, [a, x]] of boxes.entries()) for (const [b, y] of boxes.slice(i + 1))
          if (x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 3 && y.top < x.bottom - 3)
            found.push([a, b]);
      }
      return found;
    }""")
    assert overlapping == []


def test_a_table_can_be_sorted(browser: Browser, report: Path) -> None:
    page, _, said = open_page(browser, report, 1280)
    table = page.locator("#duplicates table")
    table.locator("thead button", has_text="formation energy").click()
    energies = table.locator("tbody tr td:nth-of-type(3)").all_inner_texts()
    values = [float(text.split()[0].replace("−", "-")) for text in energies]
    assert values == sorted(values, reverse=True)
    table.locator("thead button", has_text="formation energy").click()
    again = table.locator("tbody tr td:nth-of-type(3)").all_inner_texts()
    assert [float(text.split()[0].replace("−", "-")) for text in again] == sorted(values)
    assert said == []


def test_it_is_whole_without_script(browser: Browser, report: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert page.locator("figure").count() >= 10
    assert page.locator("svg.figure").count() >= 8
    assert page.locator(".element:not(.absent):not(.range)").count() >= 15


def test_it_prints(browser: Browser, report: Path) -> None:
    page, _, _ = open_page(browser, report, 1280)
    assert len(page.pdf(format="A4")) > 50_000
