"""Models in the demo: how far a network carries from one database to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.terminal import out
from lake.errors import InputError

if TYPE_CHECKING:
    from lake.store.lake import Lake

SOURCES = ("aflow", "mp")
"""The databases whose records state formation energies."""


def run_models(lake: Lake, number: int) -> None:
    """Train a model per database and some on both, briefly, and show what each is worth on each.

    Args:
        lake: the lake; models and an experiment are written into it.
        number: of the step.

    Raises:
        WorkerError: a model could not be trained.
    """
    from pydantic import SecretStr

    from flows.transfer_request import request_of
    from flows.transfer_tables import run_transfer, show
    from lake.store.lake import Lake

    out.print(f"[bold]{number}  Transfer[/bold] models from one database to another, trained for seconds only")
    # The demo shows the lake's own tables; a tracker would start a process of its own for each of these models.
    quick = lake.settings.model_copy(update={"tracking_uri": SecretStr("off")})
    request = request_of(target="formation_energy_ev_per_atom", sources=SOURCES)
    try:
        show(run_transfer(Lake.open(lake.root.uri, quick), request), "table", None)
    except InputError as error:
        # Other records than the shipped ones may have too few energies for this; what comes after needs none.
        out.print(f"  left out: {error}", soft_wrap=True, markup=False)
    out.print()
