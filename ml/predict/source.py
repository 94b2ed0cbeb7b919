"""Which model is meant, and which rows of the lake it is asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from lake.store.pinned import connection_at
from lake.tables import TABLES
from ml.data.dataset import resolved
from ml.data.read import Asked
from ml.data.selection import DEFAULT_SPLIT, Selection
from ml.predict.predict import predict_rows
from ml.registry import files
from ml.registry.exchange import CARD, read_model
from ml.registry.model import Model
from ml.registry.predictors import predictor_of
from ml.registry.registry import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lake.store.lake import Lake
    from ml.predict.levels import Value

WITHOUT_STRUCTURE = "without a whole structure"


def model_of(lake: Lake, name: str, device: str = "cpu") -> Model:
    """A model of the lake, or one in a folder, which is read as data.

    Args:
        lake: where saved models are; not looked at for a folder.
        name: name (its champion, else its newest version), ``name.version``, or a folder with ``weights.safetensors``
            and ``model.json``.
        device: where it computes: cpu, cuda, or auto.

    Raises:
        InputError: there is no such model; a file is missing, changed, or does not fit its description.
    """
    folder = Path(name)
    if not (folder / files.DESCRIPTION).is_file() and not ("/" in name and folder.is_dir()):
        return load(lake, name, device)
    if (folder / CARD).is_file():
        return read_model(folder, device)
    document, arrays = files.read_folder(folder)
    row: dict[str, Any] = {
        "kind": document.spec.kind, "target": document.target.column, "unit": document.target.unit,
        "target_reference": document.target.reference, "sources": [], "n_members": document.spec.n_members,
    }
    return Model(row, document, predictor_of(document, arrays, device, str(folder)), arrays)


def rows_of(lake: Lake, model: Model, selection: Selection) -> tuple[pa.Table, int]:
    """Calculations that a model is asked about, whether or not they have the value that it predicts.

    Args:
        lake: where they are.
        model: its target, key and split are those of the rows.
        selection: which; a subset is read at the versions that it is pinned to.

    Returns:
        Rows by calculation_id: :data:`ml.data.read.COLUMNS` and ``actual`` (null where there is none); ``split`` is
        that of the material in the training of this model, null where it was not in it. And how many calculations of
        the selection have no whole structure.

    Raises:
        InputError: nothing is selected, or nothing of it has a structure; no such subset or database.
        QueryError: the condition is none, or fails.
    """
    selection = replace(
        selection, key_kind=model.row.get("split_key") or "reduced_key",
        split_seed=int(model.row.get("split_seed") or 0),
    )
    selection, _, versions = resolved(lake, selection)
    with connection_at(lake, versions) as connection:
        asked = Asked.of(connection, replace(selection, split=selection.split or DEFAULT_SPLIT), model.target)
        n_selected, _ = asked.counts()
        rows = asked.rows([WITHOUT_STRUCTURE])
    if not rows.num_rows:
        why = f"none of its {n_selected:,} calculations has a whole structure" if n_selected else "it holds none"
        raise InputError(f"There is no calculation to predict for ({selection}): {why}.")
    return _with_splits(lake, model, rows), n_selected - rows.num_rows


def predict_subset(
    lake: Lake, model: Model, selection: Selection, *, level: Mapping[str, Value] | None = None
) -> pa.Table:
    """What a model says of calculations of the lake: :func:`ml.predict.predict.predict_rows` of :func:`rows_of`."""
    rows, _ = rows_of(lake, model, selection)
    return predict_rows(model, rows, level=level, strict=False)


def save_predictions(lake: Lake, model: Model, predicted: pa.Table) -> int:
    """Write predictions of calculations of the lake into `predictions`, in the place of earlier ones of the same.

    Args:
        lake: where the model is saved.
        model: a saved one.
        predicted: of :func:`predict_subset`; rows without a prediction are left out.

    Returns:
        How many were written.

    Raises:
        InputError: the model is not in the lake.
    """
    if not model.model_id:
        raise InputError("The model is not in the lake, and what it predicts cannot be kept there: take it in first "
                         "(matlake models NAME --import FOLDER).")
    known = pc.and_(pc.is_valid(predicted["predicted"]), pc.is_valid(predicted["material_key"]))
    rows = predicted.filter(known)
    names = TABLES["predictions"].schema.names
    column = pa.array([model.model_id] * rows.num_rows, pa.string())
    table = pa.table({"model_id": column, **{name: rows[name] for name in names if name != "model_id"}})
    lake.upsert("predictions", table.cast(TABLES["predictions"].schema))
    return int(rows.num_rows)


def _with_splits(lake: Lake, model: Model, rows: pa.Table) -> pa.Table:
    """Rows with the split that their material was in when the model was trained; null where it was in none."""
    splits: dict[str, str] = {}
    if model.model_id:
        learned = lake.read("predictions", columns=["material_key", "split"],
                            where=f"model_id = '{model.model_id}' and split is not null")
        splits = dict(zip(learned["material_key"].to_pylist(), learned["split"].to_pylist(), strict=True))
    found = pa.array([splits.get(key) for key in rows["material_key"].to_pylist()], pa.string())
    return rows.set_column(rows.schema.get_field_index("split"), "split", found)
