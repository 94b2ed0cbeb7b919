"""Graphs of crystals as one flat store: the arrays of all of them laid end to end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from ml.graphs.settings import GraphSettings

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Graphs:
    """Graphs of crystals, laid end to end.

    Attributes:
        settings: how crystals became graphs.
        sha256s: digest of every crystal, (n,).
        n_atoms: in every crystal's cell, (n,).
        node_offsets: where each graph's nodes start, and the last ones end, (n + 1,).
        node_z: atomic number, (nodes,).
        node_weight: share of the crystal's atoms that are this node; 1 in sum over a graph, (nodes,).
        node_degree: neighbours of each such atom, (nodes,).
        edge_offsets: where each graph's edges start, and the last ones end, (n + 1,).
        edge_sender: within the graph, (edges,).
        edge_receiver: within the graph, ascending, (edges,).
        edge_weight: share of the receiver's neighbours that this edge stands for; 1 in sum over a receiver, (edges,).
        edge_distance: which of the graph's distances, (edges,).
        distance_offsets: where each graph's distances start, and the last ones end, (n + 1,).
        distance_angstrom: those that differ, ascending within a graph, Å, (distances,).
        edge_vector: from sender to receiver, Å, (edges, 3); graphs of kind full only.
    """

    settings: GraphSettings
    sha256s: npt.NDArray[np.str_]
    n_atoms: Places
    node_offsets: Ints
    node_z: npt.NDArray[np.uint8]
    node_weight: Floats
    node_degree: Floats
    edge_offsets: Ints
    edge_sender: Places
    edge_receiver: Places
    edge_weight: Floats
    edge_distance: Places
    distance_offsets: Ints
    distance_angstrom: npt.NDArray[np.float64]
    edge_vector: Floats | None = None

    @property
    def n(self) -> int:
        """How many graphs there are."""
        return len(self.n_atoms)

    def __len__(self) -> int:
        return self.n

    @property
    def n_bytes(self) -> int:
        """Memory of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    @property
    def elements(self) -> tuple[int, ...]:
        """The atomic numbers that occur, ascending."""
        return tuple(np.flatnonzero(np.bincount(self.node_z, minlength=1)).tolist())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All arrays by name."""
        named = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "settings"}
        return {name: array for name, array in named.items() if array is not None}

    def places(self, structure_sha256s: Iterable[str] | pa.Array | pa.ChunkedArray) -> Ints:
        """The place of every crystal.

        Raises:
            InputError: one of them has no graph here.
        """
        wanted = structure_sha256s if isinstance(structure_sha256s, pa.Array | pa.ChunkedArray) \
            else pa.array(list(structure_sha256s), pa.string())
        found = pc.index_in(wanted, value_set=pa.array(self.sha256s.tolist(), pa.string()))
        if found.null_count:
            first = wanted.filter(pc.is_null(found))[0]
            raise InputError(f"{found.null_count:,} of {len(wanted):,} crystals have no graph among these {self.n:,}; "
                             f"the first has structure_sha256 {first}.")
        places: Ints = found.to_numpy(zero_copy_only=False).astype(np.int64)
        return places

    def take(self, places: Sequence[int] | Ints) -> Graphs:
        """Some of the graphs, in the order of the places; a place may come more than once.

        Raises:
            InputError: a place is not there.
        """
        from ml.graphs.gather import gathered

        wanted = np.asarray(places, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.n):
            raise InputError(f"There are {self.n:,} graphs: places from 0 to {self.n - 1:,} are needed.")
        if np.array_equal(wanted, np.arange(self.n)):
            return self
        return gathered([self], np.zeros(len(wanted), dtype=np.int64), wanted)


def joined(parts: Sequence[Graphs]) -> Graphs:
    """Graphs of several stores of the same settings, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    arrays: dict[str, Any] = {}
    for name in first.arrays():
        pieces = [getattr(part, name) for part in parts]
        if name.endswith("_offsets"):
            counts = np.concatenate([np.diff(piece) for piece in pieces])
            arrays[name] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        else:
            arrays[name] = np.concatenate(pieces)
    return Graphs(first.settings, **arrays)
