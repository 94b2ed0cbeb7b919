"""Rows that came several times: which of them count, and in which order they are committed."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa


def unique_rounds(rows: pa.Table) -> tuple[list[pa.Table], int]:
    """Rows in rounds, each unique by `calculation_id`, to be committed one after the other.

    Of one view of a record that came twice the later is taken; several views of one record come in several
    rounds, so that each adds what it knows.

    Returns:
        The rounds, and how many rows a later one replaced.
    """
    views: dict[tuple[str, str], int] = {}
    keys = rows.column("calculation_id").to_pylist()
    for index, (key, mark) in enumerate(zip(keys, rows.column("record_sha256").to_pylist(), strict=True)):
        views[key, mark[0][0]] = index
    rounds: list[list[int]] = []
    seen: Counter[str] = Counter()
    for (key, _), index in sorted(views.items(), key=lambda item: item[1]):
        if seen[key] == len(rounds):
            rounds.append([])
        rounds[seen[key]].append(index)
        seen[key] += 1
    if len(rounds) == 1 and len(rounds[0]) == rows.num_rows:
        return [rows], 0
    return [rows.take(pa.array(part, pa.int64())) for part in rounds], rows.num_rows - len(views)
