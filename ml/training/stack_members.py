"""Members of a network: put together from seeds, taken out again, with dropout of their own."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ml.training.step import seed_of

if TYPE_CHECKING:
    from ml.models import ModelSettings
    from ml.models.network import Network
    from ml.training.stack_result import Candidate


def build_stack(settings: ModelSettings, candidates: Sequence[Candidate]) -> Network:
    """A network with one member per candidate, whose first weights depend on the candidate's seed alone.

    Args:
        settings: form of the network; members and dropout are taken from the candidates.
        candidates: at least one.
    """
    from ml.models import build

    form = replace(settings, n_members=1, dropout=max(one.dropout for one in candidates))
    alone = [build(form, seed=one.seed) for one in candidates]
    parts = zip(*(one.parameters() for one in alone), strict=True)
    network: Network = _remade(alone[0], [torch.cat([one.data for one in part]) for part in parts], len(candidates))
    return network


def default_width(network: nn.Module, device: torch.device, n: int) -> int:
    """How many members go through a network in one pass: all on a GPU; on a CPU as many as its caches hold.

    Measured on one core with batches of 32: SchNet and MPEU of 16 channels are 1.9 times as fast 8 at a time, those of
    64 channels 1.3 times 4 at a time, those of 128 1.1 times; of 256 channels, and PaiNN, wider passes are slower.

    Args:
        network: with all members.
        device: where it learns.
        n: candidates.
    """
    if device.type != "cpu":
        return max(1, n)
    form = getattr(network, "settings", None)
    if getattr(form, "kind", None) not in ("schnet", "mpeu"):
        return 1
    channels = int(getattr(form, "channels", 0))
    return 8 if channels <= 32 else 4 if channels <= 128 else 1


def taken(network: nn.Module, places: Sequence[int]) -> nn.Module:
    """A copy of a network with some of its members only.

    Args:
        network: its parameters and settings are of all members.
        places: members, from 0.
    """
    part: nn.Module = _remade(network, [one.data[list(places)] for one in network.parameters()], len(places))
    return part


def _remade(network: Any, values: Sequence[Tensor], n_members: int) -> Any:
    """A copy of a network with other values in place of its parameters, which themselves are never copied."""
    made: dict[int, Any] = {id(old): nn.Parameter(new.contiguous(), old.requires_grad)
                            for old, new in zip(network.parameters(), values, strict=True)}
    part = deepcopy(network, made)
    for module in part.modules():
        settings: Any = getattr(module, "settings", None)
        if not hasattr(settings, "n_members"):
            continue
        if is_dataclass(settings) and not isinstance(settings, type):
            settings = replace(settings, n_members=n_members)
        else:
            settings = copy(settings)
            settings.n_members = n_members
        module.settings = settings
    return part


class MemberDropout:
    """Dropout with a share and random numbers per member: none depends on which others there are.

    Args:
        candidates: the members.
        device: where values are.
    """

    def __init__(self, candidates: Sequence[Candidate], device: torch.device) -> None:
        self.candidates = list(candidates)
        self.generators = [torch.Generator(device) for _ in candidates]

    def begin(self, step: int) -> None:
        """Begin the random numbers of a step."""
        for one, generator in zip(self.candidates, self.generators, strict=True):
            generator.manual_seed(seed_of(one.seed, step))

    def __call__(self, x: Tensor) -> Tensor:
        """``(members, rows, channels)``, or without members where there is one; the same out."""
        rows = x[None] if len(self.candidates) == 1 else x
        noise = torch.ones_like(rows)
        for row, one, generator in zip(noise, self.candidates, self.generators, strict=True):
            if one.dropout:
                row.bernoulli_(1 - one.dropout, generator=generator).div_(1 - one.dropout)
        return (rows * noise).reshape(x.shape)


def set_dropout(network: nn.Module, dropout: MemberDropout) -> None:
    """Let all layers of a network that drop values do so by member."""
    for module in network.modules():
        if getattr(module, "dropout", 0.0):
            module.dropout = dropout  # type: ignore[assignment]
