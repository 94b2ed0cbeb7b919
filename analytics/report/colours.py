"""The colours of similarity: a perceptually uniform scale that colour-blind readers can follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

VIRIDIS = (
    "440154", "48186a", "472d7b", "424086", "3b528b", "33638d", "2c728e", "26828e", "21918c", "1fa088", "28ae80",
    "3fbc73", "5ec962", "84d44b", "addc30", "d8e219", "fde725",
)
"""Seventeen equidistant colours of viridis (S. van der Walt, N. Smith, E. Firing; CC0), dark to light."""


def viridis(places: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The colours at places from 0 (dark) to 1 (light).

    Args:
        places: shape (n,); what lies outside gets the colour of the nearer end.

    Returns:
        Shape (n, 3), red, green, blue of 0 … 255.
    """
    anchors = np.array([[int(colour[i:i + 2], 16) for i in (0, 2, 4)] for colour in VIRIDIS], dtype=float)
    at = np.linspace(0.0, 1.0, len(VIRIDIS))
    channels = [np.interp(places, at, anchors[:, channel]) for channel in range(3)]
    colours: npt.NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colours


def css_gradient() -> str:
    """The scale from left to right as a CSS image."""
    return f"linear-gradient(90deg,{','.join('#' + colour for colour in VIRIDIS)})"
