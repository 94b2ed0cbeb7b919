"""`matlake complexity`: how complex models are, and what that is worth."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import Format, Output, Root, open_lake

STUDIES = ("forest-against-network", "sisso-against-network")


def command(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL…", help="Names or ids; default: all models of "
                                                       "the lake.")] = None,
    a: Annotated[float, typer.Option("--a", help="What a parameter costs that is added, in C(h) = a·A + b·L + c·N.")
                 ] = 1.0,
    b: Annotated[float, typer.Option("--b", help="What one costs that the output is linear in.")] = 1.0,
    c: Annotated[float, typer.Option("--c", help="What one costs inside a nonlinear function.")] = 1.0,
    study: Annotated[str | None, typer.Option("--study", help="One of the paper's examples: forest-against-network "
                                              "(band gaps from composition) or sisso-against-network (numerical "
                                              "precision).")] = None,
    match: Annotated[bool, typer.Option("--match", help="Classes against one another at nearly as many parameters: of "
                                        "the lake's models, or with --source, --subset or --where of models that are "
                                        "trained on those rows.")] = False,
    subset: Annotated[str | None, typer.Option("--subset", help="Rows to train on: a subset, NAME or NAME@VERSION.")
                      ] = None,
    where: Annotated[str | None, typer.Option("--where", "-w", help="Rows to train on: a condition in SQL over "
                                              "calculation_traits.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Rows to train on: databases, with commas; the study's "
                                               "default is aflow.")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Column to predict; default band_gap_ev, of a "
                                               "table binary_energy_error and what else its study knows.")] = None,
    kinds: Annotated[str | None, typer.Option("--kinds", help="With --match: kinds of models to train, with commas; "
                                              "default forest,mlp.")] = None,
    sizes: Annotated[str | None, typer.Option("--sizes", help="Numbers of parameters, with commas.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Gradient steps of networks; default: by the number of "
                                              "rows.")] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Share by which matched numbers of parameters may "
                                             "differ.")] = 0.1,
    table: Annotated[str | None, typer.Option("--table", help="Of sisso-against-network: CSV or Parquet file, or the "
                                              "name of a shipped table.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Of sisso-against-network: column of which all rows of "
                                              "one value are kept together; default the chemical formula.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, trees and folds.")] = 0,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Measure models: parameters that add, that the output is linear in, and inside nonlinear functions.

    Rows go to the table complexities; matlake sql complexity shows them beside the errors, matlake sql
    model_comparisons one class against the other.
    """
    from flows.complexity import Asked, check, run
    from flows.terminal import check_format

    check_format(format_, output)
    asked = Asked(
        models=tuple(models or ()), a=a, b=b, c=c, study=study, match=match, subset=subset, where=where,
        sources=tuple(_words(source)), target=target, kinds=tuple(_words(kinds)), sizes=_numbers(sizes), steps=steps,
        tolerance=tolerance, table=table, group=group, seed=seed,
    )
    check(asked)
    run(open_lake(ctx, root), asked, format_, output)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _numbers(text: str | None) -> tuple[int, ...]:
    from lake.errors import SettingsError

    try:
        found = tuple(int(word.replace("_", "")) for word in _words(text))
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise SettingsError(f"--sizes {text!r:.80}: whole numbers of parameters with commas, such as 1000,10000.")
    return found
