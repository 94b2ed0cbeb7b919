"""The networks: SchNet, MPEU and PaiNN, several members of an ensemble at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.models.settings import InputSizes, ModelSettings

if TYPE_CHECKING:
    from ml.models.network import Network

__all__ = ["InputSizes", "ModelSettings", "build"]


def build(settings: ModelSettings, seed: int = 0) -> Network:
    """A network with fresh weights, in single precision on the CPU.

    Args:
        settings: its form.
        seed: member i's weights depend on seed + i alone.

    Returns:
        A module: ``network(batch)`` → ``(n_members, n_graphs)`` in units of the standardised target;
        ``network.latents(batch)`` → ``(n_members, n_graphs, channels)``; ``network.n_parameters`` of one member.
    """
    from ml.models.mpeu import Mpeu
    from ml.models.painn import PaiNN
    from ml.models.schnet import SchNet

    kinds: dict[str, type[Network]] = {"schnet": SchNet, "mpeu": Mpeu, "painn": PaiNN}
    return kinds[settings.kind](settings, seed)
