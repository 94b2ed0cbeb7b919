"""`matlake sisso`: formulas from a subset or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import Format, Output, Root, open_lake
from flows.words import words

if TYPE_CHECKING:
    from ml.data import Selection
    from ml.sisso.settings import SissoSettings


def command(
    ctx: typer.Context,
    rows: Annotated[str | None, typer.Argument(help="A subset (NAME or NAME@VERSION), or a table: a CSV or Parquet "
                                               "file. Nothing: rows by --where or --source.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Column that formulas are to say. Of a table: numbers, "
                                        "or text that tells classes apart.")] = "",
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "a subset, over its members.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Databases, with commas; default all.")] = None,
    features: Annotated[str | None, typer.Option("--features", help="Primary features, with commas. Of a table: "
                                                 "columns, default all numbers; of the lake: volume_angstrom3_per_atom,"
                                                 " mean_electronegativity, …")] = None,
    exclude: Annotated[str | None, typer.Option("--exclude", help="Not these features, with commas.")] = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", help="Of a table: a column's unit as column=unit, where "
                                                   "its name does not say it; column=1 for a plain number. May be "
                                                   "given several times.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="Column whose values share the descriptor and have "
                                             "coefficients of their own, such as source.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Of a table: column of which all rows of one value are "
                                              "in one fold.")] = None,
    boundaries: Annotated[str | None, typer.Option("--boundaries", help="Tell classes apart that these values of the "
                                                   "target bound, with commas.")] = None,
    dimensions: Annotated[int, typer.Option("--dimensions", help="Terms in the formula at most, 1 to 5.")] = 3,
    rung: Annotated[int, typer.Option("--rung", help="How deep operators are nested, 0 to 3.")] = 2,
    operators: Annotated[str | None, typer.Option("--operators", help="Operators, with blanks; default: + - |-| * / "
                                                  "exp exp- ^-1 ^2 ^3 sqrt cbrt log. Also: ^6 |x| sin cos.")] = None,
    max_operators: Annotated[int | None, typer.Option("--max-operators", help="Operators in a feature at most.")
                                 ] = None,
    screened: Annotated[int | None, typer.Option("--screened", help="Features that each dimension adds to the "
                                                 "exhaustive search; default: by the number of combinations.")] = None,
    residuals: Annotated[int, typer.Option("--residuals", help="So many of the best formulas of one dimension screen "
                                           "for the next.")] = 5,
    memory_gb: Annotated[float, typer.Option("--memory-gb", help="Memory for features.")] = 2.0,
    most_candidates: Annotated[float, typer.Option("--most-candidates", help="More features are refused before any of "
                                                   "them is built.")] = 2e10,
    most_minutes: Annotated[float | None, typer.Option("--most-minutes", help="A screening that is expected to take "
                                                       "longer is refused; default: as long as it takes.")] = None,
    folds: Annotated[int, typer.Option("--folds", help="Cross-validation in so many folds, by material or --group, of "
                                       "the whole procedure; 0 = none.")] = 0,
    dimension: Annotated[int | None, typer.Option("--dimension", help="Of the formula that becomes a model; default: "
                                                  "the best under cross-validation, else on validation rows.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of search and model; default: rows and target.")
                    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the folds.")] = 0,
    key: Annotated[str, typer.Option("--key", help="What makes two rows the same material: reduced_key or cell_key.")
                   ] = "reduced_key",
    mixed_references: Annotated[bool, typer.Option("--mixed-references", help="Let formation energies against several "
                                                   "references be mixed.")] = False,
    device: Annotated[str, typer.Option("--device", help="Where features are screened: cpu, cuda or auto.")] = "cpu",
    again: Annotated[bool, typer.Option("--again", help="Search also what was searched before.")] = False,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Find formulas of one to five terms for a target, with units respected (SISSO).

    The same command after an interruption goes on after the last dimension. Formulas are kept as text, LaTeX and SQL
    (matlake sql formulas); the best one for rows of the lake becomes a model.
    """
    from flows.sisso import Asked, run
    from flows.terminal import check_format
    from lake.errors import SettingsError
    from ml.data.table import units_given
    from ml.sisso.operators import DEFAULT
    from ml.sisso.settings import SissoSettings
    from ml.sisso.sources import Columns
    from ml.sisso.space import SpaceSettings

    check_format(format_, output)
    if not target:
        raise SettingsError("A formula for what? Give --target COLUMN.")
    space = SpaceSettings(rung=rung, operators=tuple(operators.split()) if operators else DEFAULT,
                          max_operators=max_operators, memory_gb=memory_gb, most_candidates=most_candidates,
                          most_minutes=most_minutes)
    settings: SissoSettings = SissoSettings(dimensions=dimensions, screened=screened, residuals=residuals, space=space,
                                            n_folds=folds, seed=seed, device=device)
    columns = Columns(words(features), words(exclude), task, group, _numbers(boundaries))
    table = _table(rows)
    selection = None
    if table is None:
        selection = _selection(rows, target, where, source, key, mixed_references)
        if unit:
            raise SettingsError("--unit belongs to a table; features of the lake have their units.")
    elif where or source or dimension is not None:
        raise SettingsError("--where, --source and --dimension belong to rows of the lake, and a table was given.")
    asked = Asked(target, table, units_given(unit or ()), selection, columns, settings, name, dimension, again)
    run(open_lake(ctx, root), asked, format_, output)


def _table(rows: str | None) -> Path | None:
    """The file that is meant; None = a subset."""
    from ml.data.table import READABLE

    return Path(rows) if rows is not None and rows.lower().endswith(READABLE) else None


def _selection(
    subset: str | None, target: str, where: str | None, source: str | None, key: str, mixed_references: bool
) -> Selection:
    from lake.errors import SettingsError
    from ml.data import Selection

    if subset is None and where is None and source is None:
        raise SettingsError("Formulas for which rows? Give a subset, a table (CSV or Parquet), --where \"a condition\" "
                            "or --source DATABASE.")
    return Selection(target, subset=subset, where=where, sources=words(source), key_kind=key,
                     mixed_references=mixed_references)


def _numbers(text: str | None) -> tuple[float, ...]:
    from lake.errors import SettingsError

    try:
        return tuple(float(word) for word in words(text))
    except ValueError:
        raise SettingsError(f"--boundaries {text!r:.80}: numbers with commas are needed, such as 0.5,2.") from None
