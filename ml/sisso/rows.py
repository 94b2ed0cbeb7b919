"""What a search leaves in the table `formulas`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.tables import TABLES
from ml.sisso.problem import Problem
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import Found, errors_of
from ml.sisso.sources import Columns
from ml.sisso.writing import as_text

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """What is known of a search beside what it found.

    Attributes:
        name: what it is called.
        origin: subset, condition or table that the rows are from, in words.
        data_sha256: digest of the rows.
        table_versions: that were read; empty = a file.
        settings: what was searched.
        columns: of which features.
        asked_dimension: of the formula that was to be kept as a model; None = the best.
        sql_columns: primary feature → expression in SQL; empty = columns of that name.
    """

    name: str
    origin: str
    data_sha256: str
    table_versions: Mapping[str, int]
    settings: SissoSettings
    columns: Columns
    asked_dimension: int | None
    sql_columns: Mapping[str, str]

    @property
    def settings_json(self) -> str:
        """What was asked, always spelled the same way."""
        values = {"search": self.settings.plain(), "columns": asdict(self.columns), "dimension": self.asked_dimension}
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def formula_rows(
    run: Run, problem: Problem, found: tuple[Found, ...], out_of_fold: Floats | None, model_ids: Mapping[int, str],
    seconds: float,
) -> list[dict[str, Any]]:
    """A row per dimension and task; without run_id.

    Args:
        run: what was asked.
        problem: what was solved.
        found: by dimension.
        out_of_fold: what formulas say of rows that they were not found on (dimensions, n); None = not done.
        model_ids: dimension → the model it was saved as.
        seconds: wall time.
    """
    rows = []
    now = datetime.now(UTC)
    for dimension, one in enumerate(found, 1):
        held = None if out_of_fold is None else out_of_fold[dimension - 1]
        for task, task_name in enumerate(problem.task_names):
            formula = one.formula
            rows.append({
                "name": run.name, "dimension": dimension, "task": task_name,
                "kind": "regression" if problem.is_regression else "classification",
                "model_id": model_ids.get(dimension), "target": problem.target, "unit": problem.unit,
                "origin": run.origin, "table_versions": list(run.table_versions.items()),
                "data_sha256": run.data_sha256, "rung": max(feature.rung for feature in formula.features),
                "terms": [as_text(feature) for feature in formula.features],
                "term_units": [feature.unit.text() or "1" for feature in formula.features],
                "coefficients_json": formula.coefficients_json(task), "text": formula.text(task),
                "latex": formula.latex(task), "sql": formula.sql(task, run.sql_columns),
                "n_rows": int((problem.tasks == task).sum()), "n_primary": len(problem.primaries),
                "n_candidates": one.n_candidates, "n_screened": one.n_screened,
                "settings_json": run.settings_json, "seconds": seconds, "created_at": now,
                **_errors(problem, one, held, problem.tasks == task),
            })
    return rows


def _errors(problem: Problem, found: Found, held: Floats | None, here: npt.NDArray[np.bool_]) -> dict[str, Any]:
    actual = problem.values[here]
    if not problem.is_regression:
        return {"accuracy": float(np.mean(found.fitted[here] == actual)), "n_overlap": found.n_overlap}
    rmse, mae, largest = errors_of(actual, found.fitted[here])
    errors = {"rmse": rmse, "mae": mae, "max_error": largest}
    if held is not None and np.isfinite(held[here]).all():
        errors["cv_rmse"] = errors_of(actual, held[here])[0]
    return errors


def earlier(lake: Lake, run: Run) -> list[dict[str, Any]]:
    """Rows of the newest search of the same name, data and settings; empty = there is none."""
    table = lake.read("formulas")
    rows = [row for row in table.to_pylist() if (row["name"], row["data_sha256"], row["settings_json"]) == (
        run.name, run.data_sha256, run.settings_json)]
    if not rows:
        return []
    newest = max(rows, key=lambda row: _number(row["run_id"]))["run_id"]
    return sorted((row for row in rows if row["run_id"] == newest), key=lambda row: (row["dimension"], row["task"]))


def write(lake: Lake, name: str, rows: list[dict[str, Any]]) -> str:
    """Append rows under the next number of a name; the run_id.

    Raises:
        TableError: the commit failed.
    """
    schema = TABLES["formulas"].schema
    run_id = ""

    def make(_: DeltaTable | None) -> pa.Table:
        nonlocal run_id
        there = [_number(row["run_id"]) for row in lake.read("formulas", ["run_id", "name"]).to_pylist()
                 if row["name"] == name]
        run_id = f"{name}.{max(there, default=0) + 1}"
        empty = dict.fromkeys(schema.names)
        return pa.Table.from_pylist([empty | row | {"run_id": run_id} for row in rows], schema=schema)

    lake.append("formulas", make)
    return run_id


def _number(run_id: str) -> int:
    return int(run_id.rpartition(".")[2])
