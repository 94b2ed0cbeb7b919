"""The space of features: everything below the highest rung is held, what the highest rung adds is only described."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.expression import Expression, Feature, Primary
from ml.sisso.operators import DEFAULT, OPERATORS, Operator, operators_of
from ml.sisso.units import Unit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HIGHEST_RUNG = 3
CONSTANT = 1e-10
"""A feature whose spread is this share of its largest value is a constant."""
DIGITS = 9
"""Features that agree to so many digits, of their largest value, are the same."""
NAMES = tuple(OPERATORS)


@dataclass(frozen=True)
class SpaceSettings:
    """What features are built.

    Attributes:
        rung: how deep operators are nested, 0 to 3.
        operators: by name; see :data:`ml.sisso.operators.OPERATORS`.
        max_operators: operators in a feature at most; None = as many as the rung allows.
        smallest: a feature whose largest absolute value is below is left out.
        largest: a feature with an absolute value above is left out.
        memory_gb: for the features that are held and for screening.
        most_candidates: more are refused before any of them is built.
        most_minutes: for one screening, as a few tiles let expect it; None = as long as it takes.
    """

    rung: int = 2
    operators: tuple[str, ...] = DEFAULT
    max_operators: int | None = None
    smallest: float = 1e-8
    largest: float = 1e8
    memory_gb: float = 2.0
    most_candidates: float = 2e10
    most_minutes: float | None = None

    def __post_init__(self) -> None:
        operators_of(self.operators)
        if type(self.rung) is not int or not 0 <= self.rung <= HIGHEST_RUNG:
            raise InputError(f"A rung of {self.rung!r:.40}: a whole number from 0 to {HIGHEST_RUNG} is needed.")
        if self.max_operators is not None and (type(self.max_operators) is not int or self.max_operators < 1):
            raise InputError(f"max_operators is {self.max_operators!r:.40}; a whole number from 1 is needed.")
        if not 0 <= self.smallest < self.largest:
            raise InputError(f"Features between {self.smallest!r:.40} and {self.largest!r:.40}: two numbers from 0 "
                             "are needed, the smaller one first.")
        for name in ("memory_gb", "most_candidates", "most_minutes"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)!r:.40}; a number above 0 is needed.")

    @property
    def operator_limit(self) -> int:
        """Operators in a feature at most."""
        return self.max_operators if self.max_operators is not None else 2**self.rung - 1


@dataclass(frozen=True)
class Space:
    """Features below the highest rung.

    Attributes:
        primaries: what they are built from.
        settings: how.
        held: how many of the rungs are held: all but the highest.
        values: of all features (n_features, n).
        operator: place in :data:`NAMES` (n_features,); −1 = primary.
        left: place of the first operand; of a primary its own number.
        right: place of the second operand; −1 = none.
        n_operators: in each (n_features,).
        rung: of each.
        unit: place of its unit in ``units``.
        units: all units.
        n_dropped: built and left out: constant, out of bounds, not defined, or the same as another one.
    """

    primaries: tuple[Primary, ...]
    settings: SpaceSettings
    held: int
    values: Floats
    operator: Ints
    left: Ints
    right: Ints
    n_operators: Ints
    rung: Ints
    unit: Ints
    units: tuple[Unit, ...]
    n_dropped: int

    @property
    def n(self) -> int:
        """Features that are held."""
        return len(self.values)

    def feature(self, place: int) -> Feature:
        """A held feature as an expression."""
        if self.operator[place] < 0:
            return self.primaries[int(self.left[place])]
        return self.candidate(int(self.operator[place]), int(self.left[place]), int(self.right[place]))

    def candidate(self, operator: int, left: int, right: int) -> Feature:
        """What an operator makes of held features; operator −1 is the feature at ``left`` itself."""
        if operator < 0:
            return self.feature(left)
        operands = (left,) if right < 0 else (left, right)
        return Expression.of(NAMES[operator], *(self.feature(one) for one in operands))

    def candidate_values(self, operator: Ints, left: Ints, right: Ints) -> Floats:
        """Values (m, n) of candidates; NaN or infinite where they are not defined."""
        found = np.empty((len(operator), self.values.shape[1]))
        for one in np.unique(operator):
            at = np.flatnonzero(operator == one)
            found[at] = self.values[left[at]] if one < 0 else applied(
                OPERATORS[NAMES[one]], self.values[left[at]], self.values[right[at]])
        return found

    @property
    def streams(self) -> bool:
        """Whether there is a rung above those held."""
        return self.settings.rung > self.held


def applied(operator: Operator, left: Floats, right: Floats) -> Floats:
    """An operator on values, without a word where it is not defined."""
    with np.errstate(all="ignore"):
        return np.asarray(operator.apply(left) if operator.arity == 1 else operator.apply(left, right))


def usable(values: Floats, settings: SpaceSettings) -> npt.NDArray[np.bool_]:
    """Which features (m, n) are defined everywhere, within bounds and not constant (m,)."""
    with np.errstate(all="ignore"):
        largest = np.abs(values).max(axis=1)
        spread = values.max(axis=1) - values.min(axis=1)
        return np.asarray((largest <= settings.largest) & (largest >= settings.smallest)
                          & (spread > CONSTANT * largest))
