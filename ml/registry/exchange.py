"""Models from elsewhere and for elsewhere: a folder with weights, description, and a card that says where it is from.

Nothing in such a folder is ever run: it is arrays and plain values, and each is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError
from lake.tables import TABLES
from ml.registry import files, rows
from ml.registry.document import MOST_BYTES, read_json
from ml.registry.model import Model
from ml.registry.predictors import predictor_of
from ml.registry.registry import save
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from lake.store.lake import Lake

CARD = "card.json"
OF_THE_LAKE = {"model_id", "name", "version", "weights_sha256", "folder", "n_bytes", "tracking_run_id", "created_at",
               "table_versions"}
OF_THE_MODEL = tuple(column.name for column in TABLES["models"].columns if column.name not in OF_THE_LAKE)
"""Columns of `models` that go with a model wherever it goes; the rest belongs to the lake that it is in."""
AS_JSON = ("metrics_json", "settings_json", "library_versions_json", "calibration_json")


def export_model(lake: Lake, model: Model, folder: Path) -> None:
    """Write a saved model into a folder that :func:`import_model` reads, here or elsewhere.

    Args:
        lake: where it is saved; its learning curve goes with it.
        model: the model.
        folder: made where it is not there; files of an export before are written over.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = Path(folder)
    curve = lake.read("learning_curves", where=f"model_id = '{model.model_id}'").sort_by("step").to_pylist()
    card = {
        "model": model.model_id, "row": {name: model.row.get(name) for name in OF_THE_MODEL},
        "curve": [{name: value for name, value in point.items() if name != "model_id"} for point in curve],
    }
    files.write_folder(folder, model.document, model.weights)
    try:
        (folder / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1, default=_spelled) + "\n")
    except OSError as error:
        raise InputError(f"The model cannot be written to {folder}: {error.strerror}.") from None


def read_model(folder: Path, device: str = "cpu") -> Model:
    """A model from a folder, without a lake.

    Raises:
        InputError: it is no model, cut, changed, or does not fit its description.
    """
    return _read(Path(folder), device)[0]


def import_model(lake: Lake, folder: Path, name: str) -> Model:
    """Take a model from a folder into the lake, as the next version of a name.

    Its predictions and evaluations stay where it was trained; the errors in its card come with it.

    Raises:
        InputError: see :func:`read_model`; or the name is none.
    """
    rows.check_name(name)
    model, curve = _read(Path(folder), "cpu")
    return save(lake, model, name, curve=curve)


def _read(folder: Path, device: str) -> tuple[Model, list[dict[str, Any]]]:
    document, arrays = files.read_folder(folder)
    predictor = predictor_of(document, arrays, device, str(folder))
    path = folder / CARD
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than any card of a model.")
        card = read_json(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): a model comes with its card.") from None
    if not isinstance(card, dict):
        raise InputError(f"{path} is no card of a model.")
    row = _checked([card.get("row")], "models", OF_THE_MODEL, path)[0]
    for name in AS_JSON:
        if row[name] is not None:
            read_json(row[name].encode(), f"{path}: {name}")
    asked = read_json(row["settings_json"].encode(), f"{path}: settings_json")
    if not isinstance(asked, dict) or not isinstance(asked.get("spec"), dict):
        raise InputError(f"{path}: the card of the model does not say how it was made (settings_json has no spec).")
    ModelSpec.of(asked["spec"])
    if row["kind"] != document.spec.kind or row["target"] != document.target.column:
        raise InputError(f"{path} is the card of another model: a {row['kind']} for {row['target']}.")
    curve = card.get("curve")
    columns = [name for name in TABLES["learning_curves"].schema.names if name != "model_id"]
    points = _checked(curve if isinstance(curve, list) else [None], "learning_curves", columns, path)
    return Model(row | {"table_versions": {}}, document, predictor, arrays), points


def _checked(given: list[Any], table: str, names: Any, path: Path) -> list[dict[str, Any]]:
    """Rows of some columns of a table, from values that may be from anywhere."""
    schema = pa.schema([TABLES[table].schema.field(name) for name in names])
    try:
        if not all(isinstance(row, Mapping) for row in given):
            raise ValueError(f"the {table} in it are no objects")
        found = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in given], schema=schema)
        found.validate(full=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path} is not what a card of a model should be: {error}") from None
    missing = [field.name for field in schema if not field.nullable and found[field.name].null_count]
    if missing:
        raise InputError(f"{path}: the card of the model lacks {', '.join(missing)}.")
    return list(found.to_pylist())


def _spelled(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
