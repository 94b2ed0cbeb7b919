"""What the commands share: the lake that is meant, and in which form a table is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lake.store.lake import Lake

Root = Annotated[
    str | None,
    typer.Option("--root", help="The lake: a folder or s3://bucket/prefix. Default: MATLAKE_ROOT, else lake-data."),
]
Format = Annotated[str, typer.Option("--format", help="table, json, csv or parquet.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.")]


def open_lake(ctx: typer.Context, root: str | None) -> Lake:
    """The lake that the options name; `--root` may stand before or after the command."""
    from lake.store.lake import Lake

    return Lake.open(root or ctx.obj)
