"""MPEU on full graphs as one would write it first, and PyTorch Geometric's data: the peers of `benchmarks.training`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.nn import global_mean_pool
from torch_geometric.nn.models import SchNet

from ml.graphs.graphs import Graphs
from ml.models.mpeu import Mpeu


def ssp(x: Tensor) -> Tensor:
    """The shifted softplus."""
    return functional.softplus(x) - 0.6931471805599453


class PlainMpeu(nn.Module):
    """MPEU with every product done where it stands in the formula: per edge.

    Args:
        channels: C.
        steps: message-passing steps.
        n_elements: rows of the embedding.
        n_rbf: Gaussians of a distance.
    """

    def __init__(self, channels: int, steps: int, n_elements: int = 119, n_rbf: int = 150) -> None:
        super().__init__()

        def linear(n_in: int, n_out: int) -> nn.Linear:
            return nn.Linear(n_in, n_out, bias=False)

        c = channels
        self.start = nn.Embedding(n_elements, c)
        self.e1 = nn.ModuleList(linear(2 * c + (c if step else n_rbf), 2 * c) for step in range(steps))
        self.e2 = nn.ModuleList(linear(2 * c, c) for _ in range(steps))
        self.m1, self.m2, self.a, self.u1, self.u2 = (
            nn.ModuleList(linear(c, c) for _ in range(steps)) for _ in range(5)
        )
        self.read1, self.read2 = linear(c, c // 2), linear(c // 2, 1)
        self.register_buffer("centres", torch.arange(n_rbf) * 0.1)

    def forward(self, data: Data) -> Tensor:
        """One value per graph of a batch with ``z``, ``edge_index``, ``distance`` and ``batch``."""
        sender, receiver = data.edge_index
        h = self.start(data.z)
        e = torch.exp(-((data.distance[:, None] - self.centres) ** 2) / 0.1)
        for e1, e2, m1, m2, a, u1, u2 in zip(self.e1, self.e2, self.m1, self.m2, self.a, self.u1, self.u2, strict=True):
            e = e2(ssp(e1(torch.cat([h[sender], h[receiver], e], dim=1))))
            message = ssp(m2(ssp(m1(e)))) * a(h[sender])
            sums = torch.zeros_like(h).index_add_(0, receiver, message)
            counts = torch.zeros(len(h), 1).index_add_(0, receiver, torch.ones(len(receiver), 1))
            h = h + u2(ssp(u1(sums / counts.clamp(min=1))))
        return global_mean_pool(self.read2(ssp(self.read1(h))), data.batch).squeeze(1)

    @torch.no_grad()
    def take_over(self, network: Mpeu) -> None:
        """Take the weights of a network of one member, so that both must say the same."""
        form = network.settings
        self.start.weight[list(form.elements)] = network.start[0]

        def put(target: nn.Linear, *parts: Tensor) -> None:
            target.weight.copy_(torch.cat([part[0] for part in parts]).T)

        for number, step in enumerate(network.steps):
            named: Any = step
            own = named.own.weight if number else network.spread.weight
            put(self.e1[number], named.sent.weight, named.received.weight, own)
            put(self.e2[number], named.edges.layers[0].weight)
            for layers, source in (((self.m1, self.m2), named.messages), ((self.u1, self.u2), named.update)):
                for layer, part in zip(layers, source.layers, strict=True):
                    put(layer[number], part.weight)
            put(self.a[number], named.send.weight)
        for layer, part in zip((self.read1, self.read2), network.readout.nodes.layers, strict=True):
            put(layer, part.weight)


def geometric_schnet(channels: int, steps: int, n_rbf: int = 150) -> Callable[[Data], Tensor]:
    """PyTorch Geometric's SchNet, averaged over atoms, on edges that were found before.

    Its own search for neighbours knows no periodic cells (and would cost time in every step).
    """
    edges: list[Data] = []

    def known(*_: Tensor) -> tuple[Tensor, Tensor]:
        return edges[-1].edge_index, edges[-1].distance

    network = SchNet(
        hidden_channels=channels, num_filters=channels, num_interactions=steps, num_gaussians=n_rbf, cutoff=15.0,
        interaction_graph=known, readout="mean",
    )

    class OnData(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, data: Data) -> Tensor:
            edges[:] = [data]
            value: Tensor = self.network(data.z, data.pos, data.batch)
            return value.squeeze(1)

    return OnData()


def data_of(graphs: Graphs, targets: Tensor) -> list[Data]:
    """Full graphs as PyTorch Geometric's objects."""
    found = []
    for place in range(graphs.n):
        nodes = slice(*graphs.node_offsets[place:place + 2])
        edges = slice(*graphs.edge_offsets[place:place + 2])
        distances = slice(*graphs.distance_offsets[place:place + 2])
        ends = [torch.from_numpy(one[edges].astype("int64")) for one in (graphs.edge_sender, graphs.edge_receiver)]
        distance = graphs.distance_angstrom[distances][graphs.edge_distance[edges]]
        z = torch.from_numpy(graphs.node_z[nodes].astype("int64"))
        found.append(Data(
            z=z, pos=torch.zeros(len(z), 3), edge_index=torch.stack(ends), y=targets[place:place + 1],
            distance=torch.from_numpy(distance).float(),
        ))
    return found
