"""The rule: a challenger is promoted if it is not worse by more than a margin that was declared before."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import InputError
from lake.store.catalogue import select_table
from lake.store.duck import connect
from lake.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deltalake import DeltaTable

    from lake.store.lake import Lake
    from ml.retrain.compare import Comparison

DEFAULT_MARGIN = 0.05
"""Share of the champion's mean absolute error."""


def check_margin(margin: float) -> float:
    """The margin, as a share of the champion's error.

    Raises:
        InputError: it is none.
    """
    if not 0 <= margin < 1:
        raise InputError(f"Margin {margin}: a share of the champion's error from 0 to below 1 is needed, such as 0.05.")
    return margin


def verdict(found: Comparison, margin: float, unit: str) -> tuple[bool, str]:
    """Whether to promote, and why.

    The upper end of the interval of the difference must lie within the margin (a test of non-inferiority, as
    G. Piaggio et al., JAMA 308, 2594 (2012), describe it): a test set too small to tell promotes nobody.

    Args:
        found: the comparison.
        margin: how much worse the challenger may be, in the unit of the target.
        unit: for the words.
    """
    left_out = _left_out(found)
    if found.n == 0:
        return False, f"There is no test row that the champion has not seen, so nothing can be compared.{left_out}"
    errors = f"{found.challenger_mae:.4g} against {found.champion_mae:.4g} {unit} on {found.n:,} rows"
    if math.isnan(found.high):
        return False, (f"{errors} of {found.n_materials} materials: too few materials to tell how sure that is; four "
                       f"are needed.{left_out}")
    interval = f"{found.difference:+.4g} ({found.low:+.4g} … {found.high:+.4g}) {unit}"
    if found.high <= margin:
        better = "better" if found.high < 0 else "not worse"
        return True, f"The challenger is {better}: {errors}, difference {interval}, margin {margin:.4g}.{left_out}"
    if found.low > margin:
        return False, f"The challenger is worse: {errors}, difference {interval}, margin {margin:.4g}.{left_out}"
    return False, (f"It is not certain that the challenger is within the margin: {errors}, difference {interval}, "
                   f"margin {margin:.4g}.{left_out}")


def record(lake: Lake, name: str, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Write a decision as the next of its name.

    Args:
        lake: where to.
        name: of the models.
        decision: columns of `promotions` but name, decision and decided_at.

    Returns:
        The row; that of the earlier one, where another program has decided on the same challenger meanwhile.
    """
    schema = TABLES["promotions"].schema
    written: dict[str, Any] = {}

    def make(delta: DeltaTable | None) -> pa.Table:
        nonlocal written
        with connect(lake.root) as connection:
            there = connection.sql(
                f"from ({select_table('promotions', delta)}) where name = $name order by decision",
                params={"name": name},
            ).to_arrow_table().to_pylist()
        earlier = [row for row in there if row["challenger_id"] == decision["challenger_id"]]
        if earlier:
            written = earlier[-1]
            return schema.empty_table()
        number = max((row["decision"] for row in there), default=0) + 1
        empty = dict.fromkeys(schema.names)
        written = empty | dict(decision) | {"name": name, "decision": number, "decided_at": datetime.now(UTC)}
        return pa.Table.from_pylist([written], schema=schema)

    lake.append("promotions", make)
    return written


def _left_out(found: Comparison) -> str:
    parts = []
    if found.n_seen:
        parts.append(f"{found.n_seen:,} of materials that the champion has seen")
    if found.n_unknown:
        parts.append(f"{found.n_unknown:,} with elements that it does not know")
    return f" Left out: {' and '.join(parts)}." if parts else ""
