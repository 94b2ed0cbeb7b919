"""The pairs of `similarities` as a graph over representatives, with what each of them stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import SettingsError, TableError

if TYPE_CHECKING:
    import duckdb

    from lake.store.lake import Lake


@dataclass(frozen=True)
class SimilarPairs:
    """What `matlake similar --threshold` found on a grid, at or above a threshold.

    Attributes:
        ids: every comparable calculation (n,), ordered.
        node: the node that each of them belongs to (n,); a node is a representative and what it stands for.
        own_similarity: similarity of each to its node's representative (n,); 1 for the representative itself.
        exact: whether each has the very pairs of its representative (n,); not so where it was folded as near.
        left: first node of each pair (m,).
        right: second node (m,).
        similarity: their Tanimoto coefficient (m,).
        similarities_version: version of `similarities` that was read.
    """

    ids: list[str]
    node: NDArray[np.int32]
    own_similarity: NDArray[np.float64]
    exact: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    similarity: NDArray[np.float64]
    similarities_version: int


def similar_pairs(lake: Lake, grid_id: str, threshold: float) -> SimilarPairs:
    """Read the pairs of a grid, at the versions that its run recorded.

    Args:
        lake: the lake.
        grid_id: the grid.
        threshold: smallest similarity of a pair.

    Raises:
        SettingsError: the pairs were not computed, or only from a higher threshold on, or near-identical
            calculations were folded at a lower similarity.
        TableError: the tables do not belong together, as while a run is being written.
    """
    if not 0 < threshold <= 1:
        raise SettingsError(f"--threshold {threshold:g}: a similarity above 0 and up to 1 is needed.")
    run = _run(lake, grid_id, threshold)
    pinned = {name: run[f"{name}_version"] for name in ("fingerprints", "similarities")}
    with lake.connect(pinned) as connection:
        members = _members(connection, grid_id, threshold)
        left, right, similarity = _pairs(connection, grid_id, threshold, members)
    if _run(lake, grid_id, threshold)["computed_at"] != run["computed_at"]:
        raise TableError(f"The similarities of {grid_id} were computed anew while they were read: run this again.")
    return SimilarPairs(
        members["calculation_id"].to_pylist(), members["node"].to_numpy(), members["similarity"].to_numpy(),
        members["exact"].to_numpy(zero_copy_only=False), left, right, similarity, run["similarities_version"],
    )


def _run(lake: Lake, grid_id: str, threshold: float) -> dict[str, Any]:
    """What the pairs were computed from.

    Raises:
        SettingsError: it does not reach down to the threshold.
    """
    again = f"matlake similar --threshold {threshold:g} --grid {grid_id}"
    runs: dict[str, dict[str, Any]] = {row["grid_id"]: row for row in lake.read("similarity_runs").to_pylist()}
    if grid_id not in runs:
        known = f" (there are some on {', '.join(sorted(runs))})" if runs else ""
        raise SettingsError(f"There are no similarities on the grid {grid_id!r:.80}{known}: run {again}.")
    if threshold < runs[grid_id]["threshold"]:
        raise SettingsError(
            f"Similarities on {grid_id} are listed from {runs[grid_id]['threshold']:g} on, "
            f"clusters at {threshold:g} need those below: run {again}."
        )
    return runs[grid_id]


def _members(connection: duckdb.DuckDBPyConnection, grid_id: str, threshold: float) -> pa.Table:
    """calculation_id, node, similarity and exact of every comparable calculation, ordered by id.

    Nodes are numbered by the first id among those that are exactly alike: the order in which ties go.
    """
    ids = connection.sql(
        "select calculation_id from fingerprints where grid_id = $grid and reason is null order by calculation_id",
        params={"grid": grid_id},
    ).to_arrow_table()["calculation_id"].to_pylist()
    folded = {
        row[0]: row[1:] for row in connection.execute(
            "select calculation_id, representative_id, similarity, group_kind from similarity_groups "
            "where grid_id = $grid", {"grid": grid_id},
        ).fetchall()
    }
    number: dict[str, int] = {}
    roots: list[str] = []
    similarity, exact = np.ones(len(ids)), np.ones(len(ids), np.bool_)
    for place, calculation_id in enumerate(ids):
        root = calculation_id
        if calculation_id in folded:
            root, similarity[place], exact[place] = _root(calculation_id, folded, threshold)
        if exact[place]:
            number.setdefault(root, len(number))
        roots.append(root)
    missing = set(roots) - set(number) | set(folded) - set(ids)
    if missing:
        raise TableError(
            f"similarity_groups of {grid_id} names {min(missing)}, which has no fingerprint in the version that "
            "its similarities were computed from: run matlake similar again."
        )
    node = np.array([number[root] for root in roots], dtype=np.int32)
    return pa.table({
        "calculation_id": pa.array(ids, pa.string()), "node": node, "similarity": similarity, "exact": exact,
        "root": pa.array(roots, pa.string()),
    })


def _root(
    calculation_id: str, folded: dict[str, tuple[Any, ...]], threshold: float
) -> tuple[str, float, bool]:
    """The representative that has pairs of its own, the similarity to it, and whether the two are exactly alike.

    A calculation that is exactly alike and yet not similar is one without any count: its coefficient with every
    other is 0, so it stands for itself alone.
    """
    root, similarity, kind = folded[calculation_id]
    exact = kind == "identical"
    if exact and similarity < threshold:
        return calculation_id, 1.0, True
    if similarity < threshold:
        raise SettingsError(
            f"{calculation_id} was folded into {root} at {similarity:.4g}, below the threshold {threshold:g}, so its "
            f"own pairs are not known: run matlake similar --threshold {threshold:g} again, folding only what is "
            "at least as similar."
        )
    if root in folded:
        # What a near one stands for in turn is exactly alike; two steps are never both near.
        root, further, further_exact = _root(root, folded, threshold)
        similarity, exact = min(similarity, further), exact and further_exact
    return root, float(similarity), exact


def _pairs(
    connection: duckdb.DuckDBPyConnection, grid_id: str, threshold: float, members: pa.Table
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The pairs by node number; ids become numbers inside the database, as they would fill the memory."""
    own = pa.compute.equal(members["calculation_id"], members["root"])
    connection.register("nodes", members.filter(own).select(["calculation_id", "node"]))
    among = "from similarities where grid_id = $grid and similarity >= $threshold"
    values = {"grid": grid_id, "threshold": threshold}
    found = connection.execute(
        f"select l.node as left_node, r.node as right_node, similarity from (select * {among}) "  # noqa: S608
        "join nodes l on left_id = l.calculation_id join nodes r on right_id = r.calculation_id", values,
    ).fetchnumpy()
    left, right, similarity = (np.ascontiguousarray(column) for column in found.values())
    listed = connection.execute(f"select count(*) {among}", values).fetchall()[0][0]
    if listed != len(left):
        raise TableError(
            f"{listed - len(left):,} pairs of {grid_id} name calculations without a fingerprint of their own in the "
            "version that they were computed from: run matlake similar again."
        )
    return left.astype(np.int32), right.astype(np.int32), similarity.astype(np.float64)
