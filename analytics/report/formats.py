"""Numbers and times as a reader wants them; what is missing is an en dash."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

MISSING = "–"
NARROW_SPACE = "\u202f"


def count(value: Any) -> str:
    """A whole number with thousands separators."""
    return MISSING if value is None else f"{int(value):,}"


def counted(value: int, noun: str) -> str:
    """A number of things, as in `1 pair` and `2 pairs`."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def number(value: Any, digits: int = 2) -> str:
    """A number with fixed decimals and a true minus."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", "−")


def digits_of(values: Iterable[float | None], significant: int = 3, most: int = 6) -> int:
    """Decimals with which the least of some positive values keeps its significant digits."""
    least = min((v for v in values if v is not None and math.isfinite(v) and v > 0), default=1.0)
    return min(most, max(0, significant - 1 - math.floor(math.log10(least) + 1e-12)))


def finite(value: float | None) -> float | None:
    """A number, or None where it is none: a table may hold NaN for an error that could not be computed."""
    return value if value is not None and math.isfinite(value) else None


def signed(value: Any, digits: int = 3) -> str:
    """A number that always carries its sign, zero apart."""
    text = number(value, digits)
    positive = value is not None and math.isfinite(value) and value > 0 and text.strip("0.,") != ""
    return f"+{text}" if positive else text


def percent(value: Any) -> str:
    """A percentage; what is above zero never reads as zero, what is below 100 never as 100."""
    if value is None or not math.isfinite(value):
        return MISSING
    if 0 < value < 0.1:
        shown = "<0.1"
    elif 99.9 < value < 100:
        shown = ">99.9"
    elif value in (0, 100):
        shown = f"{value:.0f}"
    else:
        shown = f"{value:.1f}"
    return f"{shown}{NARROW_SPACE}%"


def moment(value: Any) -> str:
    """A time, in UTC, to the minute."""
    if not isinstance(value, datetime):
        return MISSING
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def age(value: Any, now: datetime) -> str:
    """How long ago something was, in one unit."""
    if not isinstance(value, datetime):
        return MISSING
    minutes = max(0, int((now - value).total_seconds() // 60))
    for unit, length in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            amount = minutes // length
            return f"{amount} {unit}{'s' if amount > 1 else ''} ago"
    return "just now"


def shortened(text: Any, length: int = 160) -> str:
    """A text from outside, cut to a length, control characters made visible."""
    if text is None:
        return MISSING
    plain = "".join(c if c.isprintable() else "␣" if c.isspace() else "�" for c in str(text))
    return plain if len(plain) <= length else plain[: length - 1] + "…"
