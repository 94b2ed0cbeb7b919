"""Targets in standard deviations from their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Standard:
    """A mean and a scale, in the unit of the target."""

    mean: float
    scale: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Standard:
        """Mean and standard deviation; the scale is 1 where all values are the same, up to rounding."""
        mean, spread = float(values.mean()), float(values.std())
        return cls(mean, spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0)

    def standardised(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values in standard deviations."""
        return (values - self.mean) / self.scale

    def in_unit(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Standard deviations in the unit of the target."""
        return values.astype(np.float64) * self.scale + self.mean
