"""How many electrons a density of states can hold, whatever the code left out of it as core."""

from __future__ import annotations

from functools import lru_cache

from lake.crystal.formula import ATOMIC_NUMBER, SYMBOLS, parse

_P_BLOCK = {
    "B C N O F Ne": (10, 14, 19, 24, 30, 36),
    "Al Si P S Cl Ar": (8, 11, 14, 18, 21, 25),
    "Ga Ge As Se Br Kr": (10, 12, 15, 18, 20, 23),
    "In Sn Sb Te I Xe": (9, 11, 13, 15, 17, 19),
    "Tl Pb Bi Po At Rn": (11, 13, 15, 17, 20, 22),
}
"""Depth in eV of the outermost s level in the atom (LDA, rounded up), by row of the table of elements."""

BONDING_EV = 6.0
"""How much further below the highest occupied level it may lie in a crystal."""

SHALLOW_EV = 12.0
"""Data that reach this far down hold all p electrons, and the d electrons of transition metals."""

Bounds = tuple[float, float, tuple[tuple[float, float], ...]]


@lru_cache(maxsize=100_000)
def bounds(formula: str | None) -> Bounds | None:
    """The electrons per atom that lie below the highest occupied level.

    Codes differ in what they treat as core, so there are only bounds: at most all electrons; at least those
    that no pseudopotential leaves out and that lie within 12 eV (s electrons of groups 1 and 2, p electrons, d
    and s electrons of groups 3 to 11, two for others); and the outermost s electrons of groups 13 to 18 only
    where the data reach further down.

    Args:
        formula: a plain formula of the material, such as ``BN``.

    Returns:
        All electrons per atom; the fewest per atom in data that reach 12 eV down; and pairs (depth in eV, how
        many more per atom in data that reach so far). None where the formula cannot be read.
    """
    counts = parse(formula) if formula else None
    if counts is None:
        return None
    atoms = sum(counts.values())
    most = sum(ATOMIC_NUMBER[e] * n for e, n in counts.items()) / atoms
    least = sum(_shallow()[e] * n for e, n in counts.items()) / atoms
    deep = tuple((_deep()[e] + BONDING_EV, 2 * n / atoms) for e, n in counts.items() if e in _deep())
    return most, least, deep


def least_electrons(found: Bounds, lowest_ev: float) -> float:
    """The fewest electrons per atom in data that begin, within a gap, at ``lowest_ev``; 0 where that is unknown."""
    _, least, deep = found
    if -lowest_ev < SHALLOW_EV:
        return 0.0
    return least + sum(electrons for depth, electrons in deep if -lowest_ev >= depth)


@lru_cache(maxsize=1)
def _deep() -> dict[str, float]:
    return {
        element: float(depth)
        for row, depths in _P_BLOCK.items() for element, depth in zip(row.split(), depths, strict=True)
    }


@lru_cache(maxsize=1)
def _shallow() -> dict[str, int]:
    """The fewest valence electrons of every element, outermost s electrons of groups 13 to 18 left out."""
    found = dict.fromkeys(SYMBOLS, 2)
    found |= dict.fromkeys(["H", "Li", "Na", "K", "Rb", "Cs", "Fr"], 1)
    for first in (ATOMIC_NUMBER["Sc"], ATOMIC_NUMBER["Y"], ATOMIC_NUMBER["Hf"] - 1):
        found |= {SYMBOLS[first - 1 + i]: 3 + i for i in range(9)}
    found["Lu"] = 2
    for row in _P_BLOCK:
        found |= {element: 1 + i for i, element in enumerate(row.split())}
    return found
