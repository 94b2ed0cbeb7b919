"""Predictions of a network, in the unit of the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lake.errors import TrainingError
from ml.training.memory import is_out_of_memory, release
from ml.training.sources import Places, Source
from ml.training.standard import Standard

BATCH_SIZE = 256


def predict(network: nn.Module, graphs: Source, places: Places, *, mean: float, scale: float,
            batch_size: int = BATCH_SIZE) -> npt.NDArray[np.float64]:
    """What every member of a network says.

    Args:
        network: on the graphs' device.
        graphs: on a device.
        places: of the graphs to predict, (n,).
        mean: of the target, in its unit.
        scale: its standard deviation.
        batch_size: graphs at once; halved where memory does not suffice.

    Returns:
        (n_members, n), in the unit of the target.

    Raises:
        TrainingError: not even one graph at a time fits into memory.
    """
    places = np.asarray(places, dtype=np.int64)
    training = network.training
    network.eval()
    found: list[npt.NDArray[Any]] = []
    done = 0
    try:
        with torch.no_grad():
            while done < len(places):
                part = places[done:done + batch_size]
                try:
                    batch = graphs.batch(torch.from_numpy(part))
                    found.append(network(batch).cpu().numpy())
                    done += len(part)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    batch_size = _halved(len(part), error)
                    release(graphs.device)
    finally:
        network.train(training)
    if not found:
        n_members = int(getattr(getattr(network, "settings", None), "n_members", 1))
        return np.zeros((n_members, 0))
    return Standard(mean, scale).in_unit(np.concatenate(found, axis=1))


def _halved(n: int, error: BaseException) -> int:
    if n == 1:
        raise TrainingError("Memory is used up even with one graph at a time: predict where there is more of it. "
                            f"({str(error).splitlines()[0][:200]})") from None
    return n // 2
