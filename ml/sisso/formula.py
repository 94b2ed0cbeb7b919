"""A formula: a few features with coefficients, the same features for all tasks; text, LaTeX, SQL, values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.expression import Feature, Primary, feature_of
from ml.sisso.operators import OPERATORS
from ml.sisso.units import Unit
from ml.sisso.writing import as_latex, as_sql, as_text, latex_name, quoted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ONE_TASK = "*"
MOST_TERMS = 16


@dataclass(frozen=True)
class Formula:
    """A formula that was fitted.

    Attributes:
        target: column that it says.
        unit: of the target; None = it has none (classes).
        features: the descriptor, d of them.
        tasks: names of the tasks; ``*`` alone = one for all.
        coefficients: intercept and one coefficient a feature, (n_tasks, 1, 1 + d); of classes one such row per class
            (n_tasks, n_classes, 1 + d): a row belongs to the class whose sum is the highest.
        task_column: column that tells tasks apart; None = one for all.
        classes: names; empty = a regression.
    """

    target: str
    unit: str | None
    features: tuple[Feature, ...]
    tasks: tuple[str, ...]
    coefficients: Floats
    task_column: str | None = None
    classes: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """Terms of the descriptor."""
        return len(self.features)

    def terms(self, columns: Mapping[str, Floats]) -> Floats:
        """Values of the features (d, n) from columns (n,) by name; NaN where not defined.

        Raises:
            InputError: a column is missing.
        """
        return np.stack([_strict(feature, columns) for feature in self.features])

    def values(self, columns: Mapping[str, Floats], tasks: Ints) -> Floats:
        """What it says (n,), NaN where it is not defined; of classes their place.

        Args:
            columns: primary features (n,) by name.
            tasks: place of every row's task (n,); −1 = another one, of which it says nothing.
        """
        scores = self.scores(columns, tasks)
        if not self.classes:
            only: Floats = scores[0]
            return only
        undefined = np.isnan(scores).any(axis=0)
        return np.where(undefined, np.nan, np.argmax(np.where(undefined, 0.0, scores), axis=0))

    def scores(self, columns: Mapping[str, Floats], tasks: Ints) -> Floats:
        """Sums (n_classes, n) of intercept and terms; of a regression one row."""
        terms = self.terms(columns)
        found = np.full((self.coefficients.shape[1], terms.shape[1]), np.nan)
        for task, rows in enumerate(self.coefficients):
            here = tasks == task
            found[:, here] = rows[:, :1] + rows[:, 1:] @ terms[:, here]
        return found

    def text(self, task: int = 0) -> str:
        """For a person: ``band_gap_ev = 1.2 − 0.31·(a/b)``; of classes a line each."""
        names = [as_text(feature) for feature in self.features]
        return "\n".join(f"{head} = {_sum(row, [_wrapped(name) for name in names], '·', '−')}"
                         for head, row in zip(self._heads(), self.coefficients[task], strict=True))

    def latex(self, task: int = 0) -> str:
        """In LaTeX, without delimiters."""
        names = [r"\left(" + as_latex(f) + r"\right)" if f.rung else as_latex(f) for f in self.features]
        lines = []
        for head, row in zip(self._heads(), self.coefficients[task], strict=True):
            left = latex_name(self.target) if not self.classes else rf"g_{{{latex_name(head)}}}"
            lines.append(f"{left} = {_sum(row, names, chr(92) + ', ', '-', latex=True)}")
        return r" \\ ".join(lines)

    def sql(self, task: int | None = None, columns: Mapping[str, str] | None = None) -> str:
        """As an expression of DuckDB's SQL over columns; null where it is not defined.

        Args:
            task: of one task; None = of all, told apart by ``task_column``.
            columns: primary feature → expression that gives it; others are columns of that name.
        """
        features = [as_sql(feature, columns) for feature in self.features]
        if task is not None or self.task_column is None:
            return self._sql(features, task or 0)
        whens = " ".join(f"when {_literal(name)} then {self._sql(features, n)}" for n, name in enumerate(self.tasks))
        return f"case {quoted(self.task_column)}::varchar {whens} end"

    def _sql(self, features: Sequence[str], task: int) -> str:
        sums = ["(" + " + ".join([_number(row[0]), *(f"{_number(c)} * {feature}" for c, feature in
                                                   zip(row[1:], features, strict=True))]) + ")"
                for row in self.coefficients[task]]
        if not self.classes:
            return sums[0]
        listed = ", ".join(sums)
        names = ", ".join(_literal(name) for name in self.classes)
        # All sums hold all terms: where one term is not defined, all sums are null, and list_position would find it.
        return f"case when {sums[0]} is not null then [{names}][list_position([{listed}], list_max([{listed}]))] end"

    def _heads(self) -> tuple[str, ...]:
        return self.classes or (self.target,)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"target": self.target, "unit": self.unit, "features": [one.to_json() for one in self.features],
                "tasks": list(self.tasks), "coefficients": self.coefficients.tolist(),
                "task_column": self.task_column, "classes": list(self.classes)}

    @classmethod
    def of(cls, given: Any) -> Formula:
        """The formula that plain values describe, such as those of :meth:`to_json`; they may be from anywhere.

        Raises:
            InputError: they describe none.
        """
        try:
            features = tuple(feature_of(one) for one in given["features"])
            tasks, classes = tuple(map(str, given["tasks"])), tuple(map(str, given["classes"]))
            coefficients = np.array(given["coefficients"], dtype=np.float64)
            unit, column, target = given["unit"], given["task_column"], str(given["target"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"This describes no formula: {error!r:.200}") from None
        shape = (len(tasks), max(len(classes), 1), 1 + len(features))
        if coefficients.shape != shape or not np.isfinite(coefficients).all() or not 0 < len(features) <= MOST_TERMS:
            raise InputError(f"This describes no formula: its coefficients are {coefficients.shape}, and finite "
                             f"numbers {shape} are needed.")
        if not isinstance(unit, str | None) or not isinstance(column, str | None) or (len(tasks) > 1 and not column):
            raise InputError("This describes no formula: unit or task_column are of the wrong form.")
        return cls(target, unit, features, tasks, coefficients, column, classes)

    def coefficients_json(self, task: int = 0) -> str:
        """Intercept and coefficients of a task, or its boundaries, with their units, as JSON."""
        rows = self.coefficients[task]
        if self.classes:
            return json.dumps({"classes": {name: {"intercept": row[0], "coefficients": row[1:].tolist()}
                                           for name, row in zip(self.classes, rows, strict=True)}}, sort_keys=True)
        units = [(Unit.parse(self.unit or "1") / feature.unit).text() or "1" for feature in self.features]
        return json.dumps({"intercept": rows[0, 0], "coefficients": rows[0, 1:].tolist(), "units": units},
                          sort_keys=True, ensure_ascii=False)


def _strict(feature: Feature, columns: Mapping[str, Floats]) -> Floats:
    """Values (n,), NaN where a part of it is no finite number: 1/(1/0) is not 0, in SQL neither."""
    if isinstance(feature, Primary):
        found = feature.values(columns)
    else:
        with np.errstate(all="ignore"):
            found = OPERATORS[feature.operator].apply(*(_strict(one, columns) for one in feature.operands))
    return np.where(np.isfinite(found), found, np.nan)


def _wrapped(text: str) -> str:
    return f"({text})" if any(sign in text for sign in (" ", "/", "·")) else text


def _sum(row: Floats, names: Sequence[str], times: str, minus: str, latex: bool = False) -> str:
    parts = [_rounded(row[0], minus, latex)]
    for value, name in zip(row[1:], names, strict=True):
        parts.append(f"{minus if value < 0 else '+'} {_rounded(abs(value), minus, latex)}{times}{name}")
    return " ".join(parts)


def _rounded(value: float, minus: str, latex: bool) -> str:
    text = f"{value:.5g}"
    mantissa, exponent, power = text.partition("e")
    if exponent:
        text = rf"{mantissa} \times 10^{{{int(power)}}}" if latex else text
    return text.replace("-", minus) if not latex else text


def _number(value: float) -> str:
    """All digits: SQL must say what was fitted."""
    if not math.isfinite(value):
        raise InputError("A coefficient of the formula is no finite number.")
    return f"({float(value)!r})::double"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
