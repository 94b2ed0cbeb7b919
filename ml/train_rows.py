"""The rows that a training leaves in the lake."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.data.checks import SPLITS
from ml.evaluate import metrics
from ml.provenance import code_version, library_versions_json

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.learned import Learned
    from ml.registry.model import Floats, Predicted
    from ml.spec import ModelSpec


def prediction_rows(
    rows: pa.Table, predicted: Predicted, uncertainty: Floats | None, outside: Sequence[str | None] | None = None
) -> pa.Table:
    """Rows of `predictions` without model_id, and all columns of a dataset's rows that tell slices apart.

    Args:
        rows: of a dataset.
        predicted: of the same rows.
        uncertainty: calibrated standard deviations (n,); None = there are none.
        outside: why a row lies outside what the model has seen (n,); None = none does.
    """
    nulls = pa.nulls(rows.num_rows, pa.float64())
    return rows.append_column("predicted", pa.array(predicted.mean)).append_column(
        "uncertainty", nulls if uncertainty is None else pa.array(uncertainty)
    ).append_column("outside", pa.array(outside or [None] * rows.num_rows, pa.string()))


def errors(rows: pa.Table) -> dict[str, Any]:
    """Errors by split, and by database and split where there are several databases.

    Args:
        rows: of :func:`prediction_rows`.
    """
    def by_split(some: pa.Table) -> dict[str, Any]:
        parts = {split: some.filter(pc.equal(some["split"], split)) for split in SPLITS}
        return {split: metrics(part["actual"].to_numpy(), part["predicted"].to_numpy())
                for split, part in parts.items() if part.num_rows}

    sources = sorted(pc.unique(rows["source"]).to_pylist())
    found = by_split(rows)
    if len(sources) > 1:
        found["by_source"] = {name: by_split(rows.filter(pc.equal(rows["source"], name))) for name in sources}
    return found


def model_row(dataset: Dataset, spec: ModelSpec, learned: Learned, road: str) -> dict[str, Any]:
    """The row of `models`, without errors and without what only a saved model has."""
    selection, rows = dataset.selection, dataset.rows
    licenses = [value or "not stated" for value in pc.unique(rows["license"]).to_pylist()]
    return {
        "kind": spec.kind, "target": dataset.target.column, "unit": dataset.target.unit,
        "target_reference": dataset.target.reference, "road": road, "sources": list(dataset.sources),
        "subset": selection.subset, "subset_version": selection.version, "where_sql": selection.where,
        "table_versions": dataset.table_versions, "split_key": selection.key_kind,
        "split_seed": selection.split_seed,
        **{f"n_{split}": len(dataset.places(split)) for split in SPLITS}, "data_sha256": dataset.sha256,
        "settings_json": settings_json(dataset, spec, learned), "n_members": spec.n_members,
        "n_parameters": learned.n_parameters, "seed": spec.seed, "device": learned.device, "steps": learned.steps,
        "best_step": learned.best_step, "stopped": learned.stopped, "seconds": learned.seconds,
        "licenses": sorted(licenses),
        "redistributable": bool(pc.all(pc.fill_null(rows["redistributable"], False)).as_py()),
        "code_version": code_version(), "library_versions_json": library_versions_json(),
    }


def settings_json(dataset: Dataset, spec: ModelSpec, learned: Learned) -> str:
    """What was asked for (``spec``, ``selection``), and what it became (``settings``)."""
    values = {"spec": json.loads(spec.json()), "selection": asdict(dataset.selection),
              "settings": learned.document.settings}
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
