"""One HTML page on what a lake holds and how far its databases agree; readable without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lake.store.lake import Lake

__all__ = ["write_report"]


def write_report(lake: Lake, output: Path) -> Path:
    """Write the report of a lake to an HTML file; see :func:`analytics.report.page.write_report`."""
    from analytics.report import page

    return page.write_report(lake, output)
