"""The time of a training step, by the loop that trains, and of the batching in it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.graphs.batch import Batch, DeviceGraphs
from ml.graphs.graphs import Graphs
from ml.models import ModelSettings, build
from ml.models.network import Network
from ml.training.captured import MOST_STEPS, CapturedSteps
from ml.training.device import computing, device_name
from ml.training.learner import Learner
from ml.training.recording import GraphRecorder
from ml.training.sampler import Sampler
from ml.training.settings import TrainSettings
from ml.training.step import Steps, Totals

REPETITIONS = 5
MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """What one network took on one device.

    Attributes:
        device: in words, with the threads in use on a CPU.
        n_parameters: of one member.
        batch_size: crystals of a step.
        nodes: of a batch, on average.
        edges: of a batch.
        distances: of a batch that differ.
        captured: whether steps were replayed as CUDA graphs.
        batching_ms: median time of making a batch.
        step_ms: median time of a step: batching, forward, backward and Adam.
        memory_mb: MiB; on a GPU the most that was in use, on a CPU what the largest batch leaves for the backward
            pass, the batch itself, weights, gradients and moments.
    """

    device: str
    n_parameters: int
    batch_size: int
    nodes: float
    edges: float
    distances: float
    captured: bool
    batching_ms: float
    step_ms: float
    memory_mb: float


class Timed:
    """A network in training whose steps are timed.

    Args:
        settings: of the network.
        graphs: to draw batches from; of the kind that the network needs.
        batch_size: crystals of a step.
        device: where.
        capture: whether steps on a GPU are captured as CUDA graphs.
        note: told what the loop has to say.
    """

    def __init__(self, settings: ModelSettings, graphs: Graphs, batch_size: int, device: torch.device, *,
                 capture: bool = True, note: Callable[[str], None] = lambda _: None) -> None:
        training = TrainSettings(batch_size=batch_size, schedule="constant", learning_rate=1e-4)
        inputs = None if settings.inputs is None else np.zeros((graphs.n, settings.inputs.width), dtype=np.float32)
        self.device, self.network = device, build(settings).to(device).train()
        self.graphs = DeviceGraphs.of(graphs, device, inputs)
        self.sampler = Sampler(np.arange(graphs.n), batch_size, 0)
        self.learner = Learner(self.network, training)
        targets = torch.linspace(-1.7, 1.7, graphs.n).to(device)
        if device.type == "cpu":
            self.steps = Steps(self.learner, self.graphs, targets, self.sampler, note=note)
        else:
            self.steps = CapturedSteps(self.learner, self.graphs, targets, self.sampler, note=note,
                                       recorder=GraphRecorder() if capture else None)
        self.done = 0
        self._make: Callable[[], None] | None = None
        self._made: Batch | None = None

    @property
    def captured(self) -> bool:
        """Whether steps are replayed as CUDA graphs."""
        return isinstance(self.steps, CapturedSteps) and bool(self.steps.replays)

    def run(self, n: int) -> None:
        """Do steps, as training does them; at their end the device is waited for."""
        for first in range(self.done, self.done + n, MOST_STEPS):
            self.steps.run(first, min(first + MOST_STEPS, self.done + n), Totals(0.0, 0.0))
        self.done += n

    def batching(self, n: int) -> None:
        """Only make the batches of steps, as they make them."""
        if self.captured:
            make = self._captured_batch()
            for _ in range(n):
                make()
        else:
            for places in self.sampler.batches(self.done, self.done + n):
                self.graphs.batch(torch.from_numpy(places))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _captured_batch(self) -> Callable[[], None]:
        """One batch of the usual size, as a CUDA graph of its own."""
        assert isinstance(self.steps, CapturedSteps)
        if self._make is None:
            places = torch.from_numpy(self.sampler.batch(0)).to(self.device)
            self._make = GraphRecorder()(partial(self._keep, places, self.steps.buckets[0]), [places])
        return self._make

    def _keep(self, places: Tensor, sizes: Any) -> None:
        self._made = self.graphs.padded(places, sizes)


def measure(settings: ModelSettings, graphs: Graphs, batch_size: int, device: torch.device, *, seconds: float = 2.0,
            threads: int | None = None, capture: bool = True, note: Callable[[str], None] = lambda _: None) -> Measured:
    """Train for a moment and say what it took.

    Args:
        settings: of the network.
        graphs: of the kind that the network needs.
        batch_size: crystals of a step.
        device: where.
        seconds: how long about.
        threads: of PyTorch on a CPU; None: as many as it has now.
        capture: whether steps on a GPU are captured as CUDA graphs.
        note: told what the loop has to say.

    Raises:
        TrainingError: not even one crystal at a time fits into memory.
    """
    with computing(device, threads), torch.random.fork_rng([device] if device.type == "cuda" else []):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        timed = Timed(settings, graphs, batch_size, device, capture=capture, note=note)
        step_ms = median_ms(timed.run, seconds)
        batching_ms = median_ms(timed.batching, seconds / 4)
        nodes, edges, distances = timed.graphs.counts.mean(axis=0) * timed.sampler.batch_size
        return Measured(
            device_name(device), timed.network.n_parameters, timed.sampler.batch_size, nodes, edges, distances,
            timed.captured, batching_ms, step_ms, memory_mb(timed),
        )


def median_ms(run: Callable[[int], None], seconds: float) -> float:
    """Median time of one of what ``run(n)`` does n of, in ms, over repetitions that take about so long together."""
    # The first compiles, records and fills caches; the second tells how many fit.
    run(2)
    start = time.perf_counter()
    run(2)
    one = max((time.perf_counter() - start) / 2, 1e-7)
    n = min(max(int(seconds / REPETITIONS / one), 1), MOST_STEPS)
    taken = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run(n)
        taken.append((time.perf_counter() - start) / n)
    return statistics.median(taken) * 1e3


def memory_mb(timed: Timed) -> float:
    """Memory of training in MiB; see :class:`Measured`."""
    if timed.device.type == "cuda":
        return torch.cuda.max_memory_allocated(timed.device) / MIB
    batches = timed.sampler.batches(0, 20)
    largest = batches[int(timed.graphs.batch_sizes(batches)[:, 1].argmax())]
    batch = timed.graphs.batch(torch.from_numpy(largest))
    weights = sum(tensor.numel() * tensor.element_size() for tensor in timed.learner.parameters)
    return (kept_bytes(timed.network, batch) + batch_bytes(batch) + 4 * weights) / MIB


def kept_bytes(network: Network, batch: Batch) -> int:
    """What a forward pass keeps for the backward pass, without weights and the batch itself."""
    known = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *tensors_of(batch))}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(batch)
    return sum(kept.values())


def batch_bytes(batch: Batch) -> int:
    """Memory of a batch."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_of(batch))


def tensors_of(batch: Batch) -> list[Tensor]:
    """What a batch consists of."""
    return [value for value in vars(batch).values() if isinstance(value, Tensor)]
