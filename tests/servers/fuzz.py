"""Spoilt records: real ones with nasty values at random places, and values that are no records at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.servers.exchange import Row

IDS = ("../../etc/passwd", "'; drop table calculations; --", "a" * 5_000, "", " ", "mp-1/../../x", "%2e%2e%2f",
       "\u0000", "\ud800", "aflow:\n", "C:\\x", "$(id)", "${jndi:ldap://x}", "source=aflow", "NULL", "ä" * 200)
NUMBERS = (float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 1e12, 5e-324, 10**400, -(2**63), 2**64, -0.0, 0,
           "1e999", "NaN", "-inf", "1,5", "0x10", "١٢", True)
SHAPES: tuple[Any, ...] = ([], {}, [[]], [[], [], []], [None], [[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[1, 2], [3]],
          {"": None}, [[1e-9, 0, 0], [0, 1e-9, 0], [0, 0, 1e-9]], [[1e30, 0, 0], [0, 1e30, 0], [0, 0, 1e30]],
          ["Xx"], ["Si", 7])

plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40),
    st.sampled_from(IDS), st.sampled_from(NUMBERS), st.sampled_from(SHAPES),
    st.sampled_from(["Xx", "Uuo", "D", "Vac", "Si+4", "pbe'--", "<script>alert(1)</script>"]),
)
nasty = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
place = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=7)
changes = st.lists(st.tuples(place, nasty), min_size=1, max_size=3)


def spoilt(records: Sequence[Row]) -> st.SearchStrategy[list[Any]]:
    """Lists of spoilt copies of records, some no records at all."""
    one = st.builds(lambda index, edits: spoil(records[index], edits), st.integers(0, len(records) - 1), changes)
    return st.lists(st.one_of(one, one, one, nasty), min_size=10, max_size=40)


def spoil(record: Row, edits: Sequence[tuple[Sequence[float], Any]]) -> Row:
    """A copy of a record with values replaced; a place is a way down, each number choosing among children."""
    result = copy.deepcopy(record)
    for way, value in edits:
        holder: Any = result
        for step, share in enumerate(way):
            children = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not children:
                break
            chosen = children[int(share * len(children))]
            last = step == len(way) - 1
            if last or not isinstance(holder[chosen], dict | list):
                holder[chosen] = value
                break
            holder = holder[chosen]
    return result


def as_json(document: Any) -> bytes:
    """JSON as sloppy servers write it: NaN, Infinity, lone surrogates, huge numbers."""
    return json.dumps(document, allow_nan=True, ensure_ascii=True, default=str).encode()
