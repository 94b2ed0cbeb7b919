"""Writing what was found: rows of a model, or of a comparison, in the place of those that were there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from lake.store.lake import Lake

WHOLE = {"complexities": ("model_id",), "model_comparisons": ("comparison", "data_sha256")}
"""Columns that tell which rows belong together and are written as a whole."""


def put(lake: Lake, table: str, rows: pa.Table) -> None:
    """Write rows of `complexities` or `model_comparisons`; those of the same model or comparison are replaced.

    Raises:
        TableError: a commit failed.
    """
    columns = WHOLE[table]
    for values in rows.group_by(list(columns), use_threads=False).aggregate([]).to_pylist():
        chosen = rows
        for column, value in values.items():
            chosen = chosen.filter(pc.equal(chosen[column], value))
        lake.replace(table, chosen, values)
