"""What the commands share: the option that names the lake, and opening it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lake.store.lake import Lake

Root = Annotated[
    str | None,
    typer.Option("--root", help="The lake: a folder or s3://bucket/prefix. Default: MATLAKE_ROOT, else lake-data."),
]


def open_lake(ctx: typer.Context, root: str | None) -> Lake:
    """The lake that the options name; `--root` may stand before or after the command."""
    from lake.store.lake import Lake

    return Lake.open(root or ctx.obj)
