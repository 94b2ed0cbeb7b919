"""Where the error of models comes from: their errors on slices of the test rows, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.report.formats import number, signed
from analytics.report.labels import functional_title
from analytics.report.models.experiment import Row

FEWEST_ROWS = 10
"""Below this a slice's error is shown pale: a few rows say little."""
MOST_SLICES = 6
KINDS = {
    "common": "material",
    "functional": "functional",
    "plus_u": "Hubbard U",
    "formation_energy": "formation energy",
    "gap": "band gap",
    "size": "size of the cell",
    "n_elements": "number of elements",
}
LEFT_APART = ("all", "element")
"""Kinds that other figures show."""
STEPS = ("lowest quarter", "second quarter", "third quarter", "highest quarter", "no gap", "up to 1 eV", "1–3 eV",
         "above 3 eV", "1–4 atoms", "5–12 atoms", "13–24 atoms", "25 atoms or more")
"""Slices with an order of their own; others stand by their number of rows."""


@dataclass(frozen=True)
class SliceCell:
    """The error of one model on a slice, how far it is above that on all rows (percent of colour), whether few."""

    mae: str
    bias: str
    strength: int
    few: bool


@dataclass(frozen=True)
class SliceLine:
    """One slice: what it is, its rows, and the cells of the models; ``kind`` only where it starts a new kind."""

    kind: str | None
    name: str
    n: int
    cells: tuple[SliceCell | None, ...]


def slice_lines(rows: Sequence[Row], whole: Mapping[str, float], model_ids: Sequence[str]) -> list[SliceLine]:
    """The lines of one database.

    Args:
        rows: rows of `evaluations` on it, of the test split.
        whole: each model's error on all of its test rows.
        model_ids: the columns.
    """
    by_slice: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if row["slice_kind"] not in LEFT_APART and row["mae"] is not None:
            by_slice.setdefault((row["slice_kind"], row["slice"]), {})[row["model_id"]] = row
    known = [*KINDS, *sorted({kind for kind, _ in by_slice} - set(KINDS))]
    found: list[SliceLine] = []
    for kind in known:
        names = sorted(
            (name for of, name in by_slice if of == kind), key=lambda name: _place(name, _rows(by_slice[kind, name]))
        )
        if len(names) < 2:
            # One slice alone is all rows once more.
            continue
        for place, name in enumerate(names[:MOST_SLICES]):
            of_models = by_slice[kind, name]
            cells = tuple(_cell(of_models.get(one), whole.get(one)) for one in model_ids)
            head = KINDS.get(kind, kind.replace("_", " ")) if place == 0 else None
            found.append(SliceLine(head, _words(kind, name), _rows(of_models), cells))
    return found


def _rows(of_models: Mapping[str, Row]) -> int:
    return max(int(row["n"]) for row in of_models.values())


def _place(name: str, n: int) -> tuple[int, int, str]:
    if name in STEPS:
        return STEPS.index(name), 0, name
    return (len(STEPS), int(name), "") if name.isdigit() else (len(STEPS) + 1, -n, name)


def _words(kind: str, name: str) -> str:
    if kind == "functional" and name != "unknown":
        return functional_title(name)
    if kind == "n_elements" and name.isdigit():
        return f"{name} element{'s' if name != '1' else ''}"
    return "no U" if (kind, name) == ("plus_u", "none") else name


def _cell(row: Row | None, whole: float | None) -> SliceCell | None:
    if row is None:
        return None
    above = row["mae"] / whole - 1 if whole else 0.0
    few = row["n"] < FEWEST_ROWS
    strength = 0 if few else round(100 * min(1.0, max(0.0, above)))
    return SliceCell(number(row["mae"], 3), signed(row["bias"]), strength, few)
