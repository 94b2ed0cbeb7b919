"""Chemical formulas by the OPTIMADE rule: elements alphabetical, no 1s, reduced by the common divisor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import reduce
from math import gcd

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
SYMBOLS = _SYMBOLS.split()
ATOMIC_NUMBER: dict[str, int] = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}

_TERM = re.compile(r"([A-Z][a-z]?)(\d*)")


def formula(counts: Mapping[str, int]) -> str:
    """The formula of a cell's content, such as ``F4Mg2`` (OPTIMADE order)."""
    return "".join(f"{e}{n if n > 1 else ''}" for e, n in sorted(counts.items()))


def reduced(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts divided by their greatest common divisor."""
    divisor = reduce(gcd, counts.values(), 0) or 1
    return {element: count // divisor for element, count in counts.items()}


def count_species(species: Iterable[str]) -> dict[str, int]:
    """How often every element occurs."""
    return dict(Counter(species))


def parse(text: str) -> dict[str, int] | None:
    """The counts that a plain formula (no brackets) states, such as ``Mg2F4``; None where it is none."""
    counts: dict[str, int] = {}
    end = 0
    for term in _TERM.finditer(text):
        if term.start() != end or term[1] not in ATOMIC_NUMBER:
            return None
        count = int(term[2] or 1) if len(term[2]) <= 6 else 0
        if count == 0:
            return None
        counts[term[1]] = counts.get(term[1], 0) + count
        end = term.end()
    return counts if counts and end == len(text) else None
