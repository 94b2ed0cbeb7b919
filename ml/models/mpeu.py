"""MPEU: SchNet whose edges have a state of their own (Jørgensen et al., arXiv 1806.03146; Speckhard et al., 2025).

Edge e ← E2·act(E1·[h_sender, h_receiver, e]), without residual; message act(M2·act(M1·e)) ⊙ (A·h_sender); update
h += U2·act(U1·mean of messages). E1 is split: what depends on a node is multiplied once per node and then gathered,
and in the first step, where e is the spread distance, once per unique distance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ml.models.gaussians import Gaussians, Spread
from ml.models.layers import ACTIVATION, Dropout, Linear, Norm, Perceptron, Seeds, dropped
from ml.models.network import Network
from ml.models.ops import join, send
from ml.models.schnet import edge_weights
from ml.models.settings import ModelSettings

if TYPE_CHECKING:
    from ml.graphs.batch import Batch


class Mpeu(Network):
    """The network; exact on quotient graphs."""

    def build_steps(self, seeds: Seeds) -> None:
        """Make the layers of message passing."""
        form = self.settings
        n_rbf = form.n_rbf or 150
        self.spread = Spread(seeds, Gaussians(n_rbf), [edge_width(form)])
        rescale(self.spread.weight, n_rbf, 2 * form.channels + n_rbf)
        self.steps = nn.ModuleList(Step(seeds, form, number) for number in range(form.steps))

    def pass_messages(self, h: Tensor, batch: Batch) -> Tensor:
        """Node features after all steps, ``(…, N, C)`` → ``(…, N, C)``."""
        weight = edge_weights(batch, self.settings.aggregation)
        edges, place = self.spread(batch.distance), batch.edge_distance
        every_edge = torch.arange(batch.sender.shape[0], device=h.device)
        for step in self.steps:
            edges, h = step(h, edges, place, every_edge, weight, batch)
            place = every_edge
        return h


class Step(nn.Module):
    """One step of message passing with edge updates.

    Args:
        seeds: random numbers.
        form: settings of the network.
        number: of the step, from 0; the first has no layer for the edges' state, which is the network's.
    """

    def __init__(self, seeds: Seeds, form: ModelSettings, number: int) -> None:
        super().__init__()
        c, wide, activation = form.channels, edge_width(form), form.activation or "ssp"
        self.activation = ACTIVATION[activation]
        self.dropout: Dropout = form.dropout
        n_own = c if number else form.n_rbf or 150
        self.own = Linear(seeds, c, wide) if number else None
        self.sent, self.received = Linear(seeds, c, wide), Linear(seeds, c, wide)
        for layer in (self.own, self.sent, self.received):
            if layer is not None:
                rescale(layer.weight, c, 2 * c + n_own)
        # The hidden layers of E are 2C wide, its last is C wide.
        later = [wide] * (form.depth - 1) + [c]
        self.edges = Perceptron(seeds, later, activation, dropout=form.dropout) if form.depth > 1 else None
        self.messages = Perceptron(seeds, [c] * (form.depth + 1), activation, last=True)
        self.send = Linear(seeds, c, c)
        self.update = Perceptron(seeds, [c] * (form.depth + 1), activation, dropout=form.dropout)
        self.edge_norm = Norm(seeds, c) if form.norm else None
        self.node_norm = Norm(seeds, c) if form.norm else None

    def forward(self, h: Tensor, edges: Tensor, place: Tensor, every_edge: Tensor, weight: Tensor,
                batch: Batch) -> tuple[Tensor, Tensor]:
        """Edges and nodes after the step.

        Args:
            h: ``(…, N, C)``, nodes.
            edges: ``(…, E, C)``, their state before; in the first step ``(…, D, wide)``, what distances give to E1.
            place: ``(E,)``, an edge's row of ``edges``.
            every_edge: ``(E,)``, 0 … E − 1.
            weight: ``(E,)``, of messages.
            batch: the graphs.
        """
        own = edges if self.own is None else self.own(edges)
        edges = join(own, place, self.sent(h), self.received(h), batch.sender, batch.receiver)
        if self.edges is not None:
            edges = self.activation(edges)
            if self.dropout and self.training:
                edges = dropped(edges, self.dropout)
            edges = self.edges(edges)
        if self.edge_norm is not None:
            edges = self.edge_norm(edges)
        sums = send(self.send(h), self.messages(edges), batch.sender, batch.receiver, every_edge, weight)
        change = self.update(sums)
        return edges, h + (change if self.node_norm is None else self.node_norm(change))


def edge_width(form: ModelSettings) -> int:
    """What E1 gives: 2C, or C where it is the only layer."""
    return form.channels * (2 if form.depth > 1 else 1)


def rescale(weight: nn.Parameter, n_in: int, n_in_all: int) -> None:
    """Make a part of a split layer start as it would as part of the whole one."""
    weight.data.mul_(math.sqrt(n_in / n_in_all))
