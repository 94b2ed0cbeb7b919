"""The lake's own models of different kinds against each other, where they were judged on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from lake.tables import TABLES
from ml.complexity.class_study import compared
from ml.complexity.compare import comparable
from ml.complexity.sizes import TOLERANCE
from ml.complexity.tables import put
from ml.complexity.worth import answers_of, validation_mae

if TYPE_CHECKING:
    from lake.store.lake import Lake


def compare_models(lake: Lake, rows: pa.Table, tolerance: float = TOLERANCE) -> pa.Table:
    """Compare models at nearly as many parameters, and the best of every kind; written to `model_comparisons`.

    Args:
        lake: where their predictions are.
        rows: of `complexities`, of models of the lake.
        tolerance: share by which numbers of parameters may differ.

    Returns:
        Rows of `model_comparisons`; none where no two models of different kinds were judged on the same rows.
    """
    found = [TABLES["model_comparisons"].schema.empty_table()]
    for group in comparable(rows.to_pylist()):
        if len({row["kind"] for row in group}) < 2:
            continue
        answers = {row["model_id"]: answers_of(lake, row["model_id"]) for row in group}
        judged_by = {name: validation_mae(lake, name) for name in answers}
        pairs = compared(group, answers, f"lake:{group[0]['data_sha256'][:12]}:{group[0]['n']}", tolerance=tolerance,
                         judged_by=judged_by)
        put(lake, "model_comparisons", pairs)
        found.append(pairs)
    return pa.concat_tables(found)
