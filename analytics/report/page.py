"""The whole page: ask, lay out, write. One file that needs neither network nor script."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analytics.report import formats
from analytics.report.ask import Asker
from analytics.report.colours import css_gradient
from analytics.report.labels import label
from analytics.report.section import Section, Sources
from analytics.report.sections import (
    complexity,
    contents,
    coverage,
    duplicates,
    element_offsets,
    energies,
    expressivity,
    formulas,
    models,
    offsets,
    overlap,
    quality,
    retraining,
    search,
    similarity,
    subsets,
    transfer,
)
from lake import __version__
from lake.errors import InputError
from lake.store.lake import Lake

STYLES = ("style.css", "similar.css", "models.css")
SCRIPTS = ("script.js", "matrix.js", "pair.js", "choice.js")
COMPARISONS = (
    overlap, energies, offsets, element_offsets, similarity, subsets, transfer, models, retraining, search,
    expressivity, formulas, complexity, duplicates, coverage, quality,
)


def write_report(lake: Lake, output: Path) -> Path:
    """Write the report of a lake.

    Args:
        lake: what it is about; empty ones are fine.
        output: the HTML file; written whole or not at all.

    Returns:
        The absolute path of the file.

    Raises:
        InputError: the file cannot be written there.
        QueryError: a query of `sql/` fails.
    """
    content = render(lake, datetime.now(UTC))
    target = output.expanduser().absolute()
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(content, encoding="utf-8")
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"The report cannot be written to {target}: {error.strerror or error}. Give another file: "
            "--output FILE."
        ) from None
    return target


def render(lake: Lake, now: datetime) -> str:
    """The page as HTML; every part of it is of the same table versions."""
    with Asker.of(lake) as asker:
        rows = asker.rows("sources")
        sources = contents.sources_of(rows)
        sections = [contents.section(asker, rows, now)]
        sections += [module.section(asker, sources) for module in COMPARISONS]
        return environment_of(sources).get_template("page.html.j2").render(
            name=lake_name(lake), now=now, version=__version__, sections=sections, sources=sources,
            versions=asker.versions, tiles=_tiles(rows, sections, sources), **inline(),
        )


def lake_name(lake: Lake) -> str:
    """The last part of the lake's root: what is told to others is its name, not where it lies."""
    return lake.root.uri.rstrip("/").rsplit("/", 1)[-1] or "lake"


def _tiles(rows: list[dict[str, Any]], sections: list[Section], sources: Sources) -> list[tuple[str, str]]:
    """The few numbers that a reader wants first."""
    found = next((s for s in sections if s.name == "overlap"), None)
    pairs = found.content["views"][0]["rows"] if found and found.content else []
    common = max((r["common_keys"] for r in pairs if r["key_kind"] == "cell_key"), default=None)
    tiles = [
        (formats.count(sum(r["n_rows"] for r in rows)), "calculations"),
        (formats.count(len(rows)), "database" if len(rows) == 1 else "databases"),
    ]
    if common is not None:
        best = next(r for r in pairs if r["key_kind"] == "cell_key" and r["common_keys"] == common)
        pair = " and ".join(sources.short(best[f"{side}_source"]) for side in ("left", "right"))
        tiles.append((formats.count(common), f"materials common to {pair}"))
    tiles.append((formats.count(sum(r["n_dos"] for r in rows)), "densities of states"))
    tiles.append((formats.count(sum(r["n_rejects"] for r in rows)), "records rejected"))
    return tiles


def environment_of(sources: Sources) -> Environment:
    """The templates, with the filters that they use; everything they print is escaped."""
    environment = Environment(
        loader=PackageLoader("analytics.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    for name in ("count", "number", "signed", "percent", "moment", "shortened"):
        environment.filters[name] = getattr(formats, name)
    environment.filters["label"] = label
    environment.filters["short"] = sources.short
    environment.filters["colour"] = sources.colour
    environment.globals["explained"] = element_offsets.explained
    environment.globals["gradient"] = css_gradient()
    return environment


def inline() -> dict[str, Markup]:
    """Style and script, and the script's digest: the page's own policy lets no other script run."""
    folder = files("analytics.report").joinpath("templates")
    style, script = (
        "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names) for names in (STYLES, SCRIPTS)
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_digest": Markup(digest)}  # noqa: S704
