"""NOMAD's API v1: entries/query and entries/archive/query, paged by page_after_value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from tests.servers.exchange import Answer, Question, Row, View, dig, json_answer

LARGEST_PAGE = 10_000
DIRECTIVES = {"*", "include", "include-resolved"}
_STEP = re.compile(r"(\w+)(?:\[(-?\d+)?(:)?(-?\d+)?\])?$")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt,
}


@dataclass
class Nomad:
    """The API over entries (as in an entries/query reply) and archives (``{"entry_id", "archive"}``).

    Entries without an archive are dropped from archive replies without a word, as NOMAD does.
    """

    entries: Sequence[Row] = ()
    archives: Sequence[Row] = ()

    def knows(self, question: Question) -> bool:
        return "/entries" in question.path and question.method == "POST"

    def answer(self, question: Question, view: View) -> Answer:
        body = question.body
        if not isinstance(body, dict):
            return _wrong(["body"], "value is not a valid dict")
        archive = question.path.rstrip("/").endswith("/archive/query")
        try:
            return self._page(body, view, archive=archive)
        except _InvalidError as error:
            return _wrong(error.place, error.message)

    @cached_property
    def _all(self) -> list[Row]:
        """One row per entry, by id: its metadata, its archive if it has one."""
        rows: dict[str, Row] = {}
        for entry in self.entries:
            key = str(entry["entry_id"])
            rows[key] = {"id": key, "entry": entry, "archive": None}
        for item in self.archives:
            key, archive = str(item["entry_id"]), item["archive"]
            made = {"entry_id": key, **archive.get("metadata", {}), "results": archive.get("results")}
            rows[key] = {"id": key, "entry": rows.get(key, {}).get("entry") or made, "archive": item}
        return [rows[key] for key in sorted(rows)]

    def _page(self, body: Mapping[str, Any], view: View, *, archive: bool) -> Answer:
        pagination = body.get("pagination") or {}
        size = pagination.get("page_size", 10)
        if not isinstance(size, int) or not 0 < size <= LARGEST_PAGE:
            raise _InvalidError(["body", "pagination", "page_size"], f"must be between 1 and {LARGEST_PAGE}")
        if pagination.get("order_by", "entry_id") != "entry_id" or pagination.get("order", "asc") != "asc":
            raise _InvalidError(["body", "pagination", "order_by"], "this server orders by entry_id, asc")
        query = body.get("query") or {}
        rows = [row for row in self._all if _matches(row, query)]
        value = pagination.get("page_after_value")
        page, total, more = view.after(rows, value, size, lambda row: str(row["id"]))
        told = {**pagination, "page_size": size, "order_by": "entry_id", "order": "asc", "total": total}
        if more and page:
            told["next_page_after_value"] = max(row["id"] for row in page)
        required = body.get("required")
        data = _archives(page, required) if archive else [_entry(row["entry"], required) for row in page]
        owner = body.get("owner", "public")
        return json_answer({"owner": owner, "query": query, "pagination": told, "data": data})


class _InvalidError(Exception):
    def __init__(self, place: list[str], message: str) -> None:
        super().__init__(message)
        self.place, self.message = place, message


def _wrong(place: list[str], message: str) -> Answer:
    return json_answer({"detail": [{"loc": place, "msg": message, "type": "value_error"}]}, 422)


def _matches(row: Row, query: Mapping[str, Any]) -> bool:
    for name, wanted in query.items():
        if name == "and":
            good = all(_matches(row, part) for part in wanted)
        elif name == "or":
            good = any(_matches(row, part) for part in wanted)
        elif name == "not":
            good = not _matches(row, wanted)
        else:
            path, _, how = name.partition(":")
            good = _compare(_values(row, path), wanted, how)
        if not good:
            return False
    return True


def _values(row: Row, path: str) -> list[Any]:
    if path == "quantities":
        return _quantities(row)
    return dig(row["entry"], path)


def _quantities(row: Row) -> list[str]:
    """The paths that an entry holds, those of its archive's DOS under either name included."""
    found = list(_paths(row["entry"], ""))
    if row["archive"] and dig(row["archive"], "archive.run.calculation.dos_electronic"):
        name = "results.properties.electronic.dos_electronic"
        found += [name, f"{name}_new"]
    return found


def _paths(value: Any, prefix: str) -> Sequence[str]:
    if isinstance(value, list):
        return [p for item in value for p in _paths(item, prefix)]
    if not isinstance(value, dict):
        return []
    inner = [(f"{prefix}{name}", item) for name, item in value.items() if item is not None]
    return [path for path, item in inner for path in (path, *_paths(item, path + "."))]


def _compare(values: list[Any], wanted: Any, how: str) -> bool:
    if isinstance(wanted, dict):
        return all(_operator(values, name, bound) for name, bound in wanted.items())
    options = wanted if isinstance(wanted, list) else [wanted]
    return _operator(values, how or "any", options)


def _operator(values: list[Any], name: str, bound: Any) -> bool:
    if name in _COMPARE:
        return any(_COMPARE[name](v, bound) for v in values if type(v) in (int, float, str))
    options = bound if isinstance(bound, list) else [bound]
    found = [option in values for option in options]
    if name == "none":
        return not any(found)
    if name in ("any", "all"):
        return any(found) if name == "any" else all(found)
    raise _InvalidError(["body", "query"], f"{name} is no operator")


def _entry(entry: Row, required: Any) -> Row:
    include = (required or {}).get("include") if isinstance(required, dict) else None
    exclude = (required or {}).get("exclude") if isinstance(required, dict) else None
    if not include and not exclude:
        return entry
    kept = _prune(entry, "", [*(include or ["*"]), "entry_id"], exclude or [])
    return kept if isinstance(kept, dict) else {}


def _prune(value: Any, path: str, include: Sequence[str], exclude: Sequence[str]) -> Any:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [_prune(item, path, include, exclude) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        inner = f"{path}.{name}" if path else name
        if any(fnmatchcase(inner, p) for p in exclude):
            continue
        nested = isinstance(item, list) and any(isinstance(i, dict) for i in item)
        if isinstance(item, dict) or nested:
            below = _prune(item, inner, include, exclude)
            if below not in ({}, []) and below != [{}] * len(below):
                kept[name] = below
        elif any(fnmatchcase(inner, p) or fnmatchcase(inner, p + ".*") for p in include):
            kept[name] = item
    return kept


def _archives(page: Sequence[Row], required: Any) -> list[Row]:
    required = "*" if required is None else required
    found = [row["archive"] for row in page if row["archive"]]
    return [{**item, "archive": _tree(item["archive"], required, ["body", "required"])} for item in found]


def _tree(value: Any, tree: Any, place: list[str]) -> Any:
    if isinstance(tree, str):
        if tree not in DIRECTIVES:
            raise _InvalidError(place, f"{tree!r} is no directive")
        return value
    if not isinstance(tree, dict):
        raise _InvalidError(place, "neither a directive nor a tree")
    kept: Row = {}
    for key, below in tree.items():
        step = _STEP.match(key)
        if step is None:
            raise _InvalidError([*place, key], "is no section")
        if not isinstance(value, dict) or value.get(step[1]) is None:
            _tree({}, below, [*place, key])
            continue
        chosen = _chosen(value[step[1]], step)
        inner = [*place, key]
        if isinstance(chosen, list) and isinstance(below, dict):
            kept[step[1]] = [_tree(item, below, inner) for item in chosen]
        else:
            kept[step[1]] = _tree(chosen, below, inner)
    return kept


def _chosen(value: Any, step: re.Match[str]) -> Any:
    if not isinstance(value, list) or "[" not in step[0]:
        return value
    start, stop = (int(part) if part else None for part in (step[2], step[4]))
    if step[3]:
        return value[start:stop]
    return [value[start]] if start is not None and -len(value) <= start < len(value) else []
