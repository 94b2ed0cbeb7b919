"""One graph to torch_geometric's ``Data`` and back, for those who go on with its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lake.errors import InputError
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings

if TYPE_CHECKING:
    from torch_geometric.data import Data


def to_data(graphs: Graphs, place: int) -> Data:
    """One graph as ``Data``.

    Returns:
        ``z`` (N,) int64; ``edge_index`` (2, E) int64, from sender to receiver; ``edge_length`` (E,), Å;
        ``edge_weight`` (E,), share of the receiver's neighbours; ``node_weight`` (N,), share of the atoms;
        ``node_degree`` (N,); of full graphs ``edge_vector`` (E, 3), Å; and ``n_atoms``, ``structure_sha256``.

    Raises:
        InputError: there is no such place, or torch_geometric is not installed.
    """
    import torch

    try:
        from torch_geometric.data import Data
    except ImportError as error:
        raise InputError("torch_geometric is not installed: pip install torch-geometric.") from error
    one = graphs.take([place])
    data = Data(
        z=torch.from_numpy(one.node_z.astype(np.int64)),
        edge_index=torch.from_numpy(np.stack([one.edge_sender, one.edge_receiver]).astype(np.int64)),
        edge_length=torch.from_numpy(one.distance_angstrom[one.edge_distance]),
        edge_weight=torch.from_numpy(one.edge_weight.copy()),
        node_weight=torch.from_numpy(one.node_weight.copy()),
        node_degree=torch.from_numpy(one.node_degree.copy()),
        num_nodes=len(one.node_z),
        n_atoms=int(one.n_atoms[0]),
        structure_sha256=str(one.sha256s[0]),
    )
    if one.edge_vector is not None:
        data.edge_vector = torch.from_numpy(one.edge_vector.copy())
    return data


def from_data(data: Data, settings: GraphSettings) -> Graphs:
    """The graph that :func:`to_data` was given; ``settings`` are those that it was made with.

    Raises:
        InputError: a field is missing, or has other numbers of nodes or edges than the rest.
    """
    of_nodes, of_edges = ["z", "node_weight", "node_degree"], ["edge_length", "edge_weight"]
    if settings.kind == "full":
        of_edges.append("edge_vector")
    missing = [n for n in (*of_nodes, *of_edges, "edge_index", "n_atoms", "structure_sha256") if n not in data]
    if missing:
        raise InputError(f"The Data has no {', '.join(missing)}: it is no {settings.kind} graph of to_data.")
    n_nodes, n_edges = len(data.z), data.edge_index.shape[1]
    wrong = [n for n in of_nodes if len(data[n]) != n_nodes] + [n for n in of_edges if len(data[n]) != n_edges]
    if wrong:
        raise InputError(f"The Data has {n_nodes} nodes and {n_edges} edges, and other numbers in {', '.join(wrong)}.")
    lengths = data.edge_length.numpy()
    distances, which = np.unique(lengths, return_inverse=True)
    return Graphs(
        settings=settings,
        sha256s=np.array([data.structure_sha256], dtype="U64"),
        n_atoms=np.array([data.n_atoms], dtype=np.int32),
        node_offsets=np.array([0, n_nodes]),
        node_z=data.z.numpy().astype(np.uint8),
        node_weight=data.node_weight.numpy(),
        node_degree=data.node_degree.numpy(),
        edge_offsets=np.array([0, n_edges]),
        edge_sender=data.edge_index[0].numpy().astype(np.int32),
        edge_receiver=data.edge_index[1].numpy().astype(np.int32),
        edge_weight=data.edge_weight.numpy(),
        edge_distance=which.astype(np.int32),
        distance_offsets=np.array([0, len(distances)]),
        distance_angstrom=distances,
        edge_vector=data.edge_vector.numpy() if settings.kind == "full" else None,
    )
