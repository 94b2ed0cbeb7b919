"""`matlake predict`: what a model says of calculations of the lake, or of crystals in files."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import Format, Output, Root, open_lake


def command(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="A model: NAME (champion, else newest version), NAME.VERSION, or a "
                                         "folder with weights.safetensors and model.json.")],
    more: Annotated[list[str] | None, typer.Argument(help="Further structure files.", show_default=False)] = None,
    on: Annotated[list[str] | None, typer.Option("--on", help="A subset (NAME or NAME@VERSION), or structure files and "
                                                 "folders of them: CIF, POSCAR, extended XYZ, pymatgen's JSON, …; - "
                                                 "is the standard input.")] = None,
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "a subset, over its members.")] = None,
    database: Annotated[str | None, typer.Option("--database", help="Only calculations of these databases, with "
                                                 "commas.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="For models with settings as inputs: at the level of "
                                               "which database.")] = None,
    functional: Annotated[str | None, typer.Option("--functional", help="The same: which functional.")] = None,
    input_: Annotated[list[str] | None, typer.Option("--input", help="The same: any other of its inputs, as "
                                                     "NAME=VALUE; VALUE may be unknown.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep the predictions in the table predictions.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "cpu",
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Predict for a subset or for structure files: value, uncertainty, and whether the model has seen the like.

    An uncertainty needs a model of several members (matlake train --members 4). A material that lies outside what the
    model has seen is told with the reason. Files that cannot be read are named, the others predicted; the exit status
    is then 1.
    """
    from flows.predicting import Asked, run
    from flows.terminal import check_format

    check_format(format_, output)
    level = {"source": source, "functional": functional} | _settings(input_ or [])
    given = {name: value for name, value in level.items() if value is not None}
    asked = Asked(model, [*(on or []), *(more or [])], where, _words(database), given, save, device)
    run(open_lake(ctx, root), asked, format_, output)


def _settings(words: list[str]) -> dict[str, str | None]:
    from lake.errors import SettingsError

    found: dict[str, str | None] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given or not name or not value:
            raise SettingsError(f"--input {word!r:.80}: give it as NAME=VALUE, such as cutoff_ev=520.")
        found[name] = value
    return found


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
