"""`matlake curate`: homogeneous subsets as saved, versioned recipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Output, Root, open_lake

if TYPE_CHECKING:
    from lake.store.lake import Lake


def command(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of the subset: a–z, 0–9, _ and -.")] = None,
    versions: Annotated[
        list[int] | None, typer.Argument(help="After --show, --verify, --left-out: a version; after --diff: two.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", "-w", help="A rule in SQL over calculation_traits; several allowed.")
    ] = None,
    functional: Annotated[str | None, typer.Option("--functional", help="Functional to keep, such as pbe.")] = None,
    functional_of: Annotated[str | None, typer.Option("--functional-of", help="both (default), energy or gap.")] = None,
    unknown_functional: Annotated[
        str | None, typer.Option("--unknown-functional", help="keep (default) or drop rows of unknown functional.")
    ] = None,
    hubbard_u: Annotated[
        str | None, typer.Option("--hubbard-u", help="any (default), none, or same: one +U within a material.")
    ] = None,
    unknown_hubbard_u: Annotated[
        str | None, typer.Option("--unknown-hubbard-u", help="keep (default) or drop rows of unknown +U.")
    ] = None,
    complete: Annotated[str | None, typer.Option("--complete", help="Columns, with commas, that need a value.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Databases, with commas; default all.")] = None,
    deprecated: Annotated[
        bool | None, typer.Option("--deprecated/--not-deprecated", help="Keep what a source withdrew; default not.")
    ] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Learn a rule over settings from similarities.")] = False,
    similarity: Annotated[
        float | None, typer.Option("--similarity", help="What counts as alike in learning; default 0.75.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Alike to the converged (default) calculation, or the medoid.")
    ] = None,
    share: Annotated[
        float | None, typer.Option("--share", help="Share of alike ones that settings need; default 0.9.")
    ] = None,
    unknown_settings: Annotated[
        str | None, typer.Option("--unknown-settings", help="drop (default) or keep rows that state no such setting.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option("--grid", help="Fingerprints to learn from, and to choose the most typical one by.")
    ] = None,
    correct: Annotated[
        str | None, typer.Option("--correct", help="Bring formation energies to the level of this database.")
    ] = None,
    correct_at_least: Annotated[
        int | None, typer.Option("--correct-at-least", help="Common materials that an element needs; default 5.")
    ] = None,
    members: Annotated[str | None, typer.Option("--members", help="all (default), or one representative.")] = None,
    per: Annotated[str | None, typer.Option("--per", help="material (default) or material-and-source.")] = None,
    key_kind: Annotated[str | None, typer.Option("--key-kind", help="reduced_key (default) or cell_key.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Shares of train, validation, test; default 0.8,0.1,0.1.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="A recipe as .toml or .json; other options come on top.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be, and save nothing.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Show a saved version; default the newest.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="What changed between two versions, and why.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Run a version again and compare the digests.")] = False,
    left_out: Annotated[bool, typer.Option("--left-out", help="List what a version left out, and why.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the subsets and their versions.")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json; lists also csv and parquet.")] = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Carve a homogeneous subset: the same recipe on the same tables gives the same members, always.

    A name that is known, without rules: its newest recipe on the tables as they are now.
    """
    from flows import subsets as shown
    from lake.errors import SettingsError

    asked = [option for option, given in (
        ("--show", show), ("--diff", diff), ("--verify", verify), ("--left-out", left_out), ("--list", list_),
    ) if given]
    learned = {"similarity": similarity, "reference": reference, "share": share, "unknown_settings": unknown_settings}
    given: dict[str, Any] = {
        "where": where, "functional": functional, "functional_of": functional_of,
        "unknown_functional": unknown_functional, "hubbard_u": hubbard_u, "unknown_hubbard_u": unknown_hubbard_u,
        "complete": _words(complete), "sources": _words(source), "deprecated": deprecated, "correct": correct,
        "correct_at_least": correct_at_least, "members": members, "per": per, "key_kind": key_kind,
        "split": _numbers(split), "grid": grid,
    }
    options = {field: value for field, value in given.items() if value is not None and value != []}
    learned = {field: value for field, value in learned.items() if value is not None}
    if learned and not (learn or recipe):
        raise SettingsError(f"--{next(iter(learned)).replace('_', '-')} needs --learn.")
    if len(asked) > 1:
        raise SettingsError(f"{' and '.join(asked)}: give one of them.")
    if asked and (options or learn or recipe or dry_run):
        raise SettingsError(f"{asked[0]} looks at saved versions and takes no rules.")
    if versions and (not asked or list_):
        raise SettingsError("A version is meant for --show, --diff, --verify or --left-out.")
    shown.check_format(format_, output, lists=left_out or list_)
    lake = open_lake(ctx, root)
    if list_:
        shown.show_list(lake, name, format_, output)
        return
    if name is None:
        raise SettingsError("Which subset? matlake curate NAME …, or matlake curate --list.")
    if asked:
        _look(lake, name, asked[0], versions or [], format_, output)
        return
    chosen = shown.recipe_of(lake, name, recipe, options, {"grid": grid} | learned if learn and grid else learned,
                             learn)
    shown.make(lake, chosen, format_, output, save=not dry_run)


def _look(lake: Lake, name: str, option: str, versions: list[int], format_: str, output: Path | None) -> None:
    from flows import subsets as shown
    from lake.errors import SettingsError

    most = 2 if option == "--diff" else 1
    if len(versions) > most or (option == "--diff" and len(versions) != most):
        raise SettingsError(f"{option} takes {'two versions' if most == 2 else 'one version at most'}.")
    version = versions[0] if versions else None
    if option == "--show":
        shown.show(lake, name, version, format_, output)
    elif option == "--diff":
        shown.show_difference(lake, name, versions[0], versions[1], format_, output)
    elif option == "--verify":
        shown.show_verdict(lake, name, version, format_, output)
    else:
        shown.show_left_out(lake, name, version, format_, output)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str | None) -> list[float] | None:
    from lake.errors import SettingsError

    try:
        return None if text is None else [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingsError(f"--split {text!r}: three numbers with commas, such as 0.8,0.1,0.1.") from None
