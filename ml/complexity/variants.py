"""The other models of the path that a formula or an expansion was chosen from: fewer terms, more terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml.complexity.counts import Counts
from ml.complexity.formulas import formula_counts
from ml.complexity.worth import Worth

if TYPE_CHECKING:
    from lake.store.lake import Lake

Variant = tuple[str, Counts, Worth]
CROSS_VALIDATION = "cross-validation"


def variants_of(lake: Lake, row: Mapping[str, Any]) -> list[Variant]:
    """What stands beside a model in the run that made it; empty of models that are not chosen from a path.

    Args:
        lake: where `formulas`, `expansions` and `selection_paths` are.
        row: of `models`.
    """
    if row["kind"] == "sisso":
        return _formulas(lake, str(row["model_id"]))
    return _expansions(lake, str(row["model_id"])) if row["kind"] == "expansion" else []


def _formulas(lake: Lake, model_id: str) -> list[Variant]:
    """The descriptors of every dimension of the run."""
    runs = {line["run_id"] for line in lake.read("formulas", ["run_id"], f"model_id = '{model_id}'").to_pylist()}
    found: list[Variant] = []
    for run_id in sorted(runs):
        lines = lake.read("formulas", where=f"run_id = '{run_id}' and kind = 'regression'").to_pylist()
        for dimension in sorted({line["dimension"] for line in lines}):
            tasks = [line for line in lines if line["dimension"] == dimension]
            counts = formula_counts(dimension, rung=max(line["rung"] for line in tasks), n_tasks=len(tasks))
            n = sum(line["n_rows"] for line in tasks)
            errors = Worth(
                CROSS_VALIDATION, n, None, None, _joined(tasks, "cv_rmse"), None,
                sum(line["mae"] * line["n_rows"] for line in tasks) / n if all(
                    line["mae"] is not None for line in tasks) else None,
                _joined(tasks, "rmse"),
                None if all(line["cv_rmse"] is not None for line in tasks) else "it was not cross-validated",
            )
            found.append((f"dimension-{dimension}", counts, errors))
    return found


def _joined(tasks: list[dict[str, Any]], column: str) -> float | None:
    """The root mean square over the rows of all tasks; None where one lacks it."""
    if any(line[column] is None for line in tasks):
        return None
    n = sum(line["n_rows"] for line in tasks)
    return float((sum(line[column] ** 2 * line["n_rows"] for line in tasks) / n) ** 0.5)


def _expansions(lake: Lake, model_id: str) -> list[Variant]:
    """The points of the selection paths over all parent lattices together."""
    runs = lake.read("expansions", ["run_id", "n_mapped"], f"model_id = '{model_id}'").to_pylist()
    found: list[Variant] = []
    for run in sorted(runs, key=lambda line: str(line["run_id"])):
        lines = lake.read("selection_paths", where=f"run_id = '{run['run_id']}'").to_pylist()
        parents = {line["parent"] for line in lines}
        n_parents = len(parents - {"*"}) or 1
        chosen = [line for line in lines if line["parent"] == "*"] if "*" in parents else (
            lines if len(parents) == 1 else [])
        for line in sorted(chosen, key=lambda of: (of["feature_set"], of["pool"], of["method"], of["n_features"])):
            counts = Counts(n_additive=n_parents, n_linear=line["n_features"])
            why = None if line["cv_rmse"] is not None else "it was not cross-validated at this point"
            errors = Worth(CROSS_VALIDATION, line["n_rows"], None, line["cv_mae"], line["cv_rmse"], None,
                           line["fit_mae"], line["fit_rmse"], why)
            path = "-".join((line["feature_set"], line["pool"], line["method"]))
            found.append((f"{path}-features-{line['n_features']}", counts, errors))
    return found
