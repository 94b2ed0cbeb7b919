"""Time and price of training as a table: model × batch size × device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from lake.errors import InputError, SettingsError
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.models import ModelSettings
from ml.models.settings import LARGEST_ATOMIC_NUMBER, QUOTIENT_KINDS
from ml.profile.costs import Plan, cost_of
from ml.profile.timing import measure
from ml.training.device import device_of

COST = (
    ("training_steps", pa.int64()), ("hours", pa.float64()), ("price", pa.float64()), ("candidates", pa.int64()),
    ("all_hours", pa.float64()), ("all_price", pa.float64()),
)
SCHEMA = pa.schema([
    ("model", pa.string()), ("channels", pa.int32()), ("message_steps", pa.int32()), ("n_members", pa.int32()),
    ("n_parameters", pa.int64()), ("batch_size", pa.int32()), ("device", pa.string()), ("captured", pa.bool_()),
    ("nodes", pa.float64()), ("edges", pa.float64()), ("distances", pa.float64()), ("batching_ms", pa.float64()),
    ("gradient_ms", pa.float64()), ("step_ms", pa.float64()), ("steps_per_s", pa.float64()),
    ("crystals_per_s", pa.float64()), ("memory_mb", pa.float64()), *COST,
])
COST_SCHEMA = pa.schema([("step_ms", pa.float64()), ("n_members", pa.int32()), *COST])


@dataclass(frozen=True)
class Asked:
    """What is timed.

    Attributes:
        models: kinds of network.
        batch_sizes: crystals of a step.
        devices: cpu, cuda, cuda:N or auto; empty: the CPU, and the GPU where there is one.
        channels: width of the networks.
        message_steps: of the networks.
        n_members: trained together.
        n_neighbours: of every atom, in full shells.
        seconds: for each combination, about.
        threads: of PyTorch on a CPU; None: as many as it has now.
        capture: whether steps on a GPU are captured as CUDA graphs.
    """

    models: Sequence[str] = ("schnet", "mpeu", "painn")
    batch_sizes: Sequence[int] = (32,)
    devices: Sequence[str] = ()
    channels: int = 64
    message_steps: int = 3
    n_members: int = 1
    n_neighbours: int = 24
    seconds: float = 2.0
    threads: int | None = None
    capture: bool = True

    def settings(self, kind: str) -> ModelSettings:
        """Those of a network of a kind, for all elements.

        Raises:
            InputError: they are none.
        """
        return ModelSettings(kind, tuple(range(1, LARGEST_ATOMIC_NUMBER + 1)), channels=self.channels,
                             steps=self.message_steps, n_members=self.n_members)

    def checked(self) -> tuple[list[torch.device], list[ModelSettings]]:
        """Devices and networks.

        Raises:
            InputError: a network cannot be.
            SettingsError: a device is not there, or nothing is asked for.
        """
        if not self.models or not self.batch_sizes:
            raise SettingsError(f"There is no {'batch size' if self.models else 'network'} to time: give one or more, "
                                "with commas between them.")
        return self.on(), [self.settings(kind) for kind in self.models]

    def on(self) -> list[torch.device]:
        """The devices.

        Raises:
            SettingsError: one is not there.
        """
        wanted = list(self.devices) or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        return list(dict.fromkeys(device_of(word) for word in wanted))


def profile(crystals: pa.Table, asked: Asked, plan: Plan, progress: Callable[[str], None] = lambda _: None) -> pa.Table:
    """Time every combination of model, batch size and device.

    Args:
        crystals: rows with the three columns of a crystal.
        asked: what is timed.
        plan: what is to be trained, for hours and prices.
        progress: told what is being done, and what the training loop has to say.

    Returns:
        :data:`SCHEMA`, one row per combination. Times in ms, memory in MiB, prices in the currency of the plan.

    Raises:
        InputError: there are no crystals, a batch is larger than their number, or a network cannot be.
        SettingsError: a device is not there.
        TrainingError: memory does not suffice for a single crystal.
    """
    devices, networks = asked.checked()
    if bad := [size for size in asked.batch_sizes if not 1 <= size <= crystals.num_rows]:
        raise InputError(f"Batches of {bad[0]:,} crystals out of {crystals.num_rows:,}: 1 to that many are possible.")
    graphs: dict[str, Graphs] = {}
    rows = []
    for network in networks:
        kind = "quotient" if network.kind in QUOTIENT_KINDS else "full"
        if kind not in graphs:
            progress(f"{kind} graphs of {crystals.num_rows:,} crystals")
            form = {"kind": kind, "n_neighbours": asked.n_neighbours}
            graphs[kind] = graphs_of(crystals, GraphSettings.of(form))
        for size in asked.batch_sizes:
            rows += [_row(network, graphs[kind], size, device, asked, plan, progress) for device in devices]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def priced(step_ms: float, plan: Plan, n_members: int = 1) -> pa.Table:
    """What a plan costs at a time of a step that is known, :data:`COST_SCHEMA`.

    Raises:
        SettingsError: the time is not above 0.
    """
    row = {"step_ms": step_ms, "n_members": n_members} | _cost(step_ms, plan, n_members)
    return pa.Table.from_pylist([row], schema=COST_SCHEMA)


def _row(network: ModelSettings, graphs: Graphs, batch_size: int, device: torch.device, asked: Asked, plan: Plan,
         progress: Callable[[str], None]) -> dict[str, Any]:
    progress(f"{network.kind}, batches of {batch_size:,}, {device}")
    found = measure(network, graphs, batch_size, device, seconds=asked.seconds, threads=asked.threads,
                    capture=asked.capture, note=progress)
    return {
        "model": network.kind, "channels": network.channels, "message_steps": network.steps,
        "n_members": network.n_members, "n_parameters": found.n_parameters, "batch_size": found.batch_size,
        "device": found.device, "captured": found.captured, "nodes": found.nodes, "edges": found.edges,
        "distances": found.distances, "batching_ms": found.batching_ms,
        "gradient_ms": max(found.step_ms - found.batching_ms, 0.0), "step_ms": found.step_ms,
        "steps_per_s": 1e3 / found.step_ms, "crystals_per_s": 1e3 * found.batch_size / found.step_ms,
        "memory_mb": found.memory_mb,
    } | _cost(found.step_ms, plan, network.n_members)


def _cost(step_ms: float, plan: Plan, n_members: int) -> dict[str, Any]:
    cost = cost_of(step_ms, plan, n_members)
    return {"training_steps": plan.training_steps, "hours": cost.hours, "price": cost.price,
            "candidates": plan.candidates, "all_hours": cost.all_hours, "all_price": cost.all_price}
