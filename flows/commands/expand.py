"""`matlake expand`: a cluster expansion of a subset, linear and nonlinear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import Format, Output, Root, open_lake


def command(
    ctx: typer.Context,
    subset: Annotated[str | None, typer.Argument(help="Subset, NAME or NAME@VERSION. Nothing: rows by --where or "
                                                 "--source.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Column that is expanded, such as band_gap_ev.")] = "",
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "a subset, over its members.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Databases, with commas; default all.")] = None,
    parent: Annotated[list[Path] | None, typer.Option("--parent", help="Structure file of a parent lattice, its "
                                                      "species by --species; may be given several times. Default: "
                                                      "lattices are recognised.")] = None,
    species: Annotated[list[str] | None, typer.Option("--species", help="For the lattices given: what may be on the "
                                                      "sites of an element, as in Al=Al,Ga,In or Ga=Ga,X; X is an "
                                                      "empty site. May be given several times.")] = None,
    degrees: Annotated[str, typer.Option("--degrees", help="Degrees of the monomials, with commas; 1 = standard.")
                       ] = "1,2,3",
    pool: Annotated[str, typer.Option("--pool", help="small, large, or both with a comma: which clusters there are to "
                                      "choose from.")] = "small,large",
    small: Annotated[int, typer.Option("--small", help="Correlations of a lattice in the small pool, about.")] = 10,
    orbits: Annotated[int, typer.Option("--orbits", help="Correlations of a lattice in the large pool, about.")] = 27,
    orders: Annotated[int, typer.Option("--orders", help="Sites in a cluster at most, 2 to 4.")] = 3,
    method: Annotated[str, typer.Option("--method", help="omp, lasso or ridge.")] = "omp",
    max_features: Annotated[int, typer.Option("--max-features", help="Features of the largest model.")] = 200,
    features: Annotated[int | None, typer.Option("--features", help="Of the model that is saved; default: the fewest "
                                                 "within one standard error of the least error under "
                                                 "cross-validation.")] = None,
    degree: Annotated[int | None, typer.Option("--degree", help="Of the model that is saved; default: the best.")
                      ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Of the cross-validation.")] = 5,
    group: Annotated[str, typer.Option("--group", help="All rows of one are in one fold: composition (formula on a "
                                       "lattice), formula_reduced, reduced_key or cell_key.")] = "composition",
    memory_gb: Annotated[float, typer.Option("--memory-gb", help="Memory for the features of a lattice.")] = 2.0,
    name: Annotated[str | None, typer.Option("--name", help="Name of run and model; default: rows and target.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the folds.")] = 0,
    key: Annotated[str, typer.Option("--key", help="What makes two rows the same material in the splits: reduced_key "
                                     "or cell_key.")] = "reduced_key",
    mixed_references: Annotated[bool, typer.Option("--mixed-references", help="Let formation energies against several "
                                                   "references be mixed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Do also what was done before.")] = False,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Expand a property in cluster correlations, and say how far more features carry.

    Structures are mapped onto parent lattices; errors of the fit stand beside those under cross-validation. The same
    command after an interruption goes on where it stopped. The best expansion becomes a model: matlake predict.
    """
    from flows.expand import Asked, given_parents, run, slug
    from flows.terminal import check_format
    from flows.words import numbers, words
    from lake.errors import SettingsError
    from ml.data import Selection
    from ml.expand.settings import ExpandSettings

    check_format(format_, output)
    if not target:
        raise SettingsError("Expand what? Give --target COLUMN.")
    if subset is None and where is None and source is None:
        raise SettingsError("Expand which rows? Give a subset, --where \"a condition\" or --source DATABASE.")
    settings = ExpandSettings(
        degrees=numbers(degrees, "--degrees"), pools=words(pool), small=small, large=orbits, orders=orders,
        method=method, most_features=max_features, n_folds=folds, group=group, features=features, degree=degree,
        memory_gb=memory_gb, seed=seed,
    )
    selection = Selection(target, subset=subset, where=where, sources=words(source), key_kind=key,
                          mixed_references=mixed_references)
    parents = given_parents(parent or [], species or [])
    run(open_lake(ctx, root), Asked(selection, settings, parents, name or slug(selection), again), format_, output)
