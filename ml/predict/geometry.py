"""How large, how dense and how tight crystals are: what tells a squeezed, torn or huge cell from those of databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.structures import atomic_numbers
from ml.tabular.elements import element_table

if TYPE_CHECKING:
    from ml.graphs.graphs import Graphs

Floats = npt.NDArray[np.float64]
WORDS = {
    "n_sites": "atoms in its cell",
    "packing": "times the volume of its atoms as spheres of their covalent radii",
    "tightness": "of the sum of two covalent radii between its closest neighbours",
}
"""What each number of :func:`geometry` is, in words that follow it."""


def geometry(rows: pa.Table) -> dict[str, Floats]:
    """Three numbers of every crystal, each (n,).

    Args:
        rows: n crystals: ``lattice_vectors_angstrom``, ``fractional_positions``, ``species_at_sites``.

    Returns:
        ``n_sites``; ``packing``: volume of the cell over that of its atoms as spheres of their covalent radii;
        ``tightness``: the smallest distance between an atom and its nearest neighbours, over the sum of their covalent
        radii.

    Raises:
        InputError: a crystal cannot become a graph.
    """
    from ml.graphs.build import graphs_of
    from ml.graphs.settings import GraphSettings

    if rows.num_rows == 0:
        return {name: np.zeros(0) for name in WORDS}
    species = rows["species_at_sites"].combine_chunks()
    counts = pc.list_value_length(species).to_numpy(zero_copy_only=False).astype(np.int64)
    radii = radii_angstrom()[atomic_numbers(pc.list_flatten(species))]
    starts = np.cumsum(counts) - counts
    spheres = np.add.reduceat(4 / 3 * np.pi * radii**3, starts)
    lattices = np.asarray(
        pc.list_flatten(pc.list_flatten(rows["lattice_vectors_angstrom"])).to_numpy(), np.float64).reshape(-1, 3, 3)
    graphs = graphs_of(rows, GraphSettings(kind="full", n_neighbours=1))
    return {"n_sites": counts.astype(np.float64), "packing": np.abs(np.linalg.det(lattices)) / spheres,
            "tightness": _tightness(graphs)}


def radii_angstrom() -> Floats:
    """Covalent radii by atomic number (119,), Å."""
    table = element_table()
    radii: Floats = np.nan_to_num(table.values[:, table.properties.index("CovalentRadius")] / 100, nan=1.0)
    return radii


def _tightness(graphs: Graphs) -> Floats:
    edges = np.diff(graphs.edge_offsets)
    first_node = np.repeat(graphs.node_offsets[:-1], edges)
    radii = radii_angstrom()[graphs.node_z]
    sums = radii[first_node + graphs.edge_sender] + radii[first_node + graphs.edge_receiver]
    places = np.repeat(graphs.distance_offsets[:-1], edges) + graphs.edge_distance
    ratios: Floats = np.minimum.reduceat(graphs.distance_angstrom[places] / sums, graphs.edge_offsets[:-1])
    return ratios
