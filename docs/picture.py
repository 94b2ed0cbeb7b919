"""Take the picture of the report that the README shows: `python docs/picture.py REPORT.html`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

WIDTH, MARGIN = 1200, 18
LAST_SHOWN = "#overlap figure"
LARGEST_BYTES = 400_000


def main() -> int:
    """Photograph the top of a report at desktop width; needs Debian's chromium."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, nargs="?", default=Path("build/demo-lake/report.html"))
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("report.png"))
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
        shown = page.locator(LAST_SHOWN).first.bounding_box()
        height = MARGIN + (shown["y"] + shown["height"] if shown else 1500)
        page.screenshot(
            path=given.output, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}
        )
        browser.close()
    size = given.output.stat().st_size
    print(f"{given.output}  ({size / 1000:.0f} kB)")
    if size > LARGEST_BYTES:
        print(f"That is more than {LARGEST_BYTES / 1000:.0f} kB: let LAST_SHOWN be an earlier part.", file=sys.stderr)
    return int(size > LARGEST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
