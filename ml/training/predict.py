"""Predictions of a network, in the unit of the target."""

from __future__ import annotations

from collections.abc import Sequence
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
    return predict_each([network], graphs, places, mean=mean, scale=scale, batch_size=batch_size)[0]


def predict_each(networks: Sequence[nn.Module], graphs: Source, places: Places, *, mean: float, scale: float,
                 batch_size: int = BATCH_SIZE) -> list[npt.NDArray[np.float64]]:
    """What every member of several networks says; each batch is made once for all of them.

    Args and errors as of :func:`predict`.

    Returns:
        Per network, (n_members, n), in the unit of the target.
    """
    places = np.asarray(places, dtype=np.int64)
    training = [network.training for network in networks]
    found: list[list[npt.NDArray[Any]]] = [[] for _ in networks]
    done = 0
    try:
        for network in networks:
            network.eval()
        with torch.no_grad():
            while done < len(places):
                part = places[done:done + batch_size]
                try:
                    batch = graphs.batch(torch.from_numpy(part))
                    said = [network(batch).cpu().numpy() for network in networks]
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    batch_size = _halved(len(part), error)
                    release(graphs.device)
                    continue
                for one, values in zip(found, said, strict=True):
                    one.append(values)
                done += len(part)
    finally:
        for network, before in zip(networks, training, strict=True):
            network.train(before)
    standard = Standard(mean, scale)
    return [standard.in_unit(np.concatenate(one, axis=1)) if one else np.zeros((_n_members(network), 0))
            for network, one in zip(networks, found, strict=True)]


def _n_members(network: nn.Module) -> int:
    return int(getattr(getattr(network, "settings", None), "n_members", 1))


def _halved(n: int, error: BaseException) -> int:
    if n == 1:
        raise TrainingError("Memory is used up even with one graph at a time: predict where there is more of it. "
                            f"({str(error).splitlines()[0][:200]})") from None
    return n // 2
