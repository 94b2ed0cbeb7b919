"""`matlake convergence`: how one material's calculations agree, by their settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import Root, open_lake

if TYPE_CHECKING:
    from analytics.convergence.convergence import Convergence
    from analytics.convergence.pair import PairDetail

FORMATS = ("table", "json")
SUFFIXES = (".html", ".json")


def command(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="The material: a cell_key or a reduced_key, such as BN_194.")],
    level: Annotated[float, typer.Option("--level", help="Similarity that counts as converged.")] = 0.9,
    grid: Annotated[str, typer.Option("--grid", help="Grid of the fingerprints, by name or id.")] = "reference",
    pair: Annotated[
        tuple[str, str] | None, typer.Option("--pair", help="Two calculation ids to be shown in detail.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .html page or .json file.")] = None,
    root: Root = None,
) -> None:
    """Say which settings a material's densities of states depend on, and where they are converged."""
    from analytics.convergence.convergence import convergence_of
    from analytics.convergence.pair import pair_detail
    from analytics.fingerprints import kinds
    from flows.terminal import err

    _check(format_, output, pair)
    lake = open_lake(ctx, root)
    grid_id = kinds.find(grid, lake).grid_id
    found = convergence_of(lake, key, grid_id, level)
    detail = pair_detail(lake, *pair, grid_id) if pair else None
    if output is not None and output.suffix == ".html":
        from analytics.report.convergence_page import convergence_page

        output.write_text(convergence_page(lake, found), encoding="utf-8")
    elif output is not None:
        output.write_bytes(_json(found, detail))
    else:
        _show(found, detail, format_)
    if output is not None:
        err.print(f"{len(found.ids):,} calculations of {key}: {output}", soft_wrap=True, markup=False)


def _check(format_: str, output: Path | None, pair: tuple[str, str] | None) -> None:
    """Refuse what cannot be written before any work is done.

    Raises:
        SettingsError: there is no such format, or it holds no pair of one's own choice.
    """
    from lake.errors import SettingsError

    if format_ not in FORMATS:
        raise SettingsError(f"--format {format_!r:.40}: one of {', '.join(FORMATS)}.")
    if output is not None and output.suffix not in SUFFIXES:
        raise SettingsError(f"--output {str(output)!r:.200}: a name that ends in {' or '.join(SUFFIXES)}.")
    if pair and output is not None and output.suffix == ".html":
        raise SettingsError("--pair is shown in a terminal and in JSON; a .html page chooses its pairs itself.")


def _json(found: Convergence, detail: PairDetail | None) -> bytes:
    import orjson

    document = found.document() | ({"pair": detail.document()} if detail else {})
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def _show(found: Convergence, detail: PairDetail | None, format_: str) -> None:
    import sys

    if format_ == "json":
        sys.stdout.buffer.write(_json(found, detail))
        sys.stdout.buffer.flush()
        return
    from flows.convergence_tables import pair_table, tables_of
    from flows.terminal import out

    for table in tables_of(found):
        out.print(table)
        out.print()
    if detail:
        out.print(pair_table(detail))
