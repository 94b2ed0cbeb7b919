"""The view `similar_calculations` against the same written out in Python, on made-up groups."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.queries import create_views
from lake.tables import TABLES
from tests.conftest import examples

GRIDS = ("dos-reference", "composition")
NAMES = [f"{source}/{n}" for source in "ab" for n in range(5)]
Pairs = dict[tuple[str, str, str], tuple[float, float | None, str]]


@st.composite
def lakes(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Representatives with pairs among them; the others equal one, are near one, or stand alone."""
    tables: dict[str, list[dict[str, Any]]] = {"similarities": [], "similarity_groups": [], "similarity_runs": []}
    for grid in draw(st.sets(st.sampled_from(GRIDS))):
        aligned = draw(st.booleans())
        own = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
        for left, right in combinations(sorted(own), 2):
            if draw(st.booleans()):
                value = draw(st.sampled_from([0.7, 0.9]))
                tables["similarities"].append({
                    "grid_id": grid, "left_id": left, "right_id": right, "similarity": value,
                    "aligned_similarity": value + 0.05 if aligned else None,
                    "aligned_shift_ev": 0.1 if aligned else None,
                })
        for name in sorted(set(NAMES) - set(own)):
            kind = draw(st.sampled_from(["identical", "near", None]))
            if kind:
                tables["similarity_groups"].append({
                    "grid_id": grid, "calculation_id": name, "representative_id": draw(st.sampled_from(own)),
                    "similarity": 1.0 if kind == "identical" else 0.98, "group_kind": kind,
                })
        tables["similarity_runs"].append({"grid_id": grid, "aligned": aligned})
    return tables


def by_hand(tables: dict[str, list[dict[str, Any]]]) -> Pairs:
    """Each pair of calculations with its similarity, aligned similarity and kind."""
    found: Pairs = {}
    aligned = {row["grid_id"]: row["aligned"] for row in tables["similarity_runs"]}

    def put(grid: str, one: str, other: str, value: float, shifted: float | None, kind: str) -> None:
        place = (grid, min(one, other), max(one, other))
        assert place not in found
        found[place] = (value, shifted, kind)

    def equals(grid: str, name: str) -> list[str]:
        return [name, *(
            row["calculation_id"] for row in tables["similarity_groups"]
            if (row["grid_id"], row["representative_id"], row["group_kind"]) == (grid, name, "identical")
        )]

    for row in tables["similarities"]:
        for one in equals(row["grid_id"], row["left_id"]):
            for other in equals(row["grid_id"], row["right_id"]):
                as_listed = (one, other) == (row["left_id"], row["right_id"])
                put(row["grid_id"], one, other, row["similarity"], row["aligned_similarity"] if as_listed else None,
                    "listed" if as_listed else "identical")
    for grid in aligned:
        for name in NAMES:
            for one, other in combinations(equals(grid, name), 2):
                put(grid, one, other, 1.0, 1.0 if aligned[grid] else None, "identical")
    for row in tables["similarity_groups"]:
        if row["group_kind"] == "near":
            for other in equals(row["grid_id"], row["representative_id"]):
                put(row["grid_id"], row["calculation_id"], other, row["similarity"], None, "near")
    return found


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lakes())
def test_each_pair_stands_there_once(tables: dict[str, list[dict[str, Any]]]) -> None:
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            connection.register(name, pa.Table.from_pylist(tables.get(name, []), schema=table.schema))
        create_views(connection)
        rows = connection.sql("select * from similar_calculations").to_arrow_table().to_pylist()
    found = {(r["grid_id"], r["left_id"], r["right_id"]): (r["similarity"], r["aligned_similarity"], r["pair_kind"])
             for r in rows}
    assert len(found) == len(rows)
    assert found == by_hand(tables)
    for row in rows:
        assert row["left_id"] < row["right_id"]
        expected = None if row["aligned_similarity"] is None else 0.0 if row["pair_kind"] == "identical" else 0.1
        assert row["aligned_shift_ev"] == expected
