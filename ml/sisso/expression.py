"""Features as expressions over primary ones: values, unit, and JSON that is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.operators import OPERATORS
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
MOST_RUNGS = 6
"""Deeper ones than matlake makes are not read."""


@dataclass(frozen=True)
class Primary:
    """A column that features are built from.

    Attributes:
        name: of the column.
        unit: of its values.
        latex: how it is written in LaTeX; None = its name upright.
    """

    name: str
    unit: Unit = Unit()  # noqa: RUF009 - a unit cannot be changed
    latex: str | None = None

    rung = 0
    n_operators = 0

    def values(self, columns: Mapping[str, Floats]) -> Floats:
        """The column (n,).

        Raises:
            InputError: it is not there.
        """
        if self.name not in columns:
            raise InputError(f"The formula needs a column {self.name}, which is not there.")
        return np.asarray(columns[self.name], dtype=np.float64)

    @property
    def primaries(self) -> tuple[Primary, ...]:
        """Itself."""
        return (self,)

    @property
    def key(self) -> str:
        """Its name: what it is told apart by."""
        return self.name

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"name": self.name, "unit": self.unit.text() or "1", "latex": self.latex}


@dataclass(frozen=True)
class Expression:
    """An operator on features.

    Attributes:
        operator: one of :data:`ml.sisso.operators.OPERATORS`.
        operands: one or two features; those of a symmetric operator in the order of their keys.
    """

    operator: str
    operands: tuple[Expression | Primary, ...]

    @classmethod
    def of(cls, operator: str, *operands: Expression | Primary) -> Expression:
        """The canonical expression: a + b and b + a are the same."""
        if OPERATORS[operator].symmetric:
            operands = tuple(sorted(operands, key=lambda one: one.key))
        return cls(operator, operands)

    @cached_property
    def unit(self) -> Unit:
        """Of its values.

        Raises:
            InputError: the operator must not be applied to such units.
        """
        unit = OPERATORS[self.operator].unit(*(one.unit for one in self.operands))
        if unit is None:
            units = " and ".join(one.unit.text() or "a pure number" for one in self.operands)
            raise InputError(f"The operator {self.operator} cannot be applied to {units}.")
        return unit

    @cached_property
    def rung(self) -> int:
        """How deep operators are nested."""
        return 1 + max(one.rung for one in self.operands)

    @cached_property
    def n_operators(self) -> int:
        """How many there are."""
        return 1 + sum(one.n_operators for one in self.operands)

    @cached_property
    def primaries(self) -> tuple[Primary, ...]:
        """The columns that it needs, by name."""
        found = {primary.name: primary for one in self.operands for primary in one.primaries}
        return tuple(found[name] for name in sorted(found))

    @cached_property
    def key(self) -> str:
        """What it is told apart by: the expression in prefix notation."""
        return f"({self.operator} {' '.join(one.key for one in self.operands)})"

    def values(self, columns: Mapping[str, Floats]) -> Floats:
        """Values (n,) from columns (n,) by name; NaN or infinite where it is not defined.

        Raises:
            InputError: a column is missing.
        """
        operands = [one.values(columns) for one in self.operands]
        with np.errstate(all="ignore"):
            return np.asarray(OPERATORS[self.operator].apply(*operands), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"operator": self.operator, "operands": [one.to_json() for one in self.operands]}


Feature = Expression | Primary


def feature_of(given: Any, depth: int = 0) -> Feature:
    """The feature that plain values describe, such as those of ``to_json``; they may be from anywhere.

    Raises:
        InputError: they describe none.
    """
    wrong = InputError(f"{given!r:.120} describes no feature of a formula.")
    if not isinstance(given, Mapping) or depth > MOST_RUNGS:
        raise wrong
    if "operator" not in given:
        name, unit, latex = given.get("name"), given.get("unit"), given.get("latex")
        if not isinstance(name, str) or not isinstance(unit, str) or not isinstance(latex, str | None):
            raise wrong
        return Primary(name, Unit.parse(unit), latex)
    operator, operands = given["operator"], given.get("operands")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise wrong
    if not isinstance(operands, list) or len(operands) != OPERATORS[operator].arity:
        raise wrong
    found = Expression(operator, tuple(feature_of(one, depth + 1) for one in operands))
    _ = found.unit  # raises where the operator must not be applied
    return found
