"""Units as exponents over base symbols: what may be added, and what comes of a product."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from lake.errors import InputError

SYMBOLS = {
    "ev": "eV", "angstrom": "Å", "å": "Å", "ang": "Å", "kelvin": "K", "k": "K", "mu_b": "µB", "µb": "µB",
    "amu": "amu", "u": "amu", "gpa": "GPa", "percent": "%", "hartree": "Ha",
}
"""Spellings of symbols; any other word is a symbol of its own."""
LONGEST = 200
"""Characters of a unit."""
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
FACTOR = re.compile(r"^(?P<symbol>[^\d\s^*/·()+-]+?)\s*(?:\^|\*\*)?\s*\(?(?P<power>-?\d+(?:/\d+)?)?\)?$")
DIMENSIONLESS_WORDS = ("", "1", "-", "–", "none", "dimensionless")


@dataclass(frozen=True)
class Unit:
    """A product of symbols with powers.

    Attributes:
        exponents: symbol and power, by symbol; powers are never 0. Empty = a pure number.
    """

    exponents: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def of(cls, exponents: dict[str, Fraction]) -> Unit:
        """The unit of powers by symbol."""
        return cls(tuple(sorted((symbol, Fraction(power)) for symbol, power in exponents.items() if power)))

    @classmethod
    def parse(cls, text: str) -> Unit:
        """The unit that a text says, such as ``eV``, ``eV/atom``, ``angstrom3``, ``eV·Å^-2`` or ``1``.

        Raises:
            InputError: it is no unit.
        """
        wrong = InputError(f"{text!r:.80} is no unit. Units are written as eV, eV/atom, Å^3, 1/Å; 1 is a pure number.")
        if len(text) > LONGEST:
            raise wrong
        plain = text.strip().translate(SUPERSCRIPTS)
        if plain.lower() in DIMENSIONLESS_WORDS:
            return cls()
        found: dict[str, Fraction] = {}
        sign = 1
        for part in re.split(r"(/(?!\d+\))|·|(?<!\*)\*(?!\*))", plain):
            word = part.strip()
            if word in ("/", "·", "*"):
                sign = -1 if word == "/" else 1
                continue
            if word == "1":
                continue
            match = FACTOR.match(word)
            if match is None:
                raise wrong
            symbol = SYMBOLS.get(match["symbol"].lower(), match["symbol"])
            try:
                power = Fraction(match["power"] or 1)
            except ZeroDivisionError:
                raise wrong from None
            found[symbol] = found.get(symbol, Fraction(0)) + sign * power
        return cls.of(found)

    @property
    def is_number(self) -> bool:
        """Whether it is a pure number."""
        return not self.exponents

    def __mul__(self, other: Unit) -> Unit:
        powers = dict(self.exponents)
        for symbol, power in other.exponents:
            powers[symbol] = powers.get(symbol, Fraction(0)) + power
        return Unit.of(powers)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, power: int | Fraction) -> Unit:
        return Unit.of({symbol: one * Fraction(power) for symbol, one in self.exponents})

    def text(self) -> str:
        """As ``eV·Å⁻²``; of a pure number nothing."""
        return "·".join(symbol + ("" if power == 1 else _raised(power)) for symbol, power in self.exponents)

    def latex(self) -> str:
        r"""As ``\mathrm{eV}\,\mathrm{Å}^{-2}``; of a pure number nothing."""
        return r"\,".join(rf"\mathrm{{{symbol}}}" + ("" if power == 1 else f"^{{{power}}}")
                          for symbol, power in self.exponents)


def _raised(power: Fraction) -> str:
    if power.denominator == 1:
        return str(power).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    return f"^({power})"
