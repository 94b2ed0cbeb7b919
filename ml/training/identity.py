"""What a checkpoint must belong to, so that going on from it means going on with the same training."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ml.training.checkpoint import Identity
from ml.training.settings import TrainSettings
from ml.training.sources import Places


def identity_of(network: nn.Module, graphs: Any, targets: npt.NDArray[np.float64], train: Places, validation: Places,
                settings: TrainSettings) -> Identity:
    """Digests of settings, data and network, before the first step.

    Args:
        network: with the weights that it starts from.
        graphs: which crystals they are of, how they were made, and what enters beside or instead of them.
        targets: (n,), in the unit of the target.
        train: rows to learn from; their order does not count.
        validation: rows to evaluate on.
        settings: of training.
    """
    data = hashlib.sha256(_of_graphs(graphs))
    for places in (np.sort(train), np.sort(validation)):
        data.update(len(places).to_bytes(8, "little"))
        data.update(np.ascontiguousarray(places, np.int64).tobytes())
        data.update(np.ascontiguousarray(targets[places], np.float64).tobytes())
    form = hashlib.sha256(repr((type(network).__name__, getattr(network, "settings", None))).encode())
    for name, one in sorted(network.state_dict().items()):
        array = one.detach().cpu().contiguous()
        form.update(f"{name}{tuple(array.shape)}{array.dtype}".encode())
        form.update(array.reshape(-1).numpy().tobytes())
    return Identity(json.dumps(settings.recipe, sort_keys=True), data.hexdigest(), form.hexdigest())


def _of_graphs(graphs: Any) -> bytes:
    digest = hashlib.sha256()
    store = getattr(graphs, "graphs", None)
    if store is not None:
        digest.update(repr(store.settings).encode())
        digest.update(np.ascontiguousarray(store.sha256s).tobytes())
    for name in ("inputs", "features"):
        values = getattr(graphs, name, None)
        if values is not None:
            digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
            digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.digest()
