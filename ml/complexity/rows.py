"""Rows of `complexities`: of the lake's models, and of what studies make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError
from lake.tables import TABLES
from ml.complexity.counts import Coefficients, Counts
from ml.complexity.measure import class_of, measured
from ml.complexity.tables import put
from ml.complexity.variants import variants_of
from ml.complexity.worth import Worth, worth_of
from ml.registry import files
from ml.registry.rows import find, saved

if TYPE_CHECKING:
    from lake.store.lake import Lake

ITSELF = "*"
"""The variant that is the model itself."""
SCHEMA = TABLES["complexities"].schema


def measure_models(lake: Lake, models: Sequence[str], coefficients: Coefficients) -> pa.Table:
    """Measure models of the lake, and write what was found to `complexities`.

    A model whose files are missing or broken is written down with the reason, and the others go on.

    Args:
        lake: where the models are.
        models: names or ids; empty = all.
        coefficients: a, b, c.

    Returns:
        The rows of `complexities` that were written, the models in the order in which they were asked for.

    Raises:
        InputError: there is no such model.
        TableError: the lake could not be written to.
    """
    rows = [find(lake, name) for name in dict.fromkeys(models)] if models else saved(lake)
    found = [line for row in {row["model_id"]: row for row in rows}.values()
             for line in _lines(lake, row, coefficients)]
    table = pa.Table.from_pylist(found, schema=SCHEMA)
    if found:
        put(lake, "complexities", table)
    return table


def line(
    model_id: str, kind: str, counts: Counts | None, worth: Worth, coefficients: Coefficients, *, target: str,
    unit: str | None, data_sha256: str, settings: Mapping[str, Any], variant: str = ITSELF, study: str | None = None,
) -> dict[str, Any]:
    """A row of `complexities`.

    Args:
        model_id: the model; of a study: ``<study>/<name of the model in it>``.
        kind: kind of model.
        counts: what it has of parameters; None = it could not be made or measured, and ``worth.reason`` says why.
        worth: its errors.
        coefficients: a, b, c.
        target: column that it predicts.
        unit: of the target; None = it has none.
        data_sha256: digest of the data.
        settings: what was asked.
        variant: :data:`ITSELF`, or which part of a path of models.
        study: that it belongs to.
    """
    known = dict.fromkeys((*Counts().columns(), "complexity")) if counts is None else (
        counts.columns() | {"complexity": coefficients.of(counts)})
    return {
        "model_id": model_id, "variant": variant, "study": study, "kind": kind, "model_class": class_of(kind),
        "target": target, "unit": unit, "data_sha256": data_sha256, **known, **coefficients.columns(),
        **worth.columns(), "settings_json": json.dumps(settings, sort_keys=True, ensure_ascii=False),
        "created_at": datetime.now(UTC),
    }


def counts_of(lake: Lake, row: Mapping[str, Any]) -> Counts:
    """The counts of a model, from its files.

    Args:
        lake: where they are.
        row: of `models`.

    Raises:
        InputError: files are missing, changed, or not those of such a model.
    """
    return measured(*files.read(lake.root, row), str(row["model_id"]))


def _lines(lake: Lake, row: Mapping[str, Any], coefficients: Coefficients) -> list[dict[str, Any]]:
    counts: Counts | None
    try:
        counts, worth = counts_of(lake, row), worth_of(lake, row["model_id"])
    except InputError as error:
        counts, worth = None, Worth(reason=str(error))
    settings = json.loads(row["settings_json"])
    common: dict[str, Any] = {"target": row["target"], "unit": row["unit"], "data_sha256": row["data_sha256"],
                              "settings": settings.get("spec", settings)}
    variants = [] if counts is None else variants_of(lake, row)
    return [
        line(row["model_id"], row["kind"], counts, worth, coefficients, **common),
        *(line(row["model_id"], row["kind"], of, errors, coefficients, variant=name, **common)
          for name, of, errors in variants),
    ]
