"""Formulas of one to several terms under cross-validation by groups: found anew where each fold is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.complexity.counts import Counts
from ml.complexity.cross_validated import CrossValidated
from ml.complexity.formulas import formula_counts
from ml.sisso.formula import Formula
from ml.sisso.problem import Problem
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import sisso

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FoundFormula:
    """A formula of all rows, and what formulas found in the same way say of rows that they have not seen.

    Attributes:
        formula: found on all rows.
        validated: out-of-fold answers; its counts are those of ``formula``.
        n_undefined: rows of which the formula of their fold says nothing; the mean of its rows stands for it.
    """

    formula: Formula
    validated: CrossValidated
    n_undefined: int


def formulas_validated(
    problem: Problem, fold: Ints, settings: SissoSettings, progress: Callable[[str], None] = lambda _: None,
) -> list[FoundFormula]:
    """Formulas of one to several terms, screening and search repeated without each fold.

    Args:
        problem: a regression of one task.
        fold: of every row, from 0.
        settings: what is searched.
        progress: told what is done.

    Raises:
        InputError: the problem cannot be solved, or is too large.
    """
    targets, columns = problem.values, problem.columns
    whole = [found.formula for found in sisso(problem, settings)]
    predicted = np.zeros((len(whole), problem.n))
    undefined = np.zeros(len(whole), dtype=int)
    for left_out in range(int(fold.max()) + 1):
        progress(f"rung {settings.space.rung}, fold {left_out + 1} of {int(fold.max()) + 1}")
        test = fold == left_out
        found = [one.formula for one in sisso(problem.rows(np.flatnonzero(~test)), settings)]
        for place in range(len(whole)):
            # Where fewer terms said all of the other rows, there is no formula of more.
            said = values_of(found[min(place, len(found) - 1)], columns)[test]
            undefined[place] += int((~np.isfinite(said)).sum())
            predicted[place, test] = np.where(np.isfinite(said), said, targets[~test].mean())
    return [
        FoundFormula(one, CrossValidated(predicted[place], values_of(one, columns), counts_of_formula(one)),
                     int(undefined[place]))
        for place, one in enumerate(whole)
    ]


def values_of(formula: Formula, columns: Mapping[str, Floats]) -> Floats:
    """What a formula of one task says (n,); NaN where it is not defined."""
    n = len(next(iter(columns.values())))
    return formula.values(columns, np.zeros(n, dtype=np.int64))


def counts_of_formula(formula: Formula) -> Counts:
    """The counts of a formula, of one or several tasks."""
    features = formula.features
    return formula_counts(
        formula.dimension, rung=max((one.rung for one in features), default=0),
        n_operators=sum(one.n_operators for one in features),
        n_tasks=formula.coefficients.shape[0] * formula.coefficients.shape[1],
    )
