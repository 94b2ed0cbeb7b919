"""What the loop needs of graphs on a device: :class:`ml.graphs.batch.DeviceGraphs` has it."""

from __future__ import annotations

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
        """Where they are."""

    def batch(self, places: Tensor) -> Any:
        """The graphs at some places (int64, on the device), of their exact sizes."""
