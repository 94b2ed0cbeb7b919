"""SVG by hand: elements whose attributes and texts are escaped, and axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """An SVG element; `class_` is the attribute class, an underscore stands for a dash."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inside)


def drawing(width: float, height: float, title: str, *children: str) -> Markup:
    """A whole figure: it scales to its place, and its title is what a screen reader says."""
    return tag(
        "svg", *children, viewBox=f"0 0 {_value(width)} {_value(height)}", role="img", aria_label=title,
        class_="figure", preserveAspectRatio="xMidYMid meet",
    )


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values between two others, about as many as wanted (1, 2 or 5 times a power of ten apart)."""
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= 0.75 * rough)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, all_ticks: Sequence[float]) -> str:
    """A tick's text, with as many decimals as the spacing needs."""
    step = all_ticks[1] - all_ticks[0] if len(all_ticks) > 1 else 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value + 0.0:,.{digits}f}".replace("-", "−") if abs(value) > step * 1e-6 else "0"


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
