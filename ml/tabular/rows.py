"""Features of all rows on a device, in the place of a store of graphs."""

from __future__ import annotations

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
    """Rows to draw batches from, with the interface of :class:`ml.graphs.batch.DeviceGraphs`.

    Attributes:
        features: (n, n_features) on the device.
    """

    features: Tensor

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
        """The rows at some places, in that order."""
        return FeatureBatch(int(places.shape[0]), self.features.index_select(0, places))

    def padded(self, places: Tensor, sizes: object = None) -> FeatureBatch:
        """The rows at some places; as many places are always of the same shape, so there is nothing to fill up."""
        del sizes
        return self.batch(places)
