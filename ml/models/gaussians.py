"""Distances spread over Gaussians, and the linear layers that follow, for all steps at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ml.models.layers import Seeds, of_members, times


class Gaussians(nn.Module):
    """``exp(−(d − spacing·k)² / width)``, k = 0 … n − 1: the paper's edge features, without a cutoff function.

    Args:
        n: how many.
        spacing_angstrom: between their centres.
        width_angstrom2: their width.
    """

    centres: Tensor

    def __init__(self, n: int, spacing_angstrom: float = 0.1, width_angstrom2: float = 0.1) -> None:
        super().__init__()
        self.spacing, self.width = spacing_angstrom, width_angstrom2
        self.register_buffer("centres", torch.arange(n, dtype=torch.float64) * spacing_angstrom, persistent=False)

    def forward(self, distance: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """``(D,)`` → ``(D, last − first)``."""
        difference = distance[:, None] - self.centres[first:last].to(distance.dtype)
        return difference.square_().mul_(-1 / self.width).exp_()

    def window(self, distance: Tensor) -> tuple[int, int]:
        """The Gaussians that are not zero to rounding at some distance: first, last + 1.

        Only on the CPU are they looked for: elsewhere asking would make the device wait.
        """
        n = self.centres.shape[0]
        if distance.device.type != "cpu" or not len(distance):
            return 0, n
        reach = math.sqrt(-self.width * math.log(torch.finfo(distance.dtype).eps / 64))
        least, most = distance.aminmax()
        first = min(max(math.ceil((float(least) - reach) / self.spacing), 0), n - 1)
        return first, min(max(math.floor((float(most) + reach) / self.spacing) + 1, first + 1), n)


class Spread(nn.Module):
    """The linear layers on Gaussians of all steps, as one product.

    Args:
        seeds: random numbers.
        gaussians: what they are applied to.
        widths: channels that go out, by step.
    """

    def __init__(self, seeds: Seeds, gaussians: Gaussians, widths: list[int]) -> None:
        super().__init__()
        self.gaussians = gaussians
        n = gaussians.centres.shape[0]
        self.weight = nn.Parameter(torch.cat([seeds.normal(n, width, scale=1 / math.sqrt(n)) for width in widths], 2))

    def forward(self, distance: Tensor) -> Tensor:
        """``(D,)`` → ``(…, D, Σ widths)``."""
        first, last = self.gaussians.window(distance)
        weight = of_members(self.weight[:, first:last])
        return times(self.gaussians(distance, first, last), weight)
