"""The space of features against one written down anew: own operators, own units, sets instead of tiles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ml.sisso.expression import Primary
from ml.sisso.levels import build
from ml.sisso.scores import Residuals
from ml.sisso.screen import screen
from ml.sisso.space import SpaceSettings
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
Known = tuple[Floats, tuple[Fraction, Fraction]]
"""Values, and powers of eV and Å."""
N = 20
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
POWERS: dict[str, tuple[Any, Fraction]] = {
    "^-1": (lambda v: 1 / v, Fraction(-1)), "^2": (lambda v: v * v, Fraction(2)), "^3": (lambda v: v**3, Fraction(3)),
    "^6": (lambda v: v**6, Fraction(6)), "sqrt": (lambda v: v**0.5, HALF),
    "cbrt": (lambda v: np.sign(v) * np.abs(v) ** (1 / 3), THIRD), "|x|": (lambda v: np.maximum(v, -v), Fraction(1)),
}
NUMBERS: dict[str, Any] = {
    "exp": lambda v: np.e**v, "exp-": lambda v: np.e ** (-v),
    "log": lambda v: np.log2(np.where(v > 0, v, np.nan)) * np.log(2), "sin": lambda v: np.imag(np.exp(1j * v)),
    "cos": lambda v: np.real(np.exp(1j * v)),
}


def next_rung(known: list[Known], operators: tuple[str, ...]) -> list[Known]:
    """All of a rung and what one more operator makes of it, or of two different ones of it."""
    found = list(known)
    for place, (values, unit) in enumerate(known):
        for name in operators:
            if name in POWERS:
                function, power = POWERS[name]
                found.append((function(values), (unit[0] * power, unit[1] * power)))
            elif name in NUMBERS and unit == (0, 0):
                found.append((NUMBERS[name](values), unit))
        for at, (other, of_other) in enumerate(known):
            if at == place:
                continue
            if "*" in operators:
                found.append((values * other, (unit[0] + of_other[0], unit[1] + of_other[1])))
            if "/" in operators:
                found.append((values / other, (unit[0] - of_other[0], unit[1] - of_other[1])))
            if unit == of_other:
                found += [(result, unit) for name, result in (("+", values + other), ("-", values - other),
                                                              ("|-|", np.sqrt((values - other) ** 2)))
                          if name in operators and place < at]
    return distinct(found)


def distinct(features: list[Known]) -> list[Known]:
    """Without those that are not defined, constant, too large, or there already."""
    found: dict[object, Known] = {}
    for values, unit in features:
        largest = np.abs(values).max()
        if not np.isfinite(values).all() or not 1e-8 <= largest <= 1e8 or np.ptp(values) <= 1e-10 * largest:
            continue
        found.setdefault((tuple(np.round(values / largest, 8) + 0.0), f"{largest:.8e}", unit), (values, unit))
    return list(found.values())


def lines(features: Floats) -> Floats:
    """One direction for all features that say the same to a linear model."""
    found: list[Floats] = []
    for values in features:
        one = (values - values.mean()) / np.abs(values).max()
        one /= np.linalg.norm(one)
        if not found or np.abs(np.array(found) @ one).max() < 1 - 1e-9:
            found.append(one)
    return np.array(found)


@pytest.mark.parametrize(("rung", "operators"), [
    (1, ("+", "-", "|-|", "*", "/", *POWERS, *NUMBERS)), (2, ("+", "-", "*", "/")), (2, ("|-|", "*", "sqrt", "exp")),
    (2, ("/", "^-1", "cbrt", "log", "sin")), (3, ("+", "sqrt")),
])
def test_all_features_are_there_and_no_others(rung: int, operators: tuple[str, ...]) -> None:
    random = np.random.default_rng(11)
    # No powers of ten as scales: rounding there would tell the same values apart.
    columns = {name: random.uniform(0.3, 0.9, N) for name in "abcd"}
    units = {"a": (Fraction(1), Fraction(0)), "b": (Fraction(1), Fraction(0)), "c": (Fraction(0), Fraction(1)),
             "d": (Fraction(0), Fraction(0))}
    known: list[Known] = [(columns[name], units[name]) for name in "abcd"]
    for _ in range(rung):
        known = next_rung(known, operators)
    expected = lines(np.array([values for values, _ in known]))
    primaries = [Primary(name, Unit.of({"eV": unit[0], "Å": unit[1]})) for name, unit in units.items()]
    found = screen(build(primaries, columns, SpaceSettings(rung=rung, operators=operators)),
                   Residuals.of(random.normal(size=N)), 20_000)
    mine = lines(found.values)
    assert len(mine) == len(expected)
    assert np.abs(expected @ mine.T).max(axis=1).min() > 1 - 1e-8
    allowed = {unit for _, unit in known}
    for feature in found.features:
        powers = dict(feature.unit.exponents)
        assert (powers.get("eV", Fraction(0)), powers.get("Å", Fraction(0))) in allowed
