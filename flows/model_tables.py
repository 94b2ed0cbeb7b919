"""What `matlake models` shows: lists and cards on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from analytics.queries import run_query
from analytics.report.model_card import card
from flows.terminal import emit, err, out
from lake.store.lake import Lake
from lake.tables import TABLES
from ml import registry
from ml.train import spec_of


def show_list(lake: Lake, target: str, format_: str, output: Path | None) -> None:
    """All models with their test errors: champions first, then the newest."""
    found = run_query(lake, "trained_models", {"target": target})
    if not found.num_rows:
        err.print("There are no models yet: matlake train makes one." if target == "any" else
                  f"There are no models of {target}. matlake models lists all.", soft_wrap=True, markup=False)
    if format_ == "table" and output is None:
        found = found.select(["model_id", "champion", "target", "unit", "road", "sources", "subset", "n_train",
                              "n_test", "mae", "n_members", "created_at"])
    emit(found, format_, output)


def show_card(lake: Lake, model: str, format_: str, output: Path | None) -> None:
    """What a model is, what it was trained on, and what it is worth."""
    row = registry.find(lake, model)
    if format_ in ("parquet", "csv"):
        emit(pa.Table.from_pylist([_stored(row)], schema=TABLES["models"].schema), format_, output)
        return
    if format_ == "json":
        values = {name: json.loads(value) if name.endswith("_json") and value else value
                  for name, value in row.items()}
        _write(json.dumps(values, ensure_ascii=False, indent=2, default=str), output)
        return
    text = card(lake, row["model_id"])
    if output is not None:
        output.write_text(text, encoding="utf-8")
        return
    out.print(text, end="", soft_wrap=True, markup=False)


def show_spec(lake: Lake, model: str, output: Path | None) -> None:
    """The settings of a model, to train another one by."""
    _write(json.dumps(json.loads(spec_of(registry.find(lake, model)).json()), ensure_ascii=False, indent=2), output)


def export(lake: Lake, model: str, folder: Path) -> None:
    """Write a model into a folder."""
    found = registry.load(lake, model)
    registry.export_model(lake, found, folder)
    err.print(f"{found.model_id}: {folder}. matlake models NAME --import {folder} takes it into another lake.",
              soft_wrap=True, markup=False)
    if not found.row["redistributable"]:
        err.print(f"Its training rows are under {', '.join(found.row['licenses'])}, and not all may be passed on: see "
                  "matlake cite before you pass the model on.", soft_wrap=True, markup=False)


def take(lake: Lake, folder: Path, name: str) -> None:
    """Take a model from a folder into the lake."""
    model = registry.import_model(lake, folder, name)
    lake.refresh()
    out.print(card(lake, model.model_id), end="", soft_wrap=True, markup=False)


def _write(text: str, output: Path | None) -> None:
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    else:
        out.print(text, soft_wrap=True, markup=False)


def _stored(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {"table_versions": sorted(row["table_versions"].items())}
