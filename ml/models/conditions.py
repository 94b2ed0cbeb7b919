"""Settings of calculations as inputs: how source, functional, +U, cutoff and k-density enter a network.

One trunk serves all databases; what differs between them enters in three places, from the rigid to the flexible:

* an offset per element for every value of a category, at first 0. Databases differ mostly by their reference energies
  of the elements, and a small database determines few numbers well;
* a learned embedding added to the node features at the start, so that messages may depend on settings;
* a scale and a shift of the node features at the end, at first none (FiLM; Perez et al., arXiv 1709.07871).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ml.models.layers import Seeds, of_members, times
from ml.models.ops import gather, segment_sum
from ml.models.settings import InputSizes, ModelSettings

if TYPE_CHECKING:
    from ml.graphs.batch import Batch

SCALE_AT_START = 0.1
"""Of embeddings before training, beside node features of about 1."""


class Conditions(nn.Module):
    """What the inputs of a graph (``Batch.inputs``, ``(G, width)``) do to a network.

    Args:
        seeds: random numbers.
        settings: form of the network; its ``inputs`` are the sizes.
    """

    def __init__(self, seeds: Seeds, settings: ModelSettings) -> None:
        super().__init__()
        sizes, c = settings.inputs or InputSizes(), settings.channels
        self.n_categories, self.n_elements = len(sizes.categories), len(settings.elements)
        self.embeddings = nn.ParameterList(seeds.normal(n, c, scale=SCALE_AT_START) for n in sizes.categories)
        for table in self.embeddings:
            table.data[:, 0] = 0  # the unknown value: as it is without saying anything
        self.offsets = nn.ParameterList(seeds.constant(n * self.n_elements, 1) for n in sizes.categories)
        n_columns = 2 * sizes.n_numbers
        self.numbers = seeds.normal(n_columns, c, scale=SCALE_AT_START) if n_columns else None
        self.modulation = seeds.constant(c, 2 * c)

    def embedded(self, batch: Batch) -> Tensor:
        """One vector per graph, ``(…, G, C)``, which is added to the features of its nodes at the start."""
        inputs = self._inputs(batch)
        parts = [gather(of_members(table), self._codes(inputs, place)) for place, table in enumerate(self.embeddings)]
        if self.numbers is not None:
            parts.append(times(inputs[:, self.n_categories:], of_members(self.numbers)))
        return torch.stack(parts).sum(0)

    def modulated(self, h: Tensor, given: Tensor, batch: Batch) -> Tensor:
        """Node features scaled and shifted by the inputs of their graph, ``(…, N, C)``.

        Args:
            h: ``(…, N, C)``.
            given: ``(…, G, C)``, the inputs as :meth:`embedded` gives them.
            batch: the graphs.
        """
        scale, shift = gather(times(given, of_members(self.modulation)), batch.node_graph).chunk(2, -1)
        return h + h * scale + shift

    def offset(self, element: Tensor, batch: Batch) -> Tensor:
        """The mean over atoms of the offsets of their elements, ``(…, G)``.

        Args:
            element: ``(N,)``, places of the nodes' elements in those of the network.
            batch: the graphs.
        """
        inputs = self._inputs(batch)
        total: Tensor | None = None
        for place, table in enumerate(self.offsets):
            rows = self._codes(inputs, place)[batch.node_graph] * self.n_elements + element
            part = gather(of_members(table), rows)
            total = part if total is None else total + part
        if total is None:
            return inputs.new_zeros(batch.n_graphs)
        return segment_sum(total * batch.node_weight[:, None], batch.node_graph, batch.n_graphs).squeeze(-1)

    def _inputs(self, batch: Batch) -> Tensor:
        if batch.inputs is None:
            raise ValueError("This network takes the settings of calculations as inputs, and the batch has none.")
        return batch.inputs

    def _codes(self, inputs: Tensor, place: int) -> Tensor:
        return inputs[:, place].to(torch.int64)
