"""Batches of graphs by index: on the CPU one compiled pass, on a GPU a few index operations, sizes fixed if need be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lake.errors import InputError
from ml.graphs.gather import batch_arrays
from ml.graphs.graphs import Graphs
from ml.graphs.tables import Tables

SHARE_OF_DEVICE = 0.5
"""The store lies on the GPU where it takes no more than this share of its free memory."""


class Sizes(NamedTuple):
    """How many nodes, edges and distances a batch has, or has room for."""

    nodes: int
    edges: int
    distances: int


@dataclass
class Batch:
    """Graphs that go through a network together; all tensors on one device.

    Where it was filled up to a fixed size, what fills it has weight 0 and follows the rest: nodes of element 0 and
    degree 0 in the last graph, edges between the last node and itself, distances of 1 Å.

    Attributes:
        n_graphs: G.
        node_z: atomic numbers, (N,) int64.
        node_weight: share of the crystal's atoms; 1 in sum over a graph, (N,).
        node_graph: graph of every node, ascending, (N,) int64.
        node_degree: neighbours of each atom, (N,).
        sender: node at which every edge starts, (E,) int64.
        receiver: node at which it ends, ascending, (E,) int64.
        edge_weight: share of the receiver's neighbours; 1 in sum over a receiver, (E,).
        edge_distance: which distance it has, (E,) int64.
        distance: Å, (D,).
        edge_vector: from sender to receiver, Å, (E, 3); full graphs only.
        inputs: what enters the network beside the crystal, (G, n_inputs).
    """

    n_graphs: int
    node_z: Tensor
    node_weight: Tensor
    node_graph: Tensor
    node_degree: Tensor
    sender: Tensor
    receiver: Tensor
    edge_weight: Tensor
    edge_distance: Tensor
    distance: Tensor
    edge_vector: Tensor | None = None
    inputs: Tensor | None = None

    @property
    def sizes(self) -> Sizes:
        """Its nodes, edges and distances, those that fill it up included."""
        return Sizes(len(self.node_z), len(self.sender), len(self.distance))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {n: each.to(device, non_blocking=non_blocking) for n, each in self._tensors().items()}
        return replace(self, **moved)

    def pinned(self) -> Batch:
        """The same batch in host memory that a GPU can read while the program goes on."""
        pinned: dict[str, Any] = {name: tensor.pin_memory() for name, tensor in self._tensors().items()}
        return replace(self, **pinned)

    def copy_(self, other: Batch) -> None:
        """Take over the content of a batch of the same sizes, in place."""
        for name, tensor in self._tensors().items():
            tensor.copy_(getattr(other, name), non_blocking=True)

    def _tensors(self) -> dict[str, Tensor]:
        named = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "n_graphs"}
        return {name: tensor for name, tensor in named.items() if tensor is not None}


class DeviceGraphs:
    """Graphs from which batches are taken, on the device where the network is.

    Attributes:
        graphs: the store.
        device: where batches are.
        dtype: of their numbers.
        resident: whether the store itself is on the device; else batches are put together in host memory.
        inputs: what enters the network beside the crystal, by graph, in host memory, (n, n_inputs).
    """

    def __init__(
        self, graphs: Graphs, device: torch.device, inputs: Tensor | None, dtype: torch.dtype, resident: bool
    ) -> None:
        self.graphs, self.device, self.dtype, self.resident, self.inputs = graphs, device, dtype, resident, inputs
        self.counts = np.stack([np.diff(graphs.node_offsets), np.diff(graphs.edge_offsets),
                                np.diff(graphs.distance_offsets)], axis=1)
        self._starts = np.stack([graphs.node_offsets[:-1], graphs.edge_offsets[:-1], graphs.distance_offsets[:-1]],
                                axis=1)
        number = np.float64 if dtype == torch.float64 else np.float32
        self._flat: tuple[npt.NDArray[Any], ...] = (
            graphs.node_z, _as(graphs.node_weight, number), _as(graphs.node_degree, number), graphs.edge_sender,
            graphs.edge_receiver, _as(graphs.edge_weight, number), graphs.edge_distance,
            _as(graphs.distance_angstrom, number),
        )
        self._vectors = None if graphs.edge_vector is None else _as(graphs.edge_vector, number)
        self._tables: Tables | None = None
        if resident and device.type != "cpu":
            self._tables = Tables.of(graphs, device, dtype, inputs)

    @classmethod
    def of(
        cls, graphs: Graphs, device: torch.device | str = "cpu", inputs: npt.NDArray[Any] | Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> DeviceGraphs:
        """Put graphs where the network is: on the GPU if they fit, else they stay in host memory.

        Args:
            graphs: one per row to learn from or to predict.
            device: of the network.
            inputs: what enters beside the crystal, one row per graph, (n, n_inputs).
            dtype: float32 or float64.

        Raises:
            InputError: there are other numbers of graphs and inputs, a graph without nodes, or another dtype.
        """
        if dtype not in (torch.float32, torch.float64):
            raise InputError(f"Batches of {dtype} cannot be made: float32 or float64 is needed.")
        if graphs.n and not np.diff(graphs.node_offsets).all():
            raise InputError("There is a graph without nodes: its crystal cannot be used.")
        device = torch.device(device)
        rows = None if inputs is None else torch.as_tensor(inputs)
        if rows is not None:
            if rows.ndim != 2 or len(rows) != graphs.n:
                raise InputError(f"inputs of shape {tuple(rows.shape)} for {graphs.n:,} graphs: ({graphs.n}, n_inputs) "
                                 "is needed.")
            rows = rows.to(dtype if rows.is_floating_point() else torch.int64)
        resident = device.type != "cuda" or _fits(graphs, device, dtype)
        return cls(graphs, device, rows, dtype, resident)

    @property
    def n(self) -> int:
        """How many graphs there are."""
        return self.graphs.n

    def __len__(self) -> int:
        return self.n

    def batch(self, places: Tensor | npt.NDArray[np.int64] | Sequence[int]) -> Batch:
        """The graphs at some places, without anything that fills it up.

        A place may come more than once. Places that are on a GPU make the program wait for it.
        """
        if self.device.type == "cpu" or not self.resident:
            host = self._host_batch(places)
            return host if self.device.type == "cpu" else host.pinned().to(self.device, non_blocking=True)
        places = torch.as_tensor(places)
        sizes = self.sizes(places.cpu().numpy())
        return self._device_tables().batch(places.to(self.device, non_blocking=True), *sizes)

    def padded(self, places: Tensor, sizes: Sizes) -> Batch:
        """The graphs at some places, filled up to fixed sizes.

        Nothing waits for the device and no shape depends on the data, so that it can be captured in a CUDA graph
        (``resident`` only). Where the graphs are larger than ``sizes``, all node weights are NaN: a wrong batch never
        passes for a right one.

        Args:
            places: (G,) int64, on the device.
            sizes: room for nodes, edges and distances; see :meth:`bucket_sizes`.
        """
        if not self.resident:
            host = Tables.of(self.graphs.take(places.cpu().numpy()), torch.device("cpu"), self.dtype,
                             None if self.inputs is None else self.inputs[places.cpu()])
            made = host.batch(torch.arange(len(places)), *sizes)
            return made.pinned().to(self.device, non_blocking=True)
        return self._device_tables().batch(places, *sizes)

    def sizes(self, places: npt.NDArray[np.int64]) -> Sizes:
        """How large the exact batch of some places is."""
        nodes, edges, distances = self.counts[np.asarray(places, dtype=np.int64)].sum(axis=0).tolist()
        return Sizes(nodes, edges, distances)

    def bucket_sizes(
        self, batch_size: int, n_buckets: int = 3, places: npt.NDArray[np.int64] | None = None, seed: int = 0,
        n_drawn: int = 4_000,
    ) -> list[Sizes]:
        """Sizes, ascending, such that almost every random batch fits the last of them, and half the first.

        Args:
            batch_size: graphs in a batch.
            n_buckets: how many sizes.
            places: the graphs that batches are drawn from; default all.
            seed: of the draws from which the sizes are estimated.
            n_drawn: how many draws.
        """
        pool = np.arange(self.n) if places is None else np.asarray(places, dtype=np.int64)
        if not len(pool):
            return [Sizes(64, 64, 64)]
        drawn = self.batch_sizes(np.random.default_rng(seed).choice(pool, (n_drawn, batch_size)))
        order = np.argsort((drawn / drawn.mean(axis=0)).max(axis=1))
        shares = 1.0 - 0.5 ** np.arange(1, n_buckets) if n_buckets < 3 else 1.0 - 0.5 * 0.2 ** np.arange(n_buckets - 1)
        rows = [drawn[order[: max(1, int(share * n_drawn))]].max(axis=0) for share in shares]
        rows.append(1.1 * drawn.max(axis=0))
        return [Sizes(*(64 * -(-np.asarray(row) // 64)).astype(int).tolist()) for row in rows]

    def batch_sizes(self, batches: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Nodes, edges and distances of many batches, (n_batches, batch_size) → (n_batches, 3)."""
        sizes: npt.NDArray[np.int64] = self.counts[batches].sum(axis=1)
        return sizes

    def bucket_of(self, batches: npt.NDArray[np.int64], buckets: Sequence[Sizes]) -> npt.NDArray[np.int64]:
        """The first of the sizes that holds each batch, -1 where none does, (n_batches, batch_size) → (n_batches,)."""
        fits: npt.NDArray[np.bool_] = np.all(self.batch_sizes(batches)[:, None, :] <= np.array(buckets)[None], axis=2)
        return np.where(fits.any(axis=1), fits.argmax(axis=1), -1).astype(np.int64)

    def _device_tables(self) -> Tables:
        if self._tables is None:
            self._tables = Tables.of(self.graphs, self.device, self.dtype, self.inputs)
        return self._tables

    def _host_batch(self, places: Tensor | npt.NDArray[np.int64] | Sequence[int]) -> Batch:
        wanted = places.cpu().numpy() if isinstance(places, Tensor) else np.asarray(places, dtype=np.int64)
        inputs = None if self.inputs is None else self.inputs[torch.from_numpy(wanted)]
        made, vectors = batch_arrays(wanted, self.counts, self._starts, self._flat, self._vectors)
        z, weight, graph, degree, sender, receiver, edge_weight, edge_distance, distance = map(torch.from_numpy, made)
        return Batch(len(wanted), z, weight, graph, degree, sender, receiver, edge_weight, edge_distance, distance,
                     None if vectors is None else torch.from_numpy(vectors), inputs)


def _as(array: npt.NDArray[Any], dtype: type[np.floating[Any]]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=dtype)


def _fits(graphs: Graphs, device: torch.device, dtype: torch.dtype) -> bool:
    free, _ = torch.cuda.mem_get_info(device)
    return Tables.n_bytes(graphs, dtype) <= SHARE_OF_DEVICE * free
