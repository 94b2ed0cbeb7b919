"""What an experiment says, in sentences with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.evaluate import paired_difference
from ml.slices import ALONE, COMMON, QUARTERS

if TYPE_CHECKING:
    from lake.store.lake import Lake

Row = Mapping[str, Any]
WORDS = {"combined": "the combined model", "settings": "the combined model with settings as inputs",
         "corrected": "the model of corrected targets"}
FEWEST_ROWS = 10
"""A slice with fewer test rows says little of where errors come from."""
KINDS = {"functional": "functional", "plus_u": "+U"}


def sentences(lake: Lake, matrix: pa.Table) -> tuple[str, ...]:
    """What the matrix of an experiment says, beginning with the question that the experiment is for.

    Args:
        lake: holds predictions and evaluations of its models.
        matrix: its rows of the view `transfer_matrix`.
    """
    rows = [row for row in matrix.to_pylist() if row["evaluated_on"] != "*"]
    cells = {(row["road"], row["trained_on"], row["evaluated_on"]): row for row in rows}
    own = {row["evaluated_on"]: row for row in rows if row["road"] == "own" and row["seen"]}
    predictions = _predictions(lake, sorted({row["model_id"] for row in rows}))
    found = [*_against_own(rows, own, predictions), *_biases(rows, cells, own)]
    return (*found, *_where_from(lake, rows))


def _predictions(lake: Lake, model_ids: list[str]) -> dict[str, pa.Table]:
    columns = ("model_id", "calculation_id", "source", "material_key", "actual", "predicted")
    listed = ", ".join("'" + model_id.replace("'", "''") + "'" for model_id in model_ids)
    rows = lake.read("predictions", columns, where=f"split = 'test' and model_id in ({listed or 'null'})")
    return {one: rows.filter(pc.equal(rows["model_id"], one)).sort_by("calculation_id") for one in model_ids}


def compared(
    first: pa.Table, second: pa.Table, source: str
) -> tuple[float, tuple[float, float, float]] | None:
    """How the errors of two models differ on the test rows that both have predicted.

    Args:
        first: predictions of the one model.
        second: predictions of the other.
        source: the database.

    Returns:
        Mean absolute error of the first; that of the second minus it, with the ends of its 95 % interval (paired
        bootstrap over materials; NaN below 4 materials). None where they share no row.
    """
    first = first.filter(pc.equal(first["source"], source))
    places = pc.index_in(first["calculation_id"], value_set=second["calculation_id"].combine_chunks())
    first, second = first.filter(pc.is_valid(places)), second.take(pc.drop_null(places))
    if not first.num_rows:
        return None
    actual, predicted = first["actual"].to_numpy(), first["predicted"].to_numpy()
    difference = paired_difference(
        actual, predicted, second["predicted"].to_numpy(), first["material_key"].to_pylist()
    )
    return float(np.abs(predicted - actual).mean()), difference


def _against_own(rows: list[Row], own: Mapping[str, Row], predictions: Mapping[str, pa.Table]) -> Iterator[str]:
    for row in rows:
        base = own.get(row["evaluated_on"])
        if row["road"] not in WORDS or not row["seen"] or base is None:
            continue
        found = compared(predictions[base["model_id"]], predictions[row["model_id"]], row["evaluated_on"])
        if found is None:
            continue
        own_mae, (difference, low, high) = found
        change = f", {abs(difference) / own_mae:.0%} {'more' if difference > 0 else 'less'}" if own_mae else ""
        yield (
            f"{row['evaluated_on']}: {WORDS[row['road']]} has an MAE of {_number(own_mae + difference)} against "
            f"{_number(own_mae)} {row['unit']} of the database's own{change} ({_signed(difference)}, 95 % interval "
            f"{_interval(low, high)}): {_verdict(low, high)}."
        )


def _verdict(low: float, high: float) -> str:
    if np.isnan(low):
        return "too few test materials to tell"
    return "worse" if low > 0 else "better" if high < 0 else "no difference beyond the interval"


def _biases(rows: list[Row], cells: Mapping[tuple[str, str, str], Row], own: Mapping[str, Row]) -> Iterator[str]:
    """The signed bias of each database's model on the others, and what is left of it where targets were corrected."""
    for row in rows:
        if row["road"] != "own" or row["seen"]:
            continue
        name, base = row["evaluated_on"], own.get(row["evaluated_on"])
        times = f", {row['mae'] / base['mae']:.1f} times that of {name}'s own" if base and base["mae"] else ""
        text = (
            f"The model of {row['trained_on']} alone is off by {_signed(row['bias'])} {row['unit']} on {name} "
            f"({_interval(row['bias_low'], row['bias_high'])}; MAE {_number(row['mae'])}{times})"
        )
        corrected = next((r for (road, _, on), r in cells.items() if road == "corrected" and on == name), None)
        if corrected and corrected["seen"] and row["bias"]:
            less = 1 - abs(corrected["bias"]) / abs(row["bias"])
            text += (
                f"; with corrected targets {_signed(corrected['bias'])} remain "
                f"({_interval(corrected['bias_low'], corrected['bias_high'])}), {abs(less):.0%} "
                f"{'less' if less >= 0 else 'more'}"
            )
        yield text + "."


def _where_from(lake: Lake, rows: list[Row]) -> Iterator[str]:
    """For each database: which of its test rows the best model that has seen it gets wrong."""
    for name in sorted({row["evaluated_on"] for row in rows}):
        seen = [row for row in rows if row["evaluated_on"] == name and row["seen"]]
        if not seen:
            continue
        best = min(seen, key=lambda row: row["mae"])
        slices = lake.read("evaluations", where="split = 'test' and slice_kind != 'all' and evaluated_on = '"
                           + name.replace("'", "''") + "' and model_id = '" + best["model_id"] + "'").to_pylist()
        told = list(_slices(slices, best))
        if told:
            yield f"{name}, {best['trained_on']} ({best['road']}), MAE {_number(best['mae'])}: {'; '.join(told)}."


def _slices(slices: list[Row], best: Row) -> Iterator[str]:
    of = {(row["slice_kind"], row["slice"]): row for row in slices}

    def said(kind: str, names: tuple[str, ...], words: str) -> Iterator[str]:
        there = [(name, of[kind, name]) for name in names if (kind, name) in of]
        if len(there) > 1:
            yield words + ", ".join(f"{_number(row['mae'])} {name} (n = {row['n']:,})" for name, row in there)

    yield from said("common", (COMMON, ALONE), "materials ")
    yield from said("formation_energy", (QUARTERS[0], QUARTERS[-1]), "by formation energy ")
    for kind, words in KINDS.items():
        names = tuple(sorted(name for of_kind, name in of if of_kind == kind))
        yield from said(kind, names, f"{words} ")
    elements = [row for row in slices if row["slice_kind"] == "element" and row["n"] >= FEWEST_ROWS]
    worst = sorted(elements, key=lambda row: (-row["mae"], row["slice"]))[:5]
    if worst and best["mae"]:
        yield "largest with " + ", ".join(f"{row['slice']} ({_number(row['mae'])})" for row in worst)


def _number(value: float) -> str:
    return f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None or np.isnan(low) or np.isnan(high):
        return "no interval"
    return f"{_signed(low)} … {_signed(high)}"
