"""`matlake models`: which models there are, what one of them is, and how it comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import Format, Output, Root, open_lake


def command(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="A model: NAME (newest version) or NAME.VERSION. Nothing: list "
                                                "them.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="List only models of this column.")] = "any",
    spec: Annotated[bool, typer.Option("--spec", help="Write the model's settings as JSON, which matlake train --spec "
                                       "reads.")] = False,
    export: Annotated[Path | None, typer.Option("--export", help="Write the model into a folder.")] = None,
    import_: Annotated[Path | None, typer.Option("--import", help="Take a model from a folder, under the name that is "
                                                 "given. It is read as data, never run.")] = None,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """List trained models with their errors, show one model's card, or pass models on."""
    from flows import model_tables as shown
    from flows.terminal import check_format
    from lake.errors import SettingsError

    given = [name for name, value in (("--spec", spec), ("--export", export), ("--import", import_)) if value]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)}: give one of them.")
    if given and model is None:
        raise SettingsError(f"{given[0]}: of which model? matlake models NAME {given[0]} …")
    check_format(format_, output)
    lake = open_lake(ctx, root)
    if model is None:
        shown.show_list(lake, target, format_, output)
    elif spec:
        shown.show_spec(lake, model, output)
    elif export is not None:
        shown.export(lake, model, export)
    elif import_ is not None:
        shown.take(lake, import_, model)
    else:
        shown.show_card(lake, model, format_, output)
