"""`matlake transfer`: how far models carry from one database to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    from lake.store.lake import Lake


def command(
    ctx: typer.Context,
    sources: Annotated[str | None, typer.Option("--sources", "-s", help="Databases, two or more, with commas: "
                                                "aflow,mp. Default: all that have the target.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Column to predict: formation_energy_ev_per_atom, "
                                        "band_gap_ev, …")] = "formation_energy_ev_per_atom",
    model: Annotated[str, typer.Option("--model", "-m", help="mpeu, schnet, painn, forest or mlp.")] = "mpeu",
    full: Annotated[bool, typer.Option("--full", help="Train until it is good (minutes per model), not just until it "
                                       "can be seen how things lie.")] = False,
    roads: Annotated[str | None, typer.Option("--roads", help="Some of own, combined, settings (as inputs), corrected "
                                              "(targets); default all.")] = None,
    subset: Annotated[str | None, typer.Option("--subset", help="Rows of a subset: NAME or NAME@VERSION.")] = None,
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "--subset, over its members.")] = None,
    level: Annotated[str | None, typer.Option("--level", help="Database whose level targets are corrected to; "
                                              "default: the one with most rows.")] = None,
    members: Annotated[int, typer.Option("--members", help="Members of every ensemble.")] = 1,
    steps: Annotated[int | None, typer.Option("--steps", help="Gradient steps of every model; of a forest: trees.")
                     ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and batches.")] = 0,
    split_seed: Annotated[int, typer.Option("--split-seed", help="0 = the splits of all subsets; other numbers give "
                                            "others.")] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, as path=value, such as "
                                                   "training.learning_rate=1e-3; may be given several times.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Train also what was trained before.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Models trained at once, each in a process "
                                                "of its own; 1 = one after the other, here.")] = None,
    place: Annotated[str | None, typer.Option("--place", help="Where models are trained: here, processes, scheduler "
                                              "(MATLAKE_DASK_SCHEDULER) or an address.")] = None,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Train one model per database and some on all of them, and see what each is worth on every database.

    All rows of a material are on the same side in every database. The matrix shows errors on test rows with 95 %
    intervals; roads are compared with each database's own model. The same command after an interruption goes on.
    """
    from flows.terminal import check_format
    from flows.transfer_request import request_of, settings_of
    from flows.transfer_tables import run_transfer, show

    check_format(format_, output)
    request = request_of(
        target=target, sources=_words(sources), kind=model, full=full, roads=_words(roads), subset=subset,
        condition=where, level=level, members=members, steps=steps, seed=seed, split_seed=split_seed,
        settings=settings_of(set_ or []),
    )
    lake = _with_workers(open_lake(ctx, root), workers)
    found = run_transfer(lake, request, where=place or _place(workers), again=again)
    show(found, format_, output)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _with_workers(lake: Lake, workers: int | None) -> Lake:
    """The lake with that many local processes in its settings."""
    from lake.store.lake import Lake as AnyLake

    if workers is None:
        return lake
    changed: dict[str, Any] = {"dask_workers": workers}
    return AnyLake.open(lake.root.uri, lake.settings.model_copy(update=changed))


def _place(workers: int | None) -> str | None:
    return None if workers is None else "here" if workers == 1 else "processes"
