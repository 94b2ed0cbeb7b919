"""Layers that hold the weights of all members of an ensemble, first dimension the member.

Features are ``(rows, channels)`` for one member, so that it pays nothing for the others, and
``(members, rows, channels)`` for several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.models.ops import ssp

ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "ssp": ssp, "relu": functional.relu, "swish": functional.silu,
}

Dropout = float | Callable[[Tensor], Tensor]
"""A share, or what drops values by member."""


class Seeds:
    """Random numbers for weights: member i's come from seed + i alone, the same on every device.

    Args:
        seed: of the first member.
        n_members: how many there are.
    """

    def __init__(self, seed: int, n_members: int) -> None:
        self.n_members = n_members
        self._generators = [torch.Generator().manual_seed(seed + member) for member in range(n_members)]

    def normal(self, *shape: int, scale: float) -> nn.Parameter:
        """A normal distribution cut at two standard deviations, ``(members, *shape)``."""
        if _only_shapes():
            return nn.Parameter(torch.empty(self.n_members, *shape))
        members = [torch.empty(shape) for _ in self._generators]
        for member, generator in zip(members, self._generators, strict=True):
            nn.init.trunc_normal_(member, std=scale, a=-2 * scale, b=2 * scale, generator=generator)
        return nn.Parameter(torch.stack(members))

    def side_by_side(self, rows: int, widths: Sequence[int], scale: float) -> nn.Parameter:
        """Normal distributions of several widths next to each other, ``(members, rows, Σ widths)``."""
        if _only_shapes():
            return nn.Parameter(torch.empty(self.n_members, rows, sum(widths)))
        return nn.Parameter(torch.cat([self.normal(rows, width, scale=scale) for width in widths], 2))

    def constant(self, *shape: int, value: float = 0.0) -> nn.Parameter:
        """The same value everywhere, ``(members, *shape)``."""
        return nn.Parameter(torch.full((self.n_members, *shape), value))


def _only_shapes() -> bool:
    """Whether tensors are made without values: drawing and joining those would load torch's compiler (seconds)."""
    return torch.get_default_device().type == "meta"


def of_members(parameter: Tensor) -> Tensor:
    """A parameter as it meets features: without the dimension of members where there is one."""
    return parameter.squeeze(0) if parameter.shape[0] == 1 else parameter


def times(x: Tensor, weight: Tensor) -> Tensor:
    """A matrix product per member; ``x`` without members is the same for all."""
    return torch.mm(x, weight) if x.dim() == weight.dim() == 2 else torch.matmul(x, weight)


def dropped(x: Tensor, dropout: Dropout) -> Tensor:
    """Values after dropout in training: of the same share for all members, or as each member has it."""
    return dropout(x) if callable(dropout) else functional.dropout(x, dropout)


class Linear(nn.Module):
    """A linear layer per member.

    Args:
        seeds: random numbers.
        n_in: channels that come in.
        n_out: channels that go out.
        bias: whether a constant is added; at first 0.
    """

    def __init__(self, seeds: Seeds, n_in: int, n_out: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = seeds.normal(n_in, n_out, scale=1 / math.sqrt(n_in))
        self.bias = seeds.constant(1, n_out) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``(…, rows, n_in)`` → ``(…, rows, n_out)``."""
        y = times(x, of_members(self.weight))
        return y if self.bias is None else y + of_members(self.bias)


class Perceptron(nn.Module):
    """Linear layers with an activation between them.

    Args:
        seeds: random numbers.
        widths: channels, from what comes in to what goes out.
        activation: ssp, relu or swish.
        last: whether the activation also follows the last layer.
        dropout: share of hidden values dropped in training.
        bias: whether layers add a constant.
    """

    def __init__(self, seeds: Seeds, widths: Sequence[int], activation: str, *, last: bool = False,
                 dropout: float = 0.0, bias: bool = False) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.layers = nn.ModuleList(Linear(seeds, n_in, n_out, bias=bias) for n_in, n_out in pairs)
        self.activation, self.last = ACTIVATION[activation], last
        self.dropout: Dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """``(…, rows, widths[0])`` → ``(…, rows, widths[-1])``."""
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x)
            if number < len(self.layers):
                x = self.activation(x)
                if self.dropout and self.training:
                    x = dropped(x, self.dropout)
            elif self.last:
                x = self.activation(x)
        return x


class Norm(nn.Module):
    """LayerNorm per row, with a scale and an offset per member (Ba, Kiros and Hinton, arXiv 1607.06450)."""

    def __init__(self, seeds: Seeds, channels: int) -> None:
        super().__init__()
        self.scale, self.offset = seeds.constant(1, channels, value=1.0), seeds.constant(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, rows, channels)``, the same out."""
        return functional.layer_norm(x, x.shape[-1:]) * of_members(self.scale) + of_members(self.offset)
