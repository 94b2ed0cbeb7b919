"""AFLOW's lists, which come as JSON, as text with commas and semicolons, or as printed Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from lake.sources.values import BadValueError, number, show, text

NO_NUMBER = math.nextafter(1e9, 0.0)
"""AFLOW writes AUROSTD_NAN (1e9) or 1e12 for what it does not know; real values are far below."""

MAX_CHARACTERS = 4_000_000

_NOTHING = {"", "none", "null", "nan", "aurostd_nan", "-", "--", "n/a"}


def quantity(value: Any) -> float | None:
    """A number or its text; null for AFLOW's ways to say nothing.

    Raises:
        BadValueError: it is no number.
    """
    if isinstance(value, str) and value.strip().lower() in _NOTHING:
        return None
    return number(value, NO_NUMBER)


def listed(value: Any) -> list[Any] | None:
    """A list, from a list, a single number, ``"a,b"``, ``"a,b;c,d"`` (nested), or ``"['a', 'b']"``.

    Raises:
        BadValueError: it is none of these.
    """
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, str):
        raise BadValueError(f"{show(value)} is no list")
    if len(value) > MAX_CHARACTERS:
        raise BadValueError(f"a list of {len(value):,} characters, at most {MAX_CHARACTERS:,} are taken")
    stripped = value.strip()
    if stripped.lower() in _NOTHING:
        return None
    if stripped.startswith(("[", "(")):
        return _printed(stripped)
    if ";" in stripped:
        return [_split(part) for part in stripped.split(";") if part.strip()]
    return _split(stripped)


def texts(value: Any) -> list[str] | None:
    """A list of texts, stripped (old AFLUX ends them with a line feed); null for null and empty lists.

    Raises:
        BadValueError: it is no list of texts.
    """
    items = listed(value)
    if items is None:
        return None
    found = [text(item) for item in items]
    return [item for item in found if item is not None] or None


def numbers(value: Any) -> list[float | None] | None:
    """A list of numbers, sentinels as null; null for null.

    Raises:
        BadValueError: it is no list, or an item is no number.
    """
    items = listed(value)
    return None if items is None else [quantity(item) for item in items]


def triples(value: Any) -> NDArray[np.float64] | None:
    """Vectors as an array of shape (n, 3); null for null and empty lists.

    Raises:
        BadValueError: it is no list of three numbers each.
    """
    items = listed(value)
    if not items:
        return None
    try:
        raw = np.asarray(items)
        if raw.dtype.kind not in "iufU":
            raise BadValueError(f"{show(value)} is no list of three numbers each")
        array = raw.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadValueError(f"{show(value)} is no list of three numbers each") from None
    if array.ndim == 1 and array.size % 3 == 0:
        array = array.reshape(-1, 3)
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise BadValueError(f"{show(value)} is no list of three finite numbers each")
    return array


def _split(part: str) -> list[str]:
    return [item.strip() for item in part.split(",") if item.strip()]


def _printed(value: str) -> list[Any]:
    plain = value.replace("(", "[").replace(")", "]")
    for attempt in (plain, plain.replace("'", '"').replace("None", "null").replace("nan", "null")):
        try:
            found = orjson.loads(attempt)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, list):
            return found
    raise BadValueError(f"{show(value)} is no list")
