"""Distances spread over Gaussians, and the linear layers that follow, for all steps at once."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ml.models import kernels_pointwise
from ml.models.layers import Seeds, of_members, times
from ml.models.ops import compiled


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
        self.register_buffer("centres", torch.arange(n, dtype=torch.float64, device="cpu") * spacing_angstrom,
                             persistent=False)

    def forward(self, distance: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """``(D,)`` → ``(D, last − first)``."""
        if compiled(distance) and not distance.requires_grad:
            return self._on_cpu(distance, first, self.centres.shape[0] if last is None else last)
        difference = distance[:, None] - self.centres[first:last].to(distance.dtype)
        return difference.square_().mul_(-1 / self.width).exp_()

    def _on_cpu(self, distance: Tensor, first: int, last: int) -> Tensor:
        steps = np.arange(math.ceil(self.reach(distance.dtype) / self.spacing) + 1) * self.spacing
        out = distance.new_zeros(distance.shape[0], last - first)
        fall = np.exp(-(steps**2) / self.width)
        kernels_pointwise.gaussians(distance.numpy(), self.spacing, self.width, fall, first, out.numpy())
        return out

    def reach(self, dtype: torch.dtype) -> float:
        """The difference in Å from which on a Gaussian is zero to rounding."""
        return math.sqrt(-self.width * math.log(torch.finfo(dtype).eps / 64))

    def window(self, distance: Tensor) -> tuple[int, int]:
        """The Gaussians that are not zero to rounding at some distance: first, last + 1.

        Only on the CPU are they looked for: elsewhere asking would make the device wait.
        """
        n = self.centres.shape[0]
        if distance.device.type != "cpu" or not len(distance):
            return 0, n
        reach = self.reach(distance.dtype)
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
        self.weight = seeds.side_by_side(n, widths, scale=1 / math.sqrt(n))

    def forward(self, distance: Tensor) -> Tensor:
        """``(D,)`` → ``(…, D, Σ widths)``."""
        first, last = self.gaussians.window(distance)
        weight = of_members(self.weight[:, first:last])
        return times(self.gaussians(distance, first, last), weight)
