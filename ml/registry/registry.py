"""Saving and loading models: tables for what is known of them, files for their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.tables import TABLES
from ml.registry import files, rows
from ml.registry.model import Model
from ml.registry.predictors import predictor_of

if TYPE_CHECKING:
    from lake.store.lake import Lake

def save(
    lake: Lake, model: Model, name: str, *, curve: Sequence[Mapping[str, Any]] = (),
    predictions: pa.Table | None = None, evaluations: pa.Table | None = None,
) -> Model:
    """Save a model as the next version of a name: files first, the row of `models` last.

    Args:
        lake: where to.
        model: its ``row`` has all columns of `models` but those that say which model it is and where its files are.
        name: what it is called.
        curve: rows of `learning_curves` without model_id.
        predictions: rows of `predictions`; their model_id is filled in.
        evaluations: rows of `evaluations`; their model_id is filled in.

    Returns:
        The model with its row as it was saved.

    Raises:
        InputError: the name is none.
        TableError: a commit failed.
    """
    rows.check_name(name)
    placed = files.write(lake.root, model.document, model.weights)
    version = rows.claim(lake, name, curve)
    model_id = f"{name}.{version}"
    for table, found in (("predictions", predictions), ("evaluations", evaluations)):
        if found is not None and found.num_rows:
            lake.replace(table, _of_model(table, found, model_id), {"model_id": model_id})
    row = dict.fromkeys(TABLES["models"].schema.names) | model.row | placed
    rows.insert(lake, row | {"model_id": model_id, "name": name, "version": version})
    return Model(rows.find(lake, model_id), model.document, model.predictor, model.weights)


def load(lake: Lake, name_or_id: str, device: str = "cpu") -> Model:
    """A saved model, ready to predict.

    Args:
        lake: where it is.
        name_or_id: name (its champion, else its newest version) or ``name.version``.
        device: where it computes: cpu, cuda, or auto.

    Raises:
        InputError: there is no such model; a file is missing, changed, or does not fit its description.
    """
    row = rows.find(lake, name_or_id)
    document, arrays = files.read(lake.root, row)
    return Model(row, document, predictor_of(document, arrays, device, str(row["model_id"])), arrays)


def _of_model(table: str, found: pa.Table, model_id: str) -> pa.Table:
    column = pa.array([model_id], pa.string()).take(pa.array([0] * found.num_rows, pa.int64()))
    others = [name for name in TABLES[table].schema.names if name != "model_id"]
    return pa.table({"model_id": column, **{name: found[name] for name in others}}).cast(TABLES[table].schema)
