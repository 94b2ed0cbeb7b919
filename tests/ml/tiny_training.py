"""A network and graphs so small that training takes milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

CPU = torch.device("cpu")


@dataclass
class Crystals:
    """Nodes with a few numbers each, laid end to end, as a source of batches."""

    values: Tensor
    offsets: np.ndarray
    device: torch.device = CPU

    @classmethod
    def some(cls, n: int = 60, width: int = 4, seed: int = 0) -> Crystals:
        generator = np.random.default_rng(seed)
        offsets = np.concatenate([[0], np.cumsum(generator.integers(1, 6, n))])
        return cls(torch.from_numpy(generator.normal(size=(offsets[-1], width)).astype(np.float32)), offsets)

    def batch(self, places: Tensor) -> SimpleNamespace:
        ranges = [np.arange(self.offsets[k], self.offsets[k + 1]) for k in places.tolist()]
        graph = torch.from_numpy(np.repeat(np.arange(len(ranges)), [len(one) for one in ranges]))
        return SimpleNamespace(n_graphs=len(ranges), x=self.values[np.concatenate(ranges)], graph=graph)

    def targets(self) -> np.ndarray:
        sums = np.add.reduceat(np.sin(self.values.numpy()[:, 0]) - self.values.numpy()[:, 1], self.offsets[:-1])
        return 3.0 + 2.0 * sums.astype(np.float64)


class Sums(nn.Module):
    """A perceptron on nodes, summed over each graph; (n_members, n_graphs)."""

    def __init__(self, n_members: int = 1, width: int = 4, hidden: int = 16, dropout: float = 0.0,
                 seed: int = 0) -> None:
        super().__init__()
        self.settings = SimpleNamespace(n_members=n_members, hidden=hidden, dropout=dropout)
        makers = [torch.Generator().manual_seed(seed + member) for member in range(n_members)]
        self.a = nn.Parameter(torch.stack([torch.randn(width, hidden, generator=one) / 2 for one in makers]))
        self.b = nn.Parameter(torch.stack([torch.randn(hidden, 1, generator=one) / 4 for one in makers]))

    def forward(self, batch: SimpleNamespace) -> Tensor:
        hidden = nn.functional.silu(batch.x @ self.a)
        if self.settings.dropout:
            hidden = nn.functional.dropout(hidden, self.settings.dropout, self.training)
        nodes = (hidden @ self.b).squeeze(-1)
        return nodes.new_zeros(len(nodes), batch.n_graphs).index_add_(1, batch.graph, nodes)
