"""What a model is worth: errors with 95 % bootstrap intervals over materials, in all and by slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import InputError
from lake.tables import TABLES
from ml.bootstrap import (
    NAMES,
    REPLICATES,
    SEED,
    Draws,
    Floats,
    Ints,
    errors_of,
    intervals,
    parts,
    places_of,
    sums_by_material,
)
from ml.slices import ALL, EVERY, in_common, slices_of

SPLITS = ("train", "validation", "test")
NEEDED = ("source", "material_key", "split", "actual", "predicted")


def metrics(actual: Floats, predicted: Floats) -> dict[str, float | int | None]:
    """Errors of predictions.

    Args:
        actual: n values.
        predicted: n values, in the same unit.

    Returns:
        ``n``, ``mae``, ``rmse``, ``bias`` (mean of predicted minus actual), ``r2``; None where not defined.
    """
    actual, predicted = np.asarray(actual, np.float64), np.asarray(predicted, np.float64)
    centre = float(actual.mean()) if len(actual) else 0.0
    found = errors_of(parts(actual, predicted, centre).sum(axis=0))
    return {"n": len(actual), **{name: _plain(value) for name, value in zip(NAMES, found, strict=True)}}


def paired_difference(
    actual: Floats, first: Floats, second: Floats, keys: Sequence[str] | NDArray[np.str_], *,
    replicates: int = REPLICATES, seed: int = SEED,
) -> tuple[float, float, float]:
    """How much larger the mean absolute error of the second of two models is than that of the first.

    Both are judged on the same draws of materials (paired cluster bootstrap), so that hard materials do not widen the
    interval where they are hard for both.

    Args:
        actual: n values.
        first: n predictions of the one model.
        second: n predictions of the other.
        keys: the material of each row.
        replicates: draws.
        seed: of the draws.

    Returns:
        MAE of the second minus MAE of the first, and the ends of its 95 % interval (NaN below 4 materials).

    Raises:
        InputError: no rows.
    """
    if not len(actual):
        raise InputError("Two models can be compared on one row at least, and there is none: widen what is evaluated.")
    places, n = places_of(keys)
    larger = np.abs(np.asarray(second) - actual) - np.abs(np.asarray(first) - actual)
    by_material = sums_by_material(parts(np.zeros(len(larger)), larger, 0.0), places, n)
    low, high = intervals(Draws.of(n, replicates, seed), by_material)[NAMES.index("bias")]
    return float(larger.mean()), float(low), float(high)


def evaluate(
    rows: pa.Table, *, model_id: str, unit: str, target: str | None = None, sliced: Sequence[str] = ("test",),
    replicates: int = REPLICATES, seed: int = SEED,
) -> pa.Table:
    """Errors of one model, by database and by slices of the rows.

    Args:
        rows: predictions: source, material_key, split, actual, predicted, and whatever tells slices apart (see
            :func:`ml.slices.slices_of`; ``common`` is found where it is missing and there are several databases).
            Rows without split, actual or predicted value are left out.
        model_id: the model.
        unit: of the values.
        target: column that is predicted.
        sliced: splits of which slices are wanted; the others have the row ``all`` only.
        replicates: draws of the bootstrap.
        seed: of the draws.

    Returns:
        Rows of the table `evaluations`: each database, and ``*`` for all together where there are several.

    Raises:
        InputError: a needed column is missing.
    """
    missing = [name for name in NEEDED if name not in rows.column_names]
    if missing:
        raise InputError(f"Predictions cannot be evaluated without the columns {', '.join(missing)}.")
    usable = pc.and_(_finite(rows["actual"]), _finite(rows["predicted"]))
    rows = rows.filter(pc.and_(usable, pc.is_valid(rows["split"])))
    sources = sorted(set(rows["source"].to_pylist()))
    if "common" not in rows.column_names and len(sources) > 1:
        rows = rows.append_column("common", in_common(rows))
    found: list[dict[str, Any]] = []
    for split in SPLITS:
        of_split = rows.filter(pc.equal(rows["split"], split))
        for source in [*sources, *([EVERY] if len(sources) > 1 else [])]:
            chosen = of_split if source == EVERY else of_split.filter(pc.equal(of_split["source"], source))
            base = {"model_id": model_id, "evaluated_on": source, "split": split, "unit": unit}
            found += [base | line for line in _lines(chosen, target, split in sliced, replicates, seed)]
    return pa.Table.from_pylist(found, schema=TABLES["evaluations"].schema)


@dataclass(frozen=True)
class _Judged:
    """Rows ready to be summed: the parts of their errors, and which material each is of."""

    parts: Floats
    places: Ints
    actual: Floats
    n: int
    draws: Draws

    def line(self, rows: Ints) -> dict[str, Any]:
        """Errors of some of the rows with their intervals."""
        sums = self.parts[rows].sum(axis=0)
        materials, places = np.unique(self.places[rows], return_inverse=True)
        by_material = sums_by_material(self.parts[rows], places, len(materials))
        whole = None if len(materials) == self.n else materials
        line: dict[str, Any] = {"n": len(rows), "n_materials": len(materials)}
        ends = intervals(self.draws, by_material, whole)
        for name, value, (low, high) in zip(NAMES, errors_of(sums), ends, strict=True):
            line |= {name: _plain(value), f"{name}_low": _plain(low), f"{name}_high": _plain(high)}
        values = self.actual[rows]
        return line | {"actual_mean": float(values.mean()), "actual_standard_deviation": float(values.std())}


def _lines(
    rows: pa.Table, target: str | None, sliced: bool, replicates: int, seed: int
) -> list[dict[str, Any]]:
    if not rows.num_rows:
        return []
    actual, predicted = (rows[name].to_numpy().astype(np.float64) for name in ("actual", "predicted"))
    places, n = places_of(rows["material_key"].to_pylist())
    judged = _Judged(
        parts(actual, predicted, float(actual.mean())), places, actual, n, Draws.of(n, replicates, seed)
    )
    if not sliced:
        return [{"slice_kind": ALL, "slice": EVERY, **judged.line(np.arange(rows.num_rows))}]
    slices = slices_of(rows, target)
    return [{"slice_kind": kind, "slice": name, **judged.line(chosen)} for kind, name, chosen in slices]


def _finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_finite(column), False)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
