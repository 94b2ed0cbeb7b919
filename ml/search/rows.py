"""What a search leaves in the tables `searches`, `trials` and `trial_curves`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.store.catalogue import select_table
from lake.store.duck import connect
from lake.tables import TABLES
from ml.search.candidate import Candidate, spelled

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.search.outcome import Outcome
    from ml.search.request import SearchRequest

Row = dict[str, Any]


def search_row(
    data: Dataset, request: SearchRequest, name: str, found: Outcome, candidates: Sequence[Candidate], seconds: float
) -> Row:
    """The row of `searches`, but for its id and what becomes of the ensemble."""
    selection = data.selection
    return {
        "name": name, "kind": request.base.kind, "target": data.target.column, "unit": data.target.unit,
        "sources": list(data.sources), "subset": selection.subset,
        "subset_version": selection.version if selection.subset else None,
        "where_sql": None if selection.subset else str(selection),
        "table_versions": sorted(data.table_versions.items()), "data_sha256": data.sha256,
        "space_json": json.dumps(request.space.plain), "settings_json": request.json(), "sampler": request.sampler,
        "pruner": request.pruner, "n_candidates": len(candidates), "n_completed": found.n_completed,
        "n_pruned": found.n_pruned, "n_failed": found.n_failed, "training_steps": found.training_steps,
        "full_training_steps": found.full_training_steps, "best_trial": found.best.number if found.best else None,
        "best_rmse": found.best_rmse, "mean_rmse": found.mean_rmse, "median_rmse": found.median_rmse,
        "gain": found.gain, "device_hours": found.device_hours, "full_device_hours": found.full_device_hours,
        "price_per_hour": request.price_per_hour, "cost": found.cost, "full_cost": found.full_cost,
        "model_id": None, "promotion": None, "seconds": seconds,
    }


def trial_rows(candidates: Sequence[Candidate], request: SearchRequest) -> list[Row]:
    """The rows of `trials`, without search_id."""
    return [_trial(one, request) for one in candidates]


def _trial(one: Candidate, request: SearchRequest) -> Row:
    model, best = one.spec(request.base).model, one.best
    return {
        "trial": one.number, "state": one.state, "reason": one.reason, "parameters_json": spelled(one.parameters),
        "message_passing_steps": _form(model, "steps"), "channels": _form(model, "channels"),
        "n_parameters": one.n_parameters, "training_steps": one.steps, "best_step": best.step if best else None,
        "validation_rmse": _plain(best.validation_rmse) if best else None,
        "validation_mae": _plain(best.validation_mae) if best else None, "seconds": one.seconds,
        "prediction_ms": one.prediction_ms, "n_stacked": one.n_stacked, "seed": request.seed, "device": one.device,
        "from_search": one.from_search, "ended_at": datetime.fromisoformat(one.ended_at or ""),
    }


def curve_rows(candidates: Sequence[Candidate]) -> list[Row]:
    """The rows of `trial_curves`, without search_id."""
    return [{
        "trial": one.number, "step": point.step, "train_loss": _plain(point.train_loss),
        "validation_rmse": _plain(point.validation_rmse), "validation_mae": _plain(point.validation_mae),
    } for one in candidates for point in one.curve]


def earlier(lake: Lake, name: str, data_sha256: str, request: SearchRequest) -> Row | None:
    """The newest search of the same name, data and settings; None = there is none."""
    asked = request.json()
    rows = [row for row in lake.read("searches", where=f"name = '{name}'").to_pylist()
            if (row["data_sha256"], row["settings_json"]) == (data_sha256, asked)]
    return max(rows, key=lambda row: number_of(row["search_id"]), default=None)


def write(lake: Lake, row: Row, trials: list[Row], curves: list[Row]) -> Row:
    """Write a search, its candidates first, so that a search in the table is whole.

    Raises:
        TableError: a commit failed.
    """
    search_id = _free_id(lake, row["name"])
    for table, rows in (("trial_curves", curves), ("trials", trials)):
        schema = TABLES[table].schema
        whole = [dict.fromkeys(schema.names) | one | {"search_id": search_id} for one in rows]
        lake.replace(table, pa.Table.from_pylist(whole, schema=schema), {"search_id": search_id})
    whole_row = dict.fromkeys(TABLES["searches"].schema.names) | row | {
        "search_id": search_id, "created_at": datetime.now(UTC)}
    return put(lake, whole_row)


def put(lake: Lake, row: Row) -> Row:
    """Write the row of a search, in the place of the one that is there."""
    ready = pa.Table.from_pylist([row], schema=TABLES["searches"].schema)
    lake.replace("searches", ready, {"search_id": row["search_id"]})
    return row


def _free_id(lake: Lake, name: str) -> str:
    """The next number of a name, taken at once, so that two searches at a time do not write to one place."""
    taken = ""

    def make(delta: DeltaTable | None) -> pa.Table:
        nonlocal taken
        with connect(lake.root) as connection:
            there = connection.execute(
                f"select distinct search_id from ({select_table('trials', delta)}) "  # noqa: S608
                "where starts_with(search_id, $name || '.')", {"name": name}).fetchall()
        numbers = [number_of(one) for (one,) in there if one.rpartition(".")[0] == name]
        taken = f"{name}.{max(numbers, default=0) + 1}"
        claim = dict.fromkeys(TABLES["trials"].schema.names) | {
            "search_id": taken, "trial": -1, "state": "failed", "reason": "the search is being written",
            "parameters_json": "{}", "training_steps": 0, "ended_at": datetime.now(UTC)}
        return pa.Table.from_pylist([claim], schema=TABLES["trials"].schema)

    lake.append("trials", make)
    return taken


def number_of(search_id: str) -> int:
    """The number at the end of an id."""
    return int(search_id.rpartition(".")[2])


def _form(model: Any, name: str) -> int:
    from ml.models import ModelSettings

    return int(model.get(name, getattr(ModelSettings, name)))


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
