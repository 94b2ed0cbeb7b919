"""Clusters of similar calculations, written to the table `clusters`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import SettingsError
from lake.tables import TABLES

if TYPE_CHECKING:
    from analytics.similarity.similar_pairs import SimilarPairs
    from lake.store.lake import Lake

METHODS = ("greedy", "components")
SINGLE = -1
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class ClusterResult:
    """What a clustering found.

    Attributes:
        grid_id: the grid of the fingerprints.
        method: greedy or components.
        threshold: similarity from which two calculations are neighbours.
        n_calculations: comparable calculations.
        sizes: calculations of every cluster, largest first.
        n_single: calculations that are in none.
        similarities_version: version of `similarities` that was read.
        clusters_version: version of `clusters` that holds the result.
    """

    grid_id: str
    method: str
    threshold: float
    n_calculations: int
    sizes: tuple[int, ...]
    n_single: int
    similarities_version: int
    clusters_version: int

    @property
    def n_clusters(self) -> int:
        """Clusters of two and more."""
        return len(self.sizes)


def cluster(lake: Lake, grid_id: str, method: str = "greedy", threshold: float = 0.8) -> ClusterResult:
    """Cluster all comparable calculations of a grid by their listed similarities and store the result.

    ``greedy`` is the authors' clustering (:mod:`analytics.similarity.greedy`): every member is at or above the
    threshold to its centre. ``components`` joins whatever is connected, so that it chains. Calculations that
    are exactly alike count one by one. Those that were folded as near-identical, at a similarity s, count for their
    representative and follow it into its cluster. Their similarity to the centre is null where the centre is another
    one; it lies within 1 − s of the representative's (:mod:`analytics.similarity.groups`).

    Args:
        lake: the lake; rows of `clusters` with the same grid, method and threshold are replaced.
        grid_id: the grid of the fingerprints.
        method: greedy or components.
        threshold: similarity from which two calculations are neighbours.

    Raises:
        SettingsError: an unknown method, or pairs at this threshold were not computed.
        TableError: the tables do not belong together, or the commit failed.
    """
    from analytics.similarity.similar_pairs import similar_pairs

    if method not in METHODS:
        raise SettingsError(f"--method {method!r:.40}: one of {', '.join(METHODS)}.")
    pairs = similar_pairs(lake, grid_id, threshold)
    nodes, centers = _greedy(pairs) if method == "greedy" else _components(pairs)
    numbers = nodes[pairs.node] if len(pairs.ids) else np.zeros(0, np.int32)
    sizes = np.bincount(numbers[numbers >= 0])
    where: dict[str, str | int | float] = {"grid_id": grid_id, "method": method, "threshold": threshold}
    rows = _rows(pairs, numbers, sizes, centers, where)
    version = lake.replace("clusters", rows, where)
    return ClusterResult(
        grid_id, method, threshold, len(pairs.ids), tuple(sizes.tolist()), int((numbers < 0).sum()),
        pairs.similarities_version, version,
    )


def _weights(pairs: SimilarPairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Calculations of every node, and the sum of their similarities to the representative without its own."""
    from analytics.similarity.neighbours import FIXED_ONE, fixed

    n = int(pairs.node.max()) + 1 if len(pairs.node) else 0
    weight = np.bincount(pairs.node, minlength=n).astype(np.int64)
    own = np.zeros(n, np.int64)
    np.add.at(own, pairs.node, fixed(pairs.own_similarity).astype(np.int64))
    return weight, own - FIXED_ONE


def _greedy(pairs: SimilarPairs) -> tuple[Indices, Indices]:
    from analytics.similarity.greedy import greedy
    from analytics.similarity.neighbours import Neighbours

    weight, own = _weights(pairs)
    return greedy(Neighbours.of(len(weight), pairs.left, pairs.right, pairs.similarity), weight, own)


def _components(pairs: SimilarPairs) -> tuple[Indices, Indices]:
    """Connected nodes, the largest component first, ties by the first node; there are no centres."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    weight, _ = _weights(pairs)
    n = len(weight)
    links = coo_array((np.ones(len(pairs.left), np.int8), (pairs.left, pairs.right)), shape=(n, n))
    count, labels = connected_components(links, directed=False)
    size = np.bincount(labels, weights=weight, minlength=count).astype(np.int64)
    _, first = np.unique(labels, return_index=True)
    order = np.lexsort((first, -size))
    renamed = np.empty(count, np.int32)
    renamed[order] = np.arange(count, dtype=np.int32)
    renamed[size == 1] = SINGLE
    return renamed[labels], np.full(n, SINGLE, np.int32)


def _rows(
    pairs: SimilarPairs, numbers: Indices, sizes: NDArray[np.int64], centers: Indices,
    where: dict[str, str | int | float],
) -> pa.Table:
    n = len(pairs.ids)
    members = np.where(numbers >= 0, sizes[numbers] if len(sizes) else 0, 1).astype(np.int32)
    center_node = centers[pairs.node] if n else np.zeros(0, np.int32)
    first_of_node = np.full(len(centers), -1, np.int64)
    exact = np.flatnonzero(pairs.exact)[::-1]
    first_of_node[pairs.node[exact]] = exact
    ids = pa.array(pairs.ids, pa.string())
    center_place = first_of_node[np.maximum(center_node, 0)] if n else np.zeros(0, np.int64)
    similarity = _to_center(pairs, center_node)
    columns = {
        **{name: pa.repeat(value, n) for name, value in where.items()},
        "calculation_id": ids, "cluster": numbers,
        "center_id": ids.take(pa.array(center_place, mask=center_node < 0)),
        "similarity_to_center": pa.array(similarity, mask=np.isnan(similarity)),
        "n_members": members, "similarities_version": pa.repeat(pairs.similarities_version, n),
    }
    schema = TABLES["clusters"].schema
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _to_center(pairs: SimilarPairs, center_node: Indices) -> NDArray[np.float64]:
    """Similarity of every calculation to its centre (n,); NaN where it has none or the pair is not listed."""
    if not len(pairs.ids):
        return np.zeros(0)
    center_of_node = np.full(int(pairs.node.max()) + 1, SINGLE, np.int32)
    center_of_node[pairs.node] = center_node
    of_node = np.full(len(center_of_node), np.nan)
    for one, other in ((pairs.left, pairs.right), (pairs.right, pairs.left)):
        found = center_of_node[one] == other
        of_node[one[found]] = pairs.similarity[found]
    itself = center_node == pairs.node
    return np.where(itself, pairs.own_similarity, np.where(pairs.exact, of_node[pairs.node], np.nan))
