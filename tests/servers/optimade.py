"""An OPTIMADE provider: /v1/structures, paged by links.next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.servers.exchange import Answer, Question, Row, View, json_answer

_CLAUSE = re.compile(
    r'\s*(?P<name>[a-z_]\w*)\s*(?:(?P<has>HAS(?:\s+(?:ALL|ANY|ONLY))?)\s+(?P<items>"[^"]*"(?:\s*,\s*"[^"]*")*)'
    r'|(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>"[^"]*"|-?[\d.]+(?:[eE][+-]?\d+)?|TRUE|FALSE)'
    r"|IS\s+(?P<known>KNOWN|UNKNOWN))\s*"
)
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}


@dataclass
class Optimade:
    """A provider over structure entries (``{"id", "type", "attributes"}``).

    Args:
        link_as_object: ``links.next`` as ``{"href": …}`` instead of a string; both are allowed.
        largest_page: a larger page_limit is refused with 403, as optimade-python-tools does.
    """

    structures: Sequence[Row]
    prefix: str = "exmpl"
    link_as_object: bool = False
    largest_page: int = 500

    def knows(self, question: Question) -> bool:
        return re.search(r"/(structures|info|links|versions)(/|$)", question.path) is not None

    def answer(self, question: Question, view: View) -> Answer:
        if "/structures" not in question.path or "/info" in question.path:
            return self._about(question)
        params = question.params
        try:
            size, start = int(params.get("page_limit", 20)), int(params.get("page_offset", 0))
            test = parse(params.get("filter", ""))
        except ValueError as error:
            return self._wrong(400, str(error))
        if size > self.largest_page:
            return self._wrong(403, f"Max allowed page_limit is {self.largest_page}, you requested {size}")
        single = question.path.rpartition("/structures")[2].strip("/")
        rows = [row for row in self.structures if (row["id"] == single if single else test(row))]
        sort = params.get("sort", "")
        if sort.lstrip("-") == "id":
            rows.sort(key=lambda row: str(row["id"]), reverse=sort.startswith("-"))
        page, total = view.cut(rows, start, size, lambda row: str(row["id"]), stable=bool(sort))
        more = start + size < len(rows)
        link = self._link(question, {**params, "page_offset": str(start + size), "page_limit": str(size)})
        data = [_with_fields(row, params.get("response_fields")) for row in page]
        return json_answer({
            "data": data,
            "links": {"next": link if more else None},
            "meta": {**self._meta(), "data_returned": total, "data_available": len(self.structures),
                     "more_data_available": more},
        })

    def _link(self, question: Question, params: Mapping[str, str]) -> Any:
        url = f"http://{question.host}{question.path}?{urlencode(params)}"
        return {"href": url} if self.link_as_object else url

    def _meta(self) -> Row:
        provider = {"name": "Example", "description": "Plays a provider in tests", "prefix": self.prefix}
        return {"api_version": "1.2.0", "query": {"representation": "/structures"}, "provider": provider}

    def _wrong(self, status: int, detail: str) -> Answer:
        return json_answer({"errors": [{"status": str(status), "title": "Error", "detail": detail}],
                            "meta": self._meta()}, status)

    def _about(self, question: Question) -> Answer:
        if question.path.rstrip("/").endswith("/versions"):
            return Answer(200, b"version\n1\n", {"Content-Type": "text/csv; header=present"})
        attributes = {"api_version": "1.2.0", "available_endpoints": ["structures", "info"],
                      "available_api_versions": [{"url": f"http://{question.host}/v1/", "version": "1.2.0"}]}
        data = {"id": "/", "type": "info", "attributes": attributes}
        return json_answer({"data": data, "meta": self._meta()})


def parse(text: str) -> Callable[[Row], bool]:
    """The test of a filter made of clauses joined by AND.

    Raises:
        ValueError: anything else of the grammar.
    """
    clauses, end = [], 0
    while end < len(text.rstrip()):
        match = _CLAUSE.match(text, end)
        if match is None:
            raise ValueError(f"the filter cannot be read at {text[end:end + 40]!r}")
        clauses.append(match)
        end = match.end()
        if end < len(text.rstrip()):
            if not text.startswith("AND", end):
                raise ValueError(f"AND expected at {text[end:end + 40]!r}")
            end += 3
    return lambda row: all(_holds(row, clause) for clause in clauses)


def _holds(row: Row, clause: re.Match[str]) -> bool:
    name = clause["name"]
    value = row["id"] if name == "id" else row["attributes"].get(name)
    if clause["known"]:
        return (value is not None) == (clause["known"] == "KNOWN")
    if value is None:
        return False
    if clause["has"]:
        wanted, found = set(re.findall(r'"([^"]*)"', clause["items"])), set(value)
        how = clause["has"].split()[-1]
        return bool(wanted & found) if how == "ANY" else found <= wanted if how == "ONLY" else wanted <= found
    return _SIGNS[clause["sign"]](value, _literal(clause["value"]))


def _literal(text: str) -> Any:
    if text.startswith('"'):
        return text[1:-1]
    return {"TRUE": True, "FALSE": False}[text] if text in ("TRUE", "FALSE") else float(text)


def _with_fields(row: Row, fields: str | None) -> Row:
    if not fields:
        return row
    names = fields.split(",")
    return {**row, "attributes": {k: v for k, v in row["attributes"].items() if k in names}}
