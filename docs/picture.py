"""Take the pictures of the report that the README shows: `python docs/picture.py REPORT.html`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

WIDTH, MARGIN = 1200, 18
LAST_SHOWN = "#overlap figure"
MATRIX = "#similarity figure"
LARGEST_BYTES = 400_000


def main() -> int:
    """Photograph the top of a report and its first matrix at desktop width; needs Debian's chromium."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, nargs="?", default=Path("build/demo-lake/report.html"))
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where the pictures go")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("chromium is not installed: apt-get install chromium fonts-dejavu-core", file=sys.stderr)
        return 1
    if not given.report.is_file():
        print(f"{given.report} is not there: run make demo first.", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(given.report.absolute().as_uri())
        top = page.locator(LAST_SHOWN).first.bounding_box()
        height = MARGIN + (top["y"] + top["height"] if top else 1500)
        pictures = [given.folder / "report.png", given.folder / "similarity.png"]
        page.screenshot(path=pictures[0], full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        page.locator(MATRIX).first.screenshot(path=pictures[1])
        browser.close()
    for path in pictures:
        print(f"{path}  ({path.stat().st_size / 1000:.0f} kB)")
    if any(path.stat().st_size > LARGEST_BYTES for path in pictures):
        print(f"That is more than {LARGEST_BYTES / 1000:.0f} kB: show less of the page.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
