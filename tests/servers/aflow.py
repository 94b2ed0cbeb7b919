"""AFLOW: AFLUX searches and single entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from tests.servers.aflux_query import Item, LuxError, condition, split
from tests.servers.exchange import Answer, Question, Row, View, json_answer

ALWAYS = ("compound", "auid", "aurl")
DIRECTIVES = {"paging", "format", "help", "schema"}
_LISTS_AS_TEXT = {"species", "species_pp", "species_pp_version", "stoichiometry", "composition"}


@dataclass
class Aflow:
    """AFLUX over rows; ``rows`` are AFLUX records.

    Args:
        layout: "list" (today) or "dict" (the older replies, keyed ``1 of 912``).
        numbers_as_text: as the older API gave them.
        largest_search: a search that matches more rows dies of it ("DB Fail!"); None = none does.
        entries: whole ``aflowlib.json`` documents beside the rows.
    """

    rows: Sequence[Row]
    layout: str = "list"
    numbers_as_text: bool = False
    largest_search: int | None = None
    entries: Sequence[Row] = ()

    def knows(self, question: Question) -> bool:
        return "/aflux" in question.path.lower() or "/AFLOWDATA/" in question.path

    def answer(self, question: Question, view: View) -> Answer:
        if "/AFLOWDATA/" in question.path:
            return self._entry(question)
        try:
            return self._search(unquote(question.query), view)
        except LuxError as error:
            return _text(f"Lux Fail! {error}")

    @cached_property
    def _by_path(self) -> dict[str, Row]:
        found = [*self.rows, *self.entries]
        return {row["aurl"].replace(":", "/", 1).partition("/")[2]: row for row in found if row.get("aurl")}

    def _entry(self, question: Question) -> Answer:
        path = unquote(question.path).lstrip("/").removesuffix("/aflowlib.json").rstrip("/")
        row = self._by_path.get(path)
        asked_json = question.path.endswith("aflowlib.json") or "format=json" in question.query
        if row is None:
            return Answer(404, b"<html>404 Not Found</html>", {"Content-Type": "text/html"})
        return json_answer(row) if asked_json else _text("|".join(f"{k}={v}" for k, v in row.items()))

    def _search(self, query: str, view: View) -> Answer:
        items = split(query)
        matchbook = [item for item in items if item.name not in DIRECTIVES]
        directives = {item.name: item.arguments for item in items if item.name in DIRECTIVES}
        if not matchbook:
            raise LuxError("an empty matchbook")
        rows = _matching(self.rows, matchbook)
        if self.largest_search is not None and len(rows) > self.largest_search:
            return _text("DB Fail!\nnull")
        first = matchbook[0].name
        rows.sort(key=lambda row: (_sort_key(row.get(first)), row["auid"]))
        number, size = _paging(directives.get("paging"))
        if number < 0:
            rows.reverse()
        # Ties of the first keyword come in no certain order.
        page, total = view.cut(
            rows, (abs(number) - 1) * size, size, lambda row: str(row["auid"]), stable=first == "auid"
        )
        shown = list(dict.fromkeys([*ALWAYS, *(item.name for item in matchbook if item.shown)]))
        replies = [self._shown(row, shown) for row in page]
        if self.layout == "dict":
            start = (abs(number) - 1) * size + 1
            return json_answer({f"{start + i} of {total}": row for i, row in enumerate(replies)})
        return json_answer(replies)

    def _shown(self, row: Row, names: Sequence[str]) -> Row:
        reply = {name: row.get(name) for name in names}
        if self.numbers_as_text:
            reply = {name: _as_text(name, value) for name, value in reply.items()}
        return reply


def _matching(rows: Sequence[Row], matchbook: Sequence[Item]) -> list[Row]:
    tests = [(item.name, condition(item.arguments)) for item in matchbook]
    return [row for row in rows if all(test(row.get(name)) for name, test in tests)]


def _sort_key(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (2, 0.0, "")
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, 0.0, json.dumps(value))


def _paging(arguments: str | None) -> tuple[int, int]:
    parts = [part for part in (arguments or "").split(",") if part.strip()]
    try:
        number = int(parts[0]) if parts else 1
        size = int(parts[1]) if len(parts) > 1 else 64
    except ValueError:
        raise LuxError(f"paging({arguments})") from None
    return number or 1, max(1, size)


def _as_text(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return f"{value}"
    if isinstance(value, list) and name in _LISTS_AS_TEXT:
        return ",".join(map(str, value)) + "\n"
    return value


def _text(text: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": "text/plain"})
