"""The part of the AFLUX language that clients use: a matchbook of keywords with conditions, and directives.

Grammar as in AFLUX (Rose et al., Comput. Mater. Sci. 137, 362 (2017)): ``keyword``, ``keyword(*)``,
``keyword(a*,*b)``, ``!v`` not, ``:`` or, ``,`` and, ``$keyword`` not shown, texts in single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Test = Callable[[Any], bool]

_TOKEN = re.compile(r"\s*(?:(?P<quoted>\*?'(?:[^']*)'\*?)|(?P<mark>[(),:!])|(?P<bare>[^(),:!'\s]+))")
_BOUND = r"(?:'([^'*]*)'|([^'*,:()!\s]+))"
_RANGE = re.compile(rf"\s*{_BOUND}\*\s*,\s*\*{_BOUND}\s*$")
_ITEM = re.compile(r"\$?[A-Za-z_]\w*")


class LuxError(ValueError):
    """A query that AFLUX does not understand."""


@dataclass
class Item:
    """One keyword of the matchbook or one directive."""

    name: str
    shown: bool
    arguments: str | None


def split(query: str) -> list[Item]:
    """The items of a query, at the commas that stand outside brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, sign in enumerate(query):
        if sign == "'":
            quoted = not quoted
        elif not quoted and sign in "()":
            depth += 1 if sign == "(" else -1
        elif not quoted and depth == 0 and sign == ",":
            parts.append(query[start:index])
            start = index + 1
    if depth or quoted:
        raise LuxError("unbalanced brackets or quotes")
    return [_item(part.strip()) for part in [*parts, query[start:]] if part.strip()]


def _item(text: str) -> Item:
    match = _ITEM.match(text)
    if not match:
        raise LuxError(f"{text!r} is no keyword")
    rest = text[match.end() :]
    if rest and not (rest.startswith("(") and rest.endswith(")")):
        raise LuxError(f"{text!r} is no keyword")
    return Item(match[0].lstrip("$"), not text.startswith("$"), rest[1:-1] if rest else None)


def condition(arguments: str | None) -> Test:
    """The test that a keyword's value must pass."""
    if arguments is None:
        return lambda value: True
    bounds = _RANGE.match(arguments)
    if bounds:
        return _between(bounds[1] or bounds[2], bounds[3] or bounds[4])
    tokens = [m[m.lastgroup or 0].strip() for m in _TOKEN.finditer(arguments)]
    if "".join(tokens).replace(" ", "") != arguments.replace(" ", ""):
        raise LuxError(f"{arguments!r} is no condition")
    test, rest = _either(tokens)
    if rest:
        raise LuxError(f"{arguments!r}: {rest[0]!r} is out of place")
    return test


def _either(tokens: list[str]) -> tuple[Test, list[str]]:
    test, tokens = _operand(tokens)
    tests, sign = [test], ""
    while tokens and tokens[0] in (",", ":"):
        if sign and tokens[0] != sign:
            raise LuxError("',' and ':' side by side need brackets")
        sign = tokens[0]
        test, tokens = _operand(tokens[1:])
        tests.append(test)
    every = all if sign != ":" else any
    return (lambda value: every(t(value) for t in tests)), tokens


def _operand(tokens: list[str]) -> tuple[Test, list[str]]:
    if not tokens:
        raise LuxError("a value is missing")
    head, rest = tokens[0], tokens[1:]
    if head == "!":
        inner, rest = _operand(rest)
        return (lambda value: not inner(value)), rest
    if head == "(":
        inner, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise LuxError("a bracket is not closed")
        return inner, rest[1:]
    return _value(head), rest


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _between(low: str, high: str) -> Test:
    def one(value: Any) -> bool:
        if isinstance(value, int | float):
            return _number(float(value), low, from_here=True, up_to_here=False) and _number(
                float(value), high, from_here=False, up_to_here=True
            )
        return low <= str(value) <= high

    return lambda value: any(one(v) for v in _each(value))


def _value(token: str) -> Test:
    if token == "*":
        return lambda value: value is not None
    low, high = token.startswith("*"), token.endswith("*")
    text = token.strip("*").strip("'")
    inner_low, inner_high = text.startswith("*"), text.endswith("*")
    low, high, text = low or inner_low, high or inner_high, text.strip("*")

    def one(value: Any) -> bool:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _number(float(value), text, from_here=high, up_to_here=low)
        return _text(str(value), text, begins=high, ends=low)

    return lambda value: any(one(v) for v in _each(value))


def _number(value: float, text: str, *, from_here: bool, up_to_here: bool) -> bool:
    try:
        bound = float(text)
    except ValueError:
        raise LuxError(f"{text!r} is no number") from None
    if from_here and not up_to_here:
        return value >= bound
    return value <= bound if up_to_here and not from_here else value == bound


def _text(value: str, text: str, *, begins: bool, ends: bool) -> bool:
    if begins and ends:
        return text in value
    if begins:
        return value.startswith(text)
    return value.endswith(text) if ends else value == text
