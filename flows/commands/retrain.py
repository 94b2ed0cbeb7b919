"""`matlake retrain`: champions and challengers."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import Root, open_lake


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of models; naming one puts it under retraining. Default: all "
                                         "that are.")
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", help="How much worse a challenger may be, as a share of the champion's error.")
    ] = 0.05,
    curate: Annotated[
        bool, typer.Option("--curate/--no-curate", help="First make the subsets anew on the tables as they are.")
    ] = True,
    root: Root = None,
) -> None:
    """Train challengers where the data of champions changed; promote those that are not worse.

    Champion and challenger are compared on the same test rows, of materials that neither has seen. A name then means
    its champion: matlake predict NAME. The decisions: matlake sql retraining.
    """
    from flows.retraining import retrain_one
    from flows.terminal import err, out
    from flows.training import progress_bar
    from ml.registry import find
    from ml.registry.champion import enrolled
    from ml.retrain.decide import check_margin

    check_margin(margin)
    lake = open_lake(ctx, root)
    chosen = names or enrolled(lake)
    if not chosen:
        err.print("No model is under retraining: matlake retrain NAME puts the model NAME under it.", soft_wrap=True)
        return
    decided = False
    for name in dict.fromkeys(chosen):
        with progress_bar(str(find(lake, name)["unit"])) as progress:
            outcome = retrain_one(lake, name, margin, curate=curate, progress=progress)
        for line in outcome.warnings:
            err.print(line, soft_wrap=True, markup=False)
        out.print(outcome.message, soft_wrap=True, markup=False)
        decided = decided or outcome.decision is not None
    if decided:
        lake.refresh()
