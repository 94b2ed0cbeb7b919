"""Making the pairs of a run visible, with the groups and the record of what they were computed from."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

from lake.errors import TableError
from lake.tables import TABLES

if TYPE_CHECKING:
    from analytics.similarity.asked import Asked
    from analytics.similarity.run_folder import RunFolder
    from analytics.similarity.sorting import Sorted
    from lake.store.lake import Lake
    from lake.store.whole import Part

TRIES = 5


@dataclass(frozen=True)
class Published:
    """What the lake holds: how many fingerprints of each sort, how many pairs, at which version, and whether anew."""

    n_representatives: int
    n_identical: int
    n_near: int
    n_pairs: int
    similarities_version: int
    is_new: bool


def published(lake: Lake, asked: Asked) -> Published | None:
    """What the lake holds, if it is the answer to the same question about the same versions."""
    wanted = _row(asked)
    rows = [row for row in lake.read("similarity_runs").to_pylist() if row["grid_id"] == asked.grid_id]
    # The version of `dos` is not recorded.
    if asked.aligned or len(rows) != 1 or any(rows[0][name] != value for name, value in wanted.items()):
        return None
    row = rows[0]
    if _files(lake, "similarities", asked.grid_id) != _files(lake, "similarities", asked.grid_id,
                                                             row["similarities_version"]):
        return None
    with lake.connect() as connection:
        kinds: dict[str, int] = dict(connection.execute(
            "select group_kind, count(*) from similarity_groups where grid_id = $grid group by all",
            {"grid": asked.grid_id},
        ).fetchall())
    return Published(row["n_representatives"], kinds.get("identical", 0), kinds.get("near", 0), row["n_pairs"],
                     row["similarities_version"], False)


def publish(
    lake: Lake, asked: Asked, found: Sorted, parts: Sequence[Part], folder: RunFolder, token: str, began: float
) -> Published:
    """Make pairs, groups and record visible, in that order.

    Raises:
        TableError: other runs on the same grid publish all the time.
    """
    folder.write(lake.root, f"publishing-{token}.json", [part.path for part in (*parts, *found.groups)])
    n_pairs = sum(part.rows for part in parts)
    for _ in range(TRIES):
        version = _publish(lake, "similarities", asked, parts)
        _publish(lake, "similarity_groups", asked, found.groups)
        row = _row(asked) | {
            "n_fingerprints": found.n_fingerprints, "n_representatives": found.n_representatives, "n_pairs": n_pairs,
            "similarities_version": version, "seconds": time.monotonic() - began, "computed_at": datetime.now(UTC),
        }
        schema = TABLES["similarity_runs"].schema
        lake.replace("similarity_runs", pa.Table.from_pylist([row], schema=schema), {"grid_id": asked.grid_id})
        if _files(lake, "similarities", asked.grid_id) == _files(lake, "similarities", asked.grid_id, version):
            return Published(found.n_representatives, found.n_identical, found.n_near, n_pairs, version, True)
        # Another run on this grid published in between: the three tables must be of one run.
        time.sleep(random.uniform(0.0, 2.0))  # noqa: S311
    raise TableError(f"Other runs publish similarities on {asked.grid_id} at the same time: run one after the other.")


def _publish(lake: Lake, table: str, asked: Asked, parts: Sequence[Part]) -> int:
    """Publish files, or leave what a twin of this run has published with some of the same files: the same rows."""
    paths = {lake.root.path(table, part.path) for part in parts}
    visible = _files(lake, table, asked.grid_id)
    if visible != paths and visible & paths:
        return lake.versions()[table]
    return lake.publish(table, {"grid_id": asked.grid_id}, parts)


def _files(lake: Lake, table: str, grid_id: str, version: int | None = None) -> set[str]:
    """The files of a grid."""
    return {path for path in lake.files(table, version) if f"/grid_id={quote(grid_id)}/" in path}


def _row(asked: Asked) -> dict[str, Any]:
    """What a run was asked for, as columns of `similarity_runs`."""
    fold = asked.fold_above is not None
    return {
        "grid_id": asked.grid_id, "threshold": asked.threshold, "aligned": asked.aligned,
        "fold_above": asked.fold_above, "fold_similarity": asked.fold_similarity if fold else None,
        "fingerprints_version": asked.fingerprints_version,
        "calculations_version": None if asked.calculations_version < 0 else asked.calculations_version,
    }
