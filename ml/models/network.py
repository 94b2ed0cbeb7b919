"""What all networks have in common: from elements to node features, and from these to one value per graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ml.models.conditions import Conditions
from ml.models.layers import Perceptron, Seeds, of_members
from ml.models.ops import gather, segment_sum
from ml.models.settings import LARGEST_ATOMIC_NUMBER, ModelSettings

if TYPE_CHECKING:
    from ml.graphs.batch import Batch


class Network(nn.Module):
    """A network on batches of graphs; all its layers hold the weights of ``n_members``.

    Args:
        settings: its form.
        seed: member i's weights depend on seed + i alone.
    """

    element_place: Tensor

    def __init__(self, settings: ModelSettings, seed: int) -> None:
        super().__init__()
        self.settings = settings
        seeds = Seeds(seed, settings.n_members)
        places = torch.full((LARGEST_ATOMIC_NUMBER + 1,), len(settings.elements), dtype=torch.int64, device="cpu")
        places[list(settings.elements)] = torch.arange(len(settings.elements), device="cpu")
        places[0] = 0  # what fills a batch up to a fixed size; its weight is 0
        self.register_buffer("element_place", places, persistent=False)
        self.start = seeds.normal(len(settings.elements), settings.channels, scale=1.0)
        self.build_steps(seeds)
        self.readout = Readout(seeds, settings)
        self.conditions = Conditions(seeds, settings) if settings.inputs is not None else None

    def build_steps(self, seeds: Seeds) -> None:
        """Make the layers of message passing."""
        raise NotImplementedError

    def pass_messages(self, h: Tensor, batch: Batch) -> Tensor:
        """Node features after all steps, ``(…, N, C)`` → ``(…, N, C)``."""
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:
        """Parameters of one member."""
        return sum(parameter.numel() for parameter in self.parameters()) // self.settings.n_members

    def forward(self, batch: Batch) -> Tensor:
        """Predictions in units of the standardised target, ``(n_members, n_graphs)``."""
        value: Tensor = self.read_out(self.features(batch), batch)
        return value

    def latents(self, batch: Batch) -> Tensor:
        """Node features averaged over the atoms of every graph, ``(n_members, n_graphs, C)``."""
        return self.pooled(self.features(batch), batch)

    def both(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Predictions and latents of one pass."""
        h = self.features(batch)
        return self.read_out(h, batch), self.pooled(h, batch)

    def features(self, batch: Batch) -> Tensor:
        """Node features at the end, ``(…, N, C)``: an element that the network does not know is an IndexError."""
        h = gather(of_members(self.start), self.element_place[batch.node_z])
        if self.conditions is None:
            return self.pass_messages(h, batch)
        given = self.conditions.embedded(batch)
        h = self.pass_messages(h + gather(given, batch.node_graph), batch)
        return self.conditions.modulated(h, given, batch)

    def read_out(self, h: Tensor, batch: Batch) -> Tensor:
        """One value per graph of node features, ``(n_members, n_graphs)``."""
        value: Tensor = self.readout(h, batch)
        if self.conditions is not None:
            value = value + self.conditions.offset(self.element_place[batch.node_z], batch)
        return value.reshape(self.settings.n_members, batch.n_graphs)

    def pooled(self, h: Tensor, batch: Batch) -> Tensor:
        """Node features averaged over atoms, ``(n_members, n_graphs, C)``."""
        mean = pool(h, batch)
        return mean.reshape(self.settings.n_members, batch.n_graphs, mean.shape[-1])


def pool(x: Tensor, batch: Batch) -> Tensor:
    """Averages over the atoms of every graph, ``(…, N, C)`` → ``(…, n_graphs, C)``."""
    return segment_sum(x * batch.node_weight[:, None], batch.node_graph, batch.n_graphs)


class Readout(nn.Module):
    """Node features to one value per graph, by a perceptron before or around the average over atoms.

    Args:
        seeds: random numbers.
        settings: form of the network.
    """

    def __init__(self, seeds: Seeds, settings: ModelSettings) -> None:
        super().__init__()
        c, half = settings.channels, settings.channels // 2
        form = {"activation": settings.activation or "ssp", "dropout": settings.dropout}
        self.after = settings.global_readout
        if self.after:
            self.nodes = Perceptron(seeds, [c] * (settings.depth + 1), last=True, **form)  # type: ignore[arg-type]
            self.graphs = Perceptron(seeds, [c, *[half] * (self.after - 1), 1], **form)  # type: ignore[arg-type]
        else:
            self.nodes = Perceptron(seeds, [c, *[half] * (settings.depth - 1), 1], **form)  # type: ignore[arg-type]

    def forward(self, h: Tensor, batch: Batch) -> Tensor:
        """``(…, N, C)`` → ``(…, n_graphs)``."""
        value = pool(self.nodes(h), batch)
        if self.after:
            value = self.graphs(value)
        return value.squeeze(-1)
