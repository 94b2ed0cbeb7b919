"""Turning what a database wrote into clean values: a number, a text, a list, or null, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

MAX_TEXT = 10_000
SENTINEL = 1e9
"""Beyond this a number is AFLOW's way of saying nothing (1e12, AUROSTD_NAN), never a measurement."""

_EMPTY = {"", "none", "null", "nan", "n/a", "-"}


class BadValueError(ValueError):
    """A value that is not what its column holds; the message says what it was."""


def show(value: Any) -> str:
    """A value as it may stand in a message: short, on one line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def number(value: Any, sentinel: float | None = None) -> float | None:
    """A finite float; null for null, NaN, ±inf, empty text and |x| > sentinel.

    Raises:
        BadValueError: the value is no number.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise BadValueError(f"{show(value)} is no number")
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.lower() in _EMPTY:
            return None
        value = stripped
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValueError(f"{show(value)} is no number") from None
    if not math.isfinite(result) or (sentinel is not None and abs(result) > sentinel):
        return None
    return result


def whole(value: Any) -> int | None:
    """A whole number within 32 bits; null for null.

    Raises:
        BadValueError: the value is no whole number, or too large.
    """
    result = number(value)
    if result is None:
        return None
    if result != int(result) or abs(result) > 2**31 - 1:
        raise BadValueError(f"{show(value)} is no whole number of 32 bits")
    return int(result)


def text(value: Any, longest: int = MAX_TEXT) -> str | None:
    """A stripped text; null for null and empty text. Numbers become their text.

    Raises:
        BadValueError: the value is no text, holds control characters, or is longer than ``longest``.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadValueError(f"{show(value)} is no text")
    result = str(value).strip()
    if len(result) > longest:
        raise BadValueError(f"a text of {len(result):,} characters, at most {longest:,} are taken")
    if not result.isprintable():
        raise BadValueError(f"{show(result)} holds control characters")
    return result or None


def flag(value: Any) -> bool | None:
    """A truth value; also the texts true and false; null for null.

    Raises:
        BadValueError: anything else.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise BadValueError(f"{show(value)} is no truth value")


def items(value: Any, each: Any) -> list[Any] | None:
    """A list with every item cleaned by ``each``; a comma-separated text counts as a list; null for null.

    Raises:
        BadValueError: the value is no list, or an item cannot be taken or is missing.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise BadValueError(f"{show(value)} is no list")
    cleaned = [each(item) for item in value]
    if any(item is None for item in cleaned):
        raise BadValueError(f"{show(value)} has empty items")
    return cleaned
