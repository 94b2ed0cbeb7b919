"""What members of a stack would each make for themselves, made once: batches, and distances spread over Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from ml.models.gaussians import Gaussians
from ml.training.sources import PaddedSource, Source


class SharedGaussians(nn.Module):
    """Gaussians whose values are kept until other distances come; they hold nothing that is learned.

    Args:
        gaussians: that make them.
    """

    def __init__(self, gaussians: Gaussians) -> None:
        super().__init__()
        self.gaussians = gaussians
        self._distance: Tensor | None = None
        self._kept: dict[Any, Any] = {}

    @property
    def centres(self) -> Tensor:
        """In Å, as of the Gaussians."""
        return self.gaussians.centres

    def window(self, distance: Tensor) -> tuple[int, int]:
        """As of the Gaussians."""
        found: tuple[int, int] = self._once(distance, "window", lambda: self.gaussians.window(distance))
        return found

    def forward(self, distance: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """``(D,)`` → ``(D, last − first)``."""
        found: Tensor = self._once(distance, (first, last), lambda: self.gaussians(distance, first, last))
        return found

    def _once(self, distance: Tensor, key: Any, make: Callable[[], Any]) -> Any:
        if distance.requires_grad:
            return make()
        if distance is not self._distance:
            self._distance, self._kept = distance, {}
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedGaussians:
        """The same: copies of a network share it too."""
        return self


class Shared:
    """Graphs whose last batch is kept for the next group that asks for it, and what networks make of it alone.

    Args:
        graphs: on their device.
    """

    def __init__(self, graphs: Source) -> None:
        self.graphs = graphs
        self._key, self._batch = b"", None
        self._gaussians: dict[str, SharedGaussians] = {}

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.graphs.device

    @property
    def padded(self) -> PaddedSource:
        """The graphs themselves, for batches of fixed sizes."""
        return cast(PaddedSource, self.graphs)

    def batch(self, places: Tensor) -> Any:
        """The graphs at some places (int64, in host memory)."""
        key = places.numpy().tobytes()
        if key != self._key:
            self._batch = None
            self._key, self._batch = key, self.graphs.batch(places)
        return self._batch

    def joined_by(self, network: nn.Module) -> None:
        """Let a network share Gaussians with the others; they must be of one form.

        On a GPU it does not: there, groups are few, and recorded steps must not keep what is made outside of them.
        """
        if self.device.type != "cpu":
            return
        found = [(f"{name}.{place}", module, place, one) for name, module in network.named_modules()
                 for place, one in module.named_children() if isinstance(one, Gaussians)]
        for name, module, place, one in found:
            if not isinstance(module, SharedGaussians):
                setattr(module, place, self._gaussians.setdefault(name, SharedGaussians(one)))
