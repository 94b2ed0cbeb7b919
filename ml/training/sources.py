"""What the loop needs of graphs on a device: :class:`ml.graphs.batch.DeviceGraphs` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Places = npt.NDArray[np.int64]


class Source(Protocol):
    """Graphs that batches are gathered from."""

    @property
    def device(self) -> torch.device:
        """Where batches are."""

    def batch(self, places: Tensor) -> Any:
        """The graphs at some places (int64, in host memory), of their exact sizes."""


class PaddedSource(Source, Protocol):
    """Graphs whose batches can also have fixed sizes, made without waiting for the device."""

    @property
    def resident(self) -> bool:
        """Whether the graphs themselves are on the device."""

    def padded(self, places: Tensor, sizes: Any) -> Any:
        """The graphs at some places (int64, on the device), filled up to fixed sizes with what has weight 0."""

    def bucket_sizes(self, batch_size: int, *, places: Places) -> Sequence[Any]:
        """A few sizes, ascending, for random batches of these places."""

    def bucket_of(self, batches: Places, buckets: Sequence[Any]) -> npt.NDArray[np.int64]:
        """The first of the sizes that holds each batch, −1 where none does, (n, batch_size) → (n,)."""
