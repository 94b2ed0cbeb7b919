"""Columns that several kinds of documents of the Materials Project fill in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lake.crystal.columns import add_compositions
from lake.crystal.formula import ATOMIC_NUMBER
from lake.sources.batch import Batch
from lake.sources.values import BadValueError, flag, number, show, whole

MOST_ATOMS = 1_000_000
NO_GAP_EV = 1e-4
"""Below this emmet counts a band gap as none."""


def add_program(batch: Batch) -> None:
    """Set what holds for all of the Materials Project: VASP, plane waves, PAW potentials."""
    batch.constant("code", "vasp")
    batch.constant("basis_set", "plane waves")
    batch.constant("core_treatment", "pseudopotential")


def add_compositions_of(batch: Batch, counts: Sequence[int | None]) -> list[int | None]:
    """Set the formula columns of records without structure from their ``composition`` (the cell's content).

    Returns:
        The number of atoms of every record, where structure or composition tell it.
    """
    found = [
        None if n is not None else _composition(composition)
        for n, composition in zip(counts, batch.values("composition"), strict=True)
    ]
    if any(found):
        add_compositions(batch, found)
    return [sum(f.values()) if f else n for n, f in zip(counts, found, strict=True)]


def add_band_gap(batch: Batch, gaps: Sequence[Any], metals: Sequence[Any], direct: Sequence[Any]) -> None:
    """Set gap (eV) and its type: metal, direct, indirect; null where it is not said."""
    cleaned = batch.numbers("band_gap_ev", gaps)
    metallic = batch.cleaned("is_metal", metals, flag)
    straight = batch.cleaned("is_gap_direct", direct, flag)
    batch.set("band_gap_type", [_gap_type(*row) for row in zip(cleaned, metallic, straight, strict=True)])


def add_magnetization(batch: Batch, totals: Sequence[Any], counts: Sequence[int | None]) -> None:
    """Set the magnetic moment per atom from that of the cell (µB)."""
    cleaned = batch.cleaned("magnetization_mu_b_per_atom", totals, number)
    batch.set("magnetization_mu_b_per_atom",
              [None if m is None or not n else m / n for m, n in zip(cleaned, counts, strict=True)])


def group_number(value: Any) -> int | None:
    """A space-group number as a source states it; 0 means that it found none."""
    return whole(value) or None


def _gap_type(gap: float | None, metal: bool | None, direct: bool | None) -> str | None:
    if metal:
        return "metal"
    if gap is None or direct is None or gap < NO_GAP_EV:
        return None
    return "direct" if direct else "indirect"


def _composition(value: Any) -> dict[str, int] | None:
    """Whole numbers of atoms by element; null where a composition is none, or not of whole atoms."""
    if isinstance(value, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        value = {str(name): amount for name, amount in value}
    if not isinstance(value, dict) or not value or len(value) > len(ATOMIC_NUMBER):
        return None
    counts: dict[str, int] = {}
    for name, given in value.items():
        try:
            amount = number(given)
        except BadValueError:
            return None
        # Null amounts are elements that other rows of an Arrow table have.
        if amount is None or amount == 0:
            continue
        if name not in ATOMIC_NUMBER or not 0 < amount <= MOST_ATOMS or abs(amount - round(amount)) > 1e-6:
            return None
        counts[name] = round(amount)
    return counts or None


def text_list(value: Any) -> list[Any] | None:
    """A list, or null; anything else is refused."""
    if value is None or isinstance(value, list):
        return value
    raise BadValueError(f"{show(value)} is no list")
