"""Features of all rows on a device, in the place of a store of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class FeatureBatch:
    """Some rows.

    Attributes:
        n_graphs: how many; named as in batches of graphs, a row being a material here as well.
        features: (n_graphs, n_features).
    """

    n_graphs: int
    features: Tensor


@dataclass
class FeatureRows:
    """Rows to draw batches from; a source of the training loop (:class:`ml.training.sources.PaddedSource`).

    Attributes:
        features: (n, n_features) on the device.
    """

    features: Tensor

    resident = True
    """The rows are on the device: a million of them take half a gigabyte."""

    @classmethod
    def of(cls, values: NDArray[np.float32], device: torch.device | str = "cpu",
           dtype: torch.dtype = torch.float32) -> FeatureRows:
        """Put features on a device.

        Args:
            values: (n, n_features).
            device: where.
            dtype: of the features there.
        """
        return cls(torch.from_numpy(np.ascontiguousarray(values)).to(device=device, dtype=dtype))

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.features.shape[0])

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.features.device

    def batch(self, places: Tensor) -> FeatureBatch:
        """The rows at some places (int64, in host memory or on the device), in that order."""
        there = places.to(self.features.device, non_blocking=True)
        return FeatureBatch(int(places.shape[0]), self.features.index_select(0, there))

    def padded(self, places: Tensor, sizes: tuple[int]) -> FeatureBatch:
        """The rows at some places on the device; as many rows always have the same shape, so nothing is filled up."""
        del sizes
        return self.batch(places)

    def bucket_sizes(self, batch_size: int, *, places: NDArray[np.int64] | None = None) -> list[tuple[int]]:
        """The one size that batches of so many rows have."""
        del places
        return [(batch_size,)]

    def bucket_of(self, batches: NDArray[np.int64], buckets: Sequence[tuple[int]]) -> NDArray[np.int64]:
        """Which of the sizes each batch has, −1 where none, (n_batches, batch_size) → (n_batches,)."""
        place = buckets.index((batches.shape[1],)) if (batches.shape[1],) in buckets else -1
        return np.full(len(batches), place, np.int64)
