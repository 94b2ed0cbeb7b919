"""SchNet without cutoff function, on crystals (Schütt et al., NeurIPS 2017; settings of Speckhard et al., 2025).

Filter W = act(F2·act(F1·rbf)), message W ⊙ (A·h_sender), update h += U2·act(U1·mean of messages); no layer adds a
constant. Filters are made once per unique distance, for all steps together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from ml.models.gaussians import Gaussians, Spread
from ml.models.layers import ACTIVATION, Linear, Norm, Perceptron, Seeds, of_members, times
from ml.models.network import Network
from ml.models.ops import send

if TYPE_CHECKING:
    from ml.graphs.batch import Batch


class SchNet(Network):
    """The network; exact on quotient graphs."""

    def build_steps(self, seeds: Seeds) -> None:
        """Make the layers of message passing."""
        form, c = self.settings, self.settings.channels
        self.activation = ACTIVATION[form.activation or "ssp"]
        self.spread = Spread(seeds, Gaussians(form.n_rbf or 150), [c] * form.steps)
        self.filters = nn.ModuleList(Filters(seeds, form.steps, c) for _ in range(form.depth - 1))
        self.send = nn.ModuleList(Linear(seeds, c, c) for _ in range(form.steps))
        self.update = nn.ModuleList(
            Perceptron(seeds, [c] * (form.depth + 1), form.activation or "ssp", dropout=form.dropout)
            for _ in range(form.steps)
        )
        self.norms = nn.ModuleList(Norm(seeds, c) for _ in range(form.steps if form.norm else 0))

    def pass_messages(self, h: Tensor, batch: Batch) -> Tensor:
        """Node features after all steps, ``(…, N, C)`` → ``(…, N, C)``."""
        filters = self.filters_of(batch.distance)
        weight = edge_weights(batch, self.settings.aggregation)
        linear: nn.Module
        for step, (linear, update) in enumerate(zip(self.send, self.update, strict=True)):
            sums = send(linear(h), filters[step], batch.sender, batch.receiver, batch.edge_distance, weight)
            change = update(sums)
            h = h + (self.norms[step](change) if self.norms else change)
        return h

    def filters_of(self, distance: Tensor) -> list[Tensor]:
        """Filters of every step at distances in Å, ``(D,)`` → steps × ``(…, D, C)``."""
        first = self.spread(distance)
        x = first.reshape(*first.shape[:-1], self.settings.steps, self.settings.channels).transpose(-3, -2)
        x = self.activation(x)
        for layer in self.filters:
            x = self.activation(layer(x))
        return list(x.unbind(-3))


class Filters(nn.Module):
    """The same layer of the filters of all steps.

    Args:
        seeds: random numbers.
        steps: message-passing steps.
        channels: that come in and go out.
    """

    def __init__(self, seeds: Seeds, steps: int, channels: int) -> None:
        super().__init__()
        self.weight = seeds.normal(steps, channels, channels, scale=channels**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, steps, D, C)`` → the same."""
        return times(x, of_members(self.weight))


def edge_weights(batch: Batch, aggregation: str) -> Tensor:
    """Weights of messages, ``(E,)``: those of a receiver sum to 1 (mean) or to its number of neighbours (sum)."""
    if aggregation == "mean":
        return batch.edge_weight
    return batch.edge_weight * batch.node_degree[batch.receiver]
