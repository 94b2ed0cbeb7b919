"""The funnel: how many rows and materials every step found, left, and took away, by database."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from analytics.subsets.selection import Selection

LAST = 1_000_000
"""Later than any step: still in."""


def funnel_of(selection: Selection) -> list[dict[str, Any]]:
    """One entry per step, the first being what the lake holds.

    Each has ``step``, ``sentence`` (what it keeps), ``otherwise`` (what it leaves out), ``sql`` (null where it
    looks at several rows), ``rows_before``, ``rows``, ``left_out``, ``materials_before``, ``materials`` and
    ``by_source`` (source → the same numbers). A material counts as long as one of its rows is in.
    """
    counts: dict[tuple[str, str], dict[int, int]] = {}
    found = selection.connection.execute("select what, source, stage, n from funnel_counts('judged')").fetchall()
    for what, source, stage, number in found:
        counts.setdefault((what, source), {})[LAST if stage is None else stage] = number
    sources = sorted({source for what, source in counts if what == "rows"})

    def left(what: str, source: str, step: int) -> int:
        return sum(n for stage, n in counts.get((what, source), {}).items() if stage > step)

    def numbers(step: int, source: str) -> dict[str, int]:
        of = sources if source == "*" else [source]
        before = max(step - 1, 0)
        rows_before, rows = (sum(left("rows", s, at) for s in of) for at in (before, step))
        return {
            "rows_before": rows_before, "rows": rows, "left_out": rows_before - rows,
            "materials_before": left("materials", source, before), "materials": left("materials", source, step),
        }

    steps = [(s.name, s.sentence, s.otherwise, s.sql) for s in selection.steps]
    entries = [("lake", "all calculations of the lake", "", None), *steps]
    return [
        {"step": name, "sentence": sentence, "otherwise": otherwise, "sql": sql, **numbers(at, "*"),
         "by_source": {source: numbers(at, source) for source in sources}}
        for at, (name, sentence, otherwise, sql) in enumerate(entries)
    ]


def left_out_rows(selection: Selection) -> pa.Table:
    """calculation_id, source, material_key, step and reason of every row that was left out."""
    selection.register("step_names", {
        "step": [s.name for s in selection.steps], "reason": [s.otherwise for s in selection.steps],
        "number": [str(n) for n in range(1, len(selection.steps) + 1)],
    })
    return selection.rows(
        "select calculation_id, source, material_key, step, reason "
        "from judged join step_names on judged.left_at = cast(number as integer) order by calculation_id"
    )


def described(funnel: list[dict[str, Any]]) -> str:
    """The funnel as lines of text."""
    return "\n".join(
        f"  {entry['step']:<28} {entry['rows']:>10,} rows {entry['materials']:>10,} materials"
        + (f"   ({entry['left_out']:,} {entry['otherwise']})" if entry["left_out"] else "")
        for entry in funnel
    )
