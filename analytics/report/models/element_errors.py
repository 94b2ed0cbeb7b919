"""Errors by element as periodic tables: one per model and database, to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.report.elements import PLACES
from analytics.report.formats import counted, number, signed
from analytics.report.models.experiment import Row

FEWEST_ROWS = 5
"""Below this an element's error is not shown: it would be that of a few rows."""


@dataclass(frozen=True)
class ElementCell:
    """One element: its place, error (None = too few rows), rows, colour in percent, and all of it in words."""

    symbol: str
    row: int
    column: int
    value: str | None
    n: int
    strength: int
    title: str


@dataclass(frozen=True)
class ElementTable:
    """The errors of one model on one database; colour is full from ``scale`` on."""

    words: str
    cells: tuple[ElementCell, ...]
    absent: tuple[tuple[str, int, int], ...]
    scale: str
    unit: str
    n: int


def element_table(words: str, rows: Sequence[Row], n: int) -> ElementTable | None:
    """The periodic table of one model on one database.

    Args:
        words: which model and which database.
        rows: its rows of `evaluations`; those of elements are taken.
        n: test rows in all.

    Returns:
        None where no element has enough rows.
    """
    seen = {row["slice"]: row for row in rows if row["slice_kind"] == "element" and row["slice"] in PLACES}
    values = sorted(row["mae"] for row in seen.values() if _enough(row))
    if not values:
        return None
    # One extreme element does not take the colour from all others.
    scale = values[min(len(values) - 1, int(0.9 * len(values)))]
    factor, unit = shown_unit(next(iter(seen.values()))["unit"])
    cells = tuple(_cell(symbol, row, scale, (factor, unit)) for symbol, row in seen.items())
    absent = tuple((symbol, *place) for symbol, place in PLACES.items() if symbol not in seen)
    return ElementTable(words, cells, absent, _short(scale * factor), unit, n)


def shown_unit(unit: str) -> tuple[float, str]:
    """The factor and the unit in which small errors fit a cell: meV where the unit is eV."""
    return (1000.0, f"m{unit}") if unit.startswith("eV") else (1.0, unit)


def _enough(row: Mapping[str, float]) -> bool:
    return row["n"] >= FEWEST_ROWS and row["mae"] is not None


def _cell(symbol: str, row: Row, scale: float, shown: tuple[float, str]) -> ElementCell:
    line, column = PLACES[symbol]
    n = int(row["n"])
    if not _enough(row):
        return ElementCell(symbol, line, column, None, n, 0, f"{symbol}: {counted(n, 'test row')}, too few")
    factor, unit = shown
    value = _short(row["mae"] * factor)
    title = f"{symbol}: MAE {value} {unit}"
    if row["mae_low"] is not None and row["mae_high"] is not None:
        title += f" [{_short(row['mae_low'] * factor)}, {_short(row['mae_high'] * factor)}]"
    if row["bias"] is not None:
        title += f", bias {signed(row['bias'] * factor, 0 if factor > 1 else 2)}"
    strength = round(100 * min(1.0, row["mae"] / scale)) if scale else 0
    return ElementCell(symbol, line, column, value, n, strength, f"{title}, {counted(n, 'test row')}")


def _short(value: float) -> str:
    """A number in a cell's width: whole from ten on, one decimal below."""
    return number(value, 0 if abs(value) >= 9.95 else 1 if abs(value) >= 0.95 else 2)
