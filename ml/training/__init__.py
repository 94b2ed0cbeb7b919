"""One training loop for all networks and devices: :func:`ml.training.loop.fit`, :func:`ml.training.predict.predict`."""

from __future__ import annotations

from ml.training.result import Fitted, Point
from ml.training.settings import TrainSettings

__all__ = ["Fitted", "Point", "TrainSettings"]
