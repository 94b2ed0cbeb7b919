"""The flat store as tensors on a device, and batches of it by index operations of fixed shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ml.graphs.graphs import Graphs

if TYPE_CHECKING:
    from ml.graphs.batch import Batch

MOST_FILLINGS = 64
BEYOND = 2**48
"""Added to a place of what fills a batch up, so that it lies behind the end of every store."""


@dataclass(frozen=True)
class Tables:
    """Graphs on a device. Behind the last node, edge and distance stands one more, which fills batches up.

    Attributes:
        counts: nodes, nodes once more, distances and edges of every graph, (n, 4) int64: the first three are what
            sender, receiver and distance of its edges are shifted by.
        starts: where they start, (n, 4) int64.
        node_z: (nodes + 1,) int64.
        node_numbers: weight and degree, (2, nodes + 1).
        edges: sender, receiver and distance, (3, edges + 1) int64.
        edge_weight: (edges + 1,).
        distance: Å, (distances + 1,).
        edge_vector: Å, (edges + 1, 3).
        inputs: (n, n_inputs).
        fillings: what batches of the same sizes have in common, by sizes.
    """

    counts: Tensor
    starts: Tensor
    node_z: Tensor
    node_numbers: Tensor
    edges: Tensor
    edge_weight: Tensor
    distance: Tensor
    edge_vector: Tensor | None
    inputs: Tensor | None
    fillings: dict[tuple[int, int, int], Filling] = field(default_factory=dict)

    @classmethod
    def of(cls, graphs: Graphs, device: torch.device, dtype: torch.dtype, inputs: Tensor | None) -> Tables:
        """Copy graphs to a device."""

        def integers(*arrays: npt.NDArray[Any]) -> Tensor:
            rows = [torch.from_numpy(np.append(array, np.zeros(1, array.dtype))) for array in arrays]
            return torch.stack([row.to(device).long() for row in rows])

        def numbers(array: npt.NDArray[Any], last: float) -> Tensor:
            return torch.from_numpy(np.append(array, np.full(1, last, array.dtype))).to(device, dtype)

        vectors = graphs.edge_vector
        if vectors is not None:
            vectors = np.concatenate([vectors, np.array([[1, 0, 0]], dtype=vectors.dtype)])
        offsets = [torch.from_numpy(np.array(array)) for array in (
            graphs.node_offsets, graphs.node_offsets, graphs.distance_offsets, graphs.edge_offsets)]
        return cls(
            counts=torch.stack([each.diff() for each in offsets], dim=1).to(device),
            starts=torch.stack([each[:-1] for each in offsets], dim=1).to(device),
            node_z=integers(graphs.node_z)[0],
            node_numbers=torch.stack([numbers(graphs.node_weight, 0.0), numbers(graphs.node_degree, 0.0)]),
            edges=integers(graphs.edge_sender, graphs.edge_receiver, graphs.edge_distance),
            edge_weight=numbers(graphs.edge_weight, 0.0),
            distance=numbers(graphs.distance_angstrom, 1.0),
            edge_vector=None if vectors is None else torch.from_numpy(vectors).to(device, dtype),
            inputs=None if inputs is None else inputs.to(device),
        )

    @staticmethod
    def n_bytes(graphs: Graphs, dtype: torch.dtype) -> int:
        """Memory that graphs take on a device."""
        number = dtype.itemsize
        per_edge = 24 + number + (0 if graphs.edge_vector is None else 3 * number)
        return (64 * graphs.n + (8 + 2 * number) * len(graphs.node_z) + per_edge * len(graphs.edge_sender)
                + number * len(graphs.distance_angstrom))

    def batch(self, places: Tensor, n_nodes: int, n_edges: int, n_distances: int) -> Batch:
        """The graphs at some places in a batch of fixed sizes; see :meth:`ml.graphs.batch.DeviceGraphs.padded`.

        Args:
            places: (G,) int64, on the device.
            n_nodes: nodes of the batch, at least those of the graphs.
            n_edges: edges of the batch.
            n_distances: distances of the batch.
        """
        from ml.graphs.batch import Batch

        n_graphs, filling = len(places), self._filling(n_nodes, n_edges, n_distances)
        ends = self.counts[places].cumsum(0)
        begins = ends - self.counts[places]
        # From a place in the batch to the place in the store, by graph; the last column is for what fills it up.
        to_store = torch.cat([(self.starts[places] - begins).t(), filling.to_store], dim=1)
        by_kind = ends.t().contiguous()

        def gathered(kind: int, place: Tensor, last: int) -> tuple[Tensor, Tensor]:
            """Graph and place in the store of everything of one kind in the batch."""
            graph = torch.searchsorted(by_kind[kind], place, right=True)
            return graph, (place + to_store[kind][graph]).clamp_max(last)

        node_graph, node = gathered(0, filling.nodes, len(self.node_z) - 1)
        _, distance = gathered(2, filling.distances, len(self.distance) - 1)
        edge_graph, edge = gathered(3, filling.edges, len(self.edge_weight) - 1)
        shift = torch.cat([begins.t()[:3], filling.shift], dim=1)
        sender, receiver, edge_distance = (self.edges[:, edge] + shift[:, edge_graph]).unbind()
        weight, degree = self.node_numbers[:, node].unbind()
        weight = torch.where((ends[-1] <= filling.room).all(), weight, torch.nan)
        return Batch(
            n_graphs, self.node_z[node], weight, node_graph.clamp_max(n_graphs - 1), degree, sender, receiver,
            self.edge_weight[edge], edge_distance, self.distance[distance],
            None if self.edge_vector is None else self.edge_vector[edge],
            None if self.inputs is None else self.inputs[places],
        )

    def _filling(self, n_nodes: int, n_edges: int, n_distances: int) -> Filling:
        """What batches of these sizes have in common, made once: before anything is captured, not while."""
        sizes = (n_nodes, n_edges, n_distances)
        if sizes not in self.fillings:
            made = Filling.of(self.node_z.device, *sizes)
            if self.node_z.is_cuda and torch.cuda.is_current_stream_capturing():
                return made
            if len(self.fillings) >= MOST_FILLINGS:
                self.fillings.clear()
            self.fillings[sizes] = made
        return self.fillings[sizes]


@dataclass(frozen=True)
class Filling:
    """What batches of some sizes have in common; made without copying from the host.

    Attributes:
        nodes: 0 … n_nodes - 1.
        edges: 0 … n_edges - 1.
        distances: 0 … n_distances - 1.
        to_store: leads behind the end of every store, (4, 1).
        shift: the last node (as sender and as receiver) and the last distance, (3, 1).
        room: the sizes in the order of :attr:`Tables.counts`, (4,).
    """

    nodes: Tensor
    edges: Tensor
    distances: Tensor
    to_store: Tensor
    shift: Tensor
    room: Tensor

    @classmethod
    def of(cls, device: torch.device, n_nodes: int, n_edges: int, n_distances: int) -> Filling:
        """Make it on a device."""
        order = (n_nodes, n_nodes, n_distances, n_edges)
        room = torch.cat([torch.full((1,), size, device=device) for size in order])
        nodes, edges, distances = (torch.arange(n, device=device) for n in (n_nodes, n_edges, n_distances))
        return cls(nodes, edges, distances, torch.full((4, 1), BEYOND, device=device), room[:3, None] - 1, room)
