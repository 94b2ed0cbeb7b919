"""`matlake search`: the best architecture and training of a network, without paying for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    from flows.search_request import Asked


def command(
    ctx: typer.Context,
    subset: Annotated[str | None, typer.Argument(help="A subset: NAME (newest version) or NAME@VERSION. Nothing: rows "
                                                 "by --where or --source.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Column to predict: formation_energy_ev_per_atom, "
                                        "band_gap_ev, …")] = "formation_energy_ev_per_atom",
    model: Annotated[str, typer.Option("--model", "-m", help="Kind of network: mpeu, schnet or painn.")] = "mpeu",
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "a subset, over its members.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Databases, with commas; default all.")] = None,
    space: Annotated[str, typer.Option("--space", help="What is varied: paper (of Speckhard et al., for millions of "
                                       "steps), short (for some ten thousand), or a file in JSON or TOML.")] = "paper",
    sampler: Annotated[str, typer.Option("--sampler", help="How candidates are chosen: tpe, random or evolutionary.")
                       ] = "tpe",
    pruner: Annotated[str, typer.Option("--pruner", help="Who is ended early: hyperband, halving (more eager) or none.")
                      ] = "hyperband",
    candidates: Annotated[int | None, typer.Option("--candidates", "-n", help="How many; default 48, one round of "
                                                   "Hyperband.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Gradient steps of a training to its end; default: by "
                                              "the number of rows.")] = None,
    least_steps: Annotated[int | None, typer.Option("--least-steps", help="Steps before any candidate is ended; "
                                                    "default 1/27 of all.")] = None,
    finishers: Annotated[int, typer.Option("--finishers", help="Of every bracket at least so many are trained to their "
                                           "end.")] = 3,
    per_shape: Annotated[int, typer.Option("--per-shape", help="Candidates of every sampled shape, which differ in "
                                           "rates and dropout and are trained together; pays on a GPU.")] = 1,
    stacked: Annotated[int | None, typer.Option("--stacked", help="Candidates of one shape that share batches at "
                                                "most; default 8.")] = None,
    ensemble: Annotated[int | None, typer.Option("--ensemble", help="So many of the best are trained anew and answer "
                                                 "together; 0 = none. Default 3.")] = None,
    challenge: Annotated[str | None, typer.Option("--challenge", help="Offer the ensemble as challenger to the "
                                                  "champion of this name (matlake retrain).")] = None,
    margin: Annotated[float, typer.Option("--margin", help="How much worse a challenger may be, as a share of the "
                                          "champion's error.")] = 0.05,
    price: Annotated[float | None, typer.Option("--price", help="Of an hour on the device, in any currency.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of search and ensemble; default: rows, target and "
                                             "kind.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of sampling, weights and batches.")] = 0,
    split_seed: Annotated[int, typer.Option("--split-seed", help="0 = the splits of all subsets.")] = 0,
    split: Annotated[str | None, typer.Option("--split", help="Shares of train, validation, test; default those of the "
                                              "subset, else 0.8,0.1,0.1.")] = None,
    key: Annotated[str, typer.Option("--key", help="What makes two rows the same material: reduced_key or cell_key.")
                   ] = "reduced_key",
    device: Annotated[str | None, typer.Option("--device", help="auto (default), cpu or cuda.")] = None,
    workers: Annotated[str | None, typer.Option("--workers", help="Where candidates are trained: here, processes, "
                                                "scheduler or tcp://host:port. Default: a process per core, on a GPU "
                                                "here.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="What all candidates have in common, as "
                                                   "path=value, such as graph.n_neighbours=24; may be given "
                                                   "several times.")] = None,
    mixed_references: Annotated[bool, typer.Option("--mixed-references", help="Let formation energies against several "
                                                   "references be mixed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Search also what was searched before, and train all anew.")
                     ] = False,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Find the best architecture and training of a graph network.

    Candidates compete: most are ended early, those of equal shape are trained together. The same command after an
    interruption goes on where it stopped, and nothing is trained twice. The best few are trained anew as an ensemble.
    """
    from flows.search_request import asked_of
    from flows.search_tables import run
    from flows.terminal import check_format
    from flows.transfer_request import settings_of
    from flows.words import shares, words
    from lake.errors import SettingsError

    check_format(format_, output)
    if subset is None and where is None and source is None:
        raise SettingsError("A search on which rows? Give a subset, --where \"a condition\" or --source DATABASE. "
                            "matlake curate --list shows the subsets.")
    asked: Asked = asked_of(
        target=target, model=model, subset=subset, condition=where, sources=words(source), space=space,
        sampler=sampler, pruner=pruner, candidates=candidates, steps=steps, least_steps=least_steps,
        finishers=finishers, per_shape=per_shape, stacked=stacked, ensemble=ensemble, challenge=challenge,
        margin=margin, price=price, name=name, seed=seed, split_seed=split_seed, split=shares(split), key=key,
        mixed_references=mixed_references, device=device, settings=settings_of(set_ or []),
    )
    run(open_lake(ctx, root), asked, workers, again, format_, output)
