"""The operators that features are built with: what they do to values and to units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
UnitRule = Callable[..., Unit | None]


@dataclass(frozen=True)
class Operator:
    """An operator.

    Attributes:
        name: as it is asked for.
        arity: 1 or 2.
        apply: values (…, n) of the operands to values (…, n); what is not defined becomes NaN or infinite.
        unit: the result's unit from those of the operands; None = it must not be applied to them.
        commutes: whether its operands may change places, up to the sign of the result: both orders are one feature.
        symmetric: whether they may without a change of sign.
    """

    name: str
    arity: int
    apply: Callable[..., Any]
    unit: UnitRule
    commutes: bool = False
    symmetric: bool = False

    @property
    def any_units(self) -> bool:
        """Whether it joins operands of whatever units; otherwise only those of the same."""
        return self.name in ("*", "/")


def _same(left: Unit, right: Unit) -> Unit | None:
    return left if left == right else None


def _number(unit: Unit) -> Unit | None:
    return unit if unit.is_number else None


def _power(power: int | Fraction) -> UnitRule:
    return lambda unit: unit**power


OPERATORS: dict[str, Operator] = {one.name: one for one in (
    Operator("+", 2, np.add, _same, True, True),
    Operator("-", 2, np.subtract, _same, True),
    Operator("|-|", 2, lambda a, b: np.abs(a - b), _same, True, True),
    Operator("*", 2, np.multiply, lambda a, b: a * b, True, True),
    Operator("/", 2, np.divide, lambda a, b: a / b),
    Operator("exp", 1, np.exp, _number),
    Operator("exp-", 1, lambda a: np.exp(-a), _number),
    Operator("^-1", 1, np.reciprocal, _power(-1)),
    Operator("^2", 1, np.square, _power(2)),
    Operator("^3", 1, lambda a: a * a * a, _power(3)),
    Operator("^6", 1, lambda a: np.square(a * a * a), _power(6)),
    Operator("sqrt", 1, np.sqrt, _power(Fraction(1, 2))),
    Operator("cbrt", 1, np.cbrt, _power(Fraction(1, 3))),
    Operator("log", 1, np.log, _number),
    Operator("|x|", 1, np.abs, lambda unit: unit),
    Operator("sin", 1, np.sin, _number),
    Operator("cos", 1, np.cos, _number),
)}
DEFAULT = ("+", "-", "|-|", "*", "/", "exp", "exp-", "^-1", "^2", "^3", "sqrt", "cbrt", "log")


def operators_of(names: Sequence[str]) -> tuple[Operator, ...]:
    """The operators of some names, in the order in which they are known.

    Raises:
        InputError: there is none of a name, or none at all.
    """
    if unknown := [name for name in names if name not in OPERATORS]:
        raise InputError(f"There is no operator {unknown[0]!r:.40}. Operators: {'  '.join(OPERATORS)}")
    if not names:
        raise InputError(f"Without operators there are no features but the primary ones. Operators: "
                         f"{'  '.join(OPERATORS)}")
    return tuple(one for name, one in OPERATORS.items() if name in names)
