"""Which class of models is better on the same rows: the comparisons of a set of models, and what they are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics.report.ask import Asker
from analytics.report.formats import MISSING, count, digits_of, number, signed

PAIRINGS = {"parameters": "nearly as many parameters", "defaults": "made without settings", "best": "best of either"}
ERROR = {"mae": "MAE", "rmse": "RMSE", "rmsle": "RMSLE"}
Row = dict[str, Any]


def comparisons_of(asker: Asker, rows: Sequence[Row]) -> list[Row]:
    """The comparisons of models that were judged on the same rows, matched ones first.

    Args:
        asker: the lake.
        rows: of `complexities`, of one study (or none), target and data.
    """
    first = rows[0]
    found = asker.select(
        "select * from model_comparisons where target = $target and data_sha256 = $data and (comparison = $study or "
        "($study is null and comparison like 'lake:%')) order by case pairing when 'parameters' then 1 when 'defaults' "
        "then 2 else 3 end, left_parameters, left_id, right_id, measure",
        target=first["target"], data=first["data_sha256"], study=first["study"])
    there = {row["model_id"] for row in rows}
    return [row for row in found if {row["left_id"], row["right_id"]} <= there]


def measure_of(rows: Sequence[Row], comparisons: Sequence[Row]) -> str:
    """What models are judged by: as they were compared, else the mean absolute error where it is known."""
    if comparisons:
        return str(comparisons[0]["measure"])
    return next((name for name in ("mae", "rmse") if any(row[name] is not None for row in rows)), "mae")


def lines_of(comparisons: Sequence[Row]) -> list[Row]:
    """Comparisons as a table shows them."""
    digits = digits_of(row[f"{side}_error"] for row in comparisons for side in ("left", "right"))
    return [_line(row, digits) for row in comparisons]


def reasons_of(comparisons: Sequence[Row]) -> list[str]:
    """Why errors differ from the paper's: of the best of either class, where that was compared."""
    told = [row for row in comparisons if row["reasons"]]
    chosen = next((row for row in told if row["pairing"] == "best"), told[0] if told else None)
    return list(chosen["reasons"]) if chosen else []


def _line(row: Row, digits: int) -> Row:
    low, high = row["difference_low"], row["difference_high"]
    known = low is not None and high is not None
    better = row["left_kind"] if known and low > 0 else row["right_kind"] if known and high < 0 else None
    papers = [row[f"paper_{side}"] for side in ("left", "right")]
    return {
        "pairing": PAIRINGS.get(row["pairing"], row["pairing"]), "left": _side(row, "left", digits),
        "right": _side(row, "right", digits), "difference": signed(row["difference"], digits),
        "interval": f"{signed(low, digits)} to {signed(high, digits)}" if known else "",
        "better": better or ("not decided" if known else MISSING), "n": row["n"], "n_materials": row["n_materials"],
        "paper": " / ".join(number(value, 3) for value in papers) if any(p is not None for p in papers) else MISSING,
    }


def _side(row: Row, side: str, digits: int) -> Row:
    return {"kind": row[f"{side}_kind"], "parameters": count(row[f"{side}_parameters"]),
            "error": number(row[f"{side}_error"], digits)}
