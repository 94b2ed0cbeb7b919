"""How long a network takes to say something of a crystal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.spec import ModelSpec

CRYSTALS = 256
REPETITIONS = 20
SECONDS = 0.5


def prediction_ms(lake: Lake, data: Dataset, spec: ModelSpec) -> float:
    """Time of a prediction per crystal, in ms: batching and network, from graphs that are there, on the device.

    The least of several repetitions on the same crystals, at most 256 validation rows at once, on a CPU with one
    thread: what else the machine does only adds to it. The time does not depend on the weights, so that they need not
    be kept for it.

    Args:
        lake: where graphs are.
        data: the rows.
        spec: form of the network, and the device.
    """
    import torch

    from ml.learn_graphs import Prepared
    from ml.models import build
    from ml.search.work import supply_of
    from ml.training.device import computing
    from ml.training.predict import predict

    supply = supply_of(lake, data, spec)
    places = supply.ready.validation[:CRYSTALS]
    with computing(supply.device, 1):
        network = build(Prepared.of(data, spec).model).to(supply.device).eval()
        taken: list[float] = []
        # The first fills caches.
        for repetition in range(REPETITIONS + 1):
            start = time.perf_counter()
            predict(network, supply.graphs, places, mean=0.0, scale=1.0)
            if supply.device.type == "cuda":
                torch.cuda.synchronize(supply.device)
            if repetition:
                taken.append(time.perf_counter() - start)
            if sum(taken) > SECONDS:
                break
    return min(taken) * 1e3 / max(1, len(places))
