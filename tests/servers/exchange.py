"""What goes over the wire: a question, an answer, and the few helpers that every database needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One request as it arrived. Header names are lower case, ``query`` is still percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw_body: bytes = b""
    host: str = ""

    @cached_property
    def params(self) -> dict[str, str]:
        """The query as keys and values (the last value wins)."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def body(self) -> Any:
        """The body as JSON, None where there is none or it is no JSON."""
        try:
            return json.loads(self.raw_body)
        except ValueError:
            return None

    @cached_property
    def key(self) -> str:
        """What tells this request from others, however its parameters are ordered or encoded."""
        query = "&".join(sorted(f"{k}={v}" for k, v in self.params.items())) or unquote(self.query)
        body = json.dumps(self.body, sort_keys=True) if self.raw_body else ""
        return f"{self.method} {self.path}?{query} {body}".strip()


@dataclass(frozen=True)
class Answer:
    """One reply. ``transport`` says how the connection misbehaves: "", "reset" or "cut" (half a body)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    transport: str = ""

    def but(self, **changes: Any) -> Answer:
        """The same reply with something changed."""
        return replace(self, **changes)


class View(Protocol):
    """What a database seems to hold for one request, faults included."""

    def cut(
        self, rows: Sequence[Row], start: int, size: int, identify: Callable[[Row], str], *, stable: bool
    ) -> tuple[list[Row], int]:
        """One page of rows and the total that is told; ``stable`` = a unique sort key was asked for."""

    def after(
        self, rows: Sequence[Row], value: str | None, size: int, identify: Callable[[Row], str]
    ) -> tuple[list[Row], int, bool]:
        """The rows whose id follows ``value``, the total that is told, and whether there are more."""


class Database(Protocol):
    """One of the APIs over given records."""

    def knows(self, question: Question) -> bool:
        """Whether the question is for this API."""

    def answer(self, question: Question, view: View) -> Answer:
        """The reply of the undisturbed API, over the rows that the view shows."""


def json_answer(value: Any, status: int = 200) -> Answer:
    """A reply in JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def dig(value: Any, path: str | Iterable[str]) -> list[Any]:
    """All values at a dotted path, through lists of objects as well."""
    steps = path.split(".") if isinstance(path, str) else list(path)
    found = [value]
    for step in steps:
        found = [
            item[step]
            for outer in found
            for item in (outer if isinstance(outer, list) else [outer])
            if isinstance(item, dict) and item.get(step) is not None
        ]
    return [v for item in found for v in (item if isinstance(item, list) else [item])]
