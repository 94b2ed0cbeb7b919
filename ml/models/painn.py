"""PaiNN: node features with vectors that turn with the crystal (Schütt, Unke and Gastegger, ICML 2021).

Messages go from sender to receiver and are summed at the receiver; ``edge_vector`` points the same way. The output
depends on scalars alone and does not change when the crystal is turned; vectors turn with it. Full graphs only: in
a quotient graph atoms with turned surroundings are one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ml.models.gaussians import Gaussians
from ml.models.layers import Linear, Norm, Perceptron, Seeds
from ml.models.network import Network
from ml.models.ops import gather, segment_sum
from ml.models.schnet import edge_weights
from ml.models.settings import ModelSettings

if TYPE_CHECKING:
    from ml.graphs.batch import Batch

LARGEST = 100.0
"""Features are clipped to ± this: a message far outside the training data must not grow step by step."""
SMALLEST_NORM = 1e-8


class PaiNN(Network):
    """The network; on full graphs."""

    def build_steps(self, seeds: Seeds) -> None:
        """Make the layers of message passing."""
        form = self.settings
        n_rbf = form.n_rbf or 20
        spacing = form.cutoff_angstrom / (n_rbf - 1)
        self.gaussians = Gaussians(n_rbf, spacing, 2 * spacing**2)
        self.messages = nn.ModuleList(Message(seeds, form, n_rbf) for _ in range(form.steps))
        self.updates = nn.ModuleList(Update(seeds, form) for _ in range(form.steps))

    def pass_messages(self, h: Tensor, batch: Batch) -> Tensor:
        """Scalar node features after all steps, ``(…, N, C)`` → ``(…, N, C)``."""
        return self.scalars_and_vectors(h, batch)[0]

    def scalars_and_vectors(self, h: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Node features after all steps.

        Args:
            h: ``(…, N, C)``, at the start.
            batch: full graphs with ``edge_vector``.

        Returns:
            Scalars ``(…, N, C)`` and vectors ``(…, N, 3, C)``.
        """
        if batch.edge_vector is None:
            raise ValueError("PaiNN needs the directions of edges: batches of full graphs, not of quotient graphs.")
        length = torch.linalg.vector_norm(batch.edge_vector, dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
        direction = batch.edge_vector / length
        rbf = self.gaussians(batch.distance)
        cutoff = cosine_cutoff(batch.distance, self.settings.cutoff_angstrom)[:, None]
        weight = edge_weights(batch, self.settings.aggregation)[:, None]
        vectors = h.new_zeros(*h.shape[:-1], 3, h.shape[-1])
        for message, update in zip(self.messages, self.updates, strict=True):
            h, vectors = message(h, vectors, rbf, cutoff, direction, weight, batch)
            h, vectors = update(h, vectors)
        return h, vectors


class Message(nn.Module):
    """What nodes hear from their neighbours.

    Args:
        seeds: random numbers.
        form: settings of the network.
        n_rbf: Gaussians of a distance.
    """

    def __init__(self, seeds: Seeds, form: ModelSettings, n_rbf: int) -> None:
        super().__init__()
        c = form.channels
        self.filters = Linear(seeds, n_rbf, 3 * c, bias=True)
        self.nodes = Perceptron(seeds, [*[c] * form.depth, 3 * c], form.activation or "swish", dropout=form.dropout,
                                bias=True)

    def forward(self, h: Tensor, vectors: Tensor, rbf: Tensor, cutoff: Tensor, direction: Tensor, weight: Tensor,
                batch: Batch) -> tuple[Tensor, Tensor]:
        """Scalars ``(…, N, C)`` and vectors ``(…, N, 3, C)`` after the messages.

        Args:
            h: scalars before.
            vectors: vectors before.
            rbf: ``(D, n_rbf)``, spread distances.
            cutoff: ``(D, 1)``.
            direction: ``(E, 3)``, unit vectors from sender to receiver.
            weight: ``(E, 1)``, of messages.
            batch: the graphs.
        """
        n, c = h.shape[-2:]
        filters = gather(self.filters(rbf) * cutoff, batch.edge_distance)
        scalar, along, kept = (gather(self.nodes(h), batch.sender) * filters * weight).chunk(3, -1)
        sent = gather(vectors.flatten(-2), batch.sender)
        sent = sent.reshape(*sent.shape[:-1], 3, c)
        vector = along.unsqueeze(-2) * direction.unsqueeze(-1) + kept.unsqueeze(-2) * sent
        h = h + segment_sum(scalar, batch.receiver, n)
        vectors = vectors + segment_sum(vector.flatten(-2), batch.receiver, n).reshape(vectors.shape)
        return h.clamp(-LARGEST, LARGEST), clipped(vectors)


class Update(nn.Module):
    """What scalars and vectors of one node tell each other.

    Args:
        seeds: random numbers.
        form: settings of the network.
    """

    def __init__(self, seeds: Seeds, form: ModelSettings) -> None:
        super().__init__()
        c = form.channels
        self.mix = Linear(seeds, c, 2 * c)
        self.nodes = Perceptron(seeds, [2 * c, *[c] * (form.depth - 1), 3 * c], form.activation or "swish",
                                dropout=form.dropout, bias=True)
        self.norm = Norm(seeds, c) if form.norm else None

    def forward(self, h: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars ``(…, N, C)`` and vectors ``(…, N, 3, C)``, the same out."""
        c = h.shape[-1]
        mixed = self.mix(vectors.flatten(-3, -2)).reshape(*vectors.shape[:-1], 2 * c)
        left, right = mixed.split(c, -1)
        # The square root has no derivative at 0, where vectors start.
        length = (left.square().sum(-2) + SMALLEST_NORM).sqrt()
        own, turned, crossed = self.nodes(torch.cat([h, length], -1)).chunk(3, -1)
        change = own + crossed * (left * right).sum(-2)
        h = h + (change if self.norm is None else self.norm(change))
        return h.clamp(-LARGEST, LARGEST), clipped(vectors + turned.unsqueeze(-2) * right)


def clipped(vectors: Tensor) -> Tensor:
    """Vectors ``(…, 3, C)`` no longer than the largest; their directions stay, which clipping components would turn."""
    square = vectors.square().sum(-2, keepdim=True)
    return vectors * (LARGEST**2 / square.clamp(min=LARGEST**2)).sqrt()


def cosine_cutoff(distance: Tensor, cutoff_angstrom: float) -> Tensor:
    """``½ (cos(π d / cutoff) + 1)``, and 0 beyond the cutoff."""
    inside = distance < cutoff_angstrom
    return 0.5 * (torch.cos(distance * (math.pi / cutoff_angstrom)) + 1) * inside
