"""One setting that a search varies, and the values that it may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lake.errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = bool | int | float | str | None
RANGE = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Parameter:
    """A setting by its path, with choices or a range.

    Attributes:
        path: as in ``model.channels`` or ``training.learning_rate``.
        choices: values to choose from; empty = a range.
        low: least value of a range.
        high: largest value.
        log: whether a range is drawn from by orders of magnitude.
        step: distance of the values of a range; None = any; of whole numbers 1.
    """

    path: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None

    @classmethod
    def of(cls, path: str, given: Any) -> Parameter:
        """The parameter that plain values describe: a list of choices, or ``{"low": …, "high": …, "log": true}``.

        Raises:
            InputError: they are neither, or nothing can be drawn from them.
        """
        if isinstance(given, list | tuple):
            return cls(path, _choices(path, given))
        if not isinstance(given, Mapping) or not {"low", "high"} <= set(given) <= set(RANGE):
            raise InputError(f"{path} of the space is {given!r:.80}: a list of choices is needed, or a range as in "
                             '{"low": 1e-4, "high": 1e-2, "log": true}, with a step if it has one.')
        return _range(path, given)

    @property
    def plain(self) -> list[Value] | dict[str, Any]:
        """What :meth:`of` takes."""
        if self.choices:
            return list(self.choices)
        found: dict[str, Any] = {"low": self.low, "high": self.high, "log": self.log}
        return found if self.step is None else found | {"step": self.step}

    @property
    def is_whole(self) -> bool:
        """Whether a range is one of whole numbers."""
        return type(self.low) is int and type(self.high) is int

    @property
    def n_values(self) -> float:
        """How many values there are; infinite for a range of any numbers."""
        if self.choices:
            return len(self.choices)
        step = self.step or (1 if self.is_whole else 0)
        return math.floor((self.high - self.low) / step + 1e-9) + 1 if step else math.inf

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that show whether all are possible: the choices, or both ends of a range."""
        return self.choices or (self.low, self.high)

    def distribution(self) -> BaseDistribution:
        """As Optuna draws from it."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.is_whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


def _choices(path: str, given: list[Any] | tuple[Any, ...]) -> tuple[Value, ...]:
    for value in given:
        plain = value is None or isinstance(value, bool | int | float | str)
        if not plain or (isinstance(value, float) and not math.isfinite(value)):
            raise InputError(f"{path} of the space cannot be {value!r:.60}: numbers, texts, true, false and null can "
                             "be chosen.")
    spelled = [(type(value), value) for value in given]
    if not given or len(set(spelled)) < len(spelled):
        raise InputError(f"{path} of the space has the choices {list(given)!r:.80}: at least one is needed, and each "
                         "once.")
    return tuple(given)


def _range(path: str, given: Mapping[str, Any]) -> Parameter:
    low, high, log, step = given["low"], given["high"], given.get("log", False), given.get("step")
    numbers = [low, high, *([] if step is None else [step])]
    if type(log) is not bool or any(type(value) not in (int, float) or not math.isfinite(value) for value in numbers):
        raise InputError(f"{path} of the space is {dict(given)!r:.80}: low, high and step are finite numbers, log is "
                         "true or false.")
    if type(low) is not int or type(high) is not int:
        low, high = float(low), float(high)
    whole = type(low) is int
    if low > high or (log and low <= 0) or (step is not None and (step <= 0 or log or (whole and step != int(step)))):
        raise InputError(f"{path} of the space is {dict(given)!r:.80}: low must not be above high; with log, low is "
                         "above 0 and there is no step; a step is above 0, and whole for whole numbers.")
    return Parameter(path, (), low, high, log, step)
