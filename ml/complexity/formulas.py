"""Terms and coefficients of formulas and of cluster expansions: linear models on features that were selected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lake.errors import InputError
from ml.complexity.counts import Counts


def formula_counts(dimension: int, *, rung: int | None = None, n_operators: int | None = None,
                   n_tasks: int = 1) -> Counts:
    """Counts of a formula of SISSO.

    A: its intercept. L: a coefficient per term; of several tasks, each has an intercept and coefficients of its own.
    N: none; operators make features of columns without a number that was fitted, and are counted for themselves.

    Args:
        dimension: terms.
        rung: highest rung of them.
        n_operators: operators in all of them.
        n_tasks: tasks that share the terms.

    Raises:
        InputError: a count is below what it can be.
    """
    if dimension < 0 or n_tasks < 1:
        raise InputError(f"A formula of {dimension} terms for {n_tasks} tasks: from 0 terms and from 1 task.")
    return Counts(n_additive=n_tasks, n_linear=dimension * n_tasks, rung=rung, dimension=dimension,
                  n_operators=n_operators)


def expansion_counts(degrees: Sequence[int], *, n_constants: int = 1) -> Counts:
    """Counts of a cluster expansion.

    A: the constant term of every parent lattice. L: a coefficient per selected monomial of the correlations. N: none;
    a monomial is nonlinear in the correlations, and holds no number that was fitted.

    Args:
        degrees: degree of the monomial of every term, 1 = the correlation itself; the constant term is not among them.
        n_constants: parent lattices with a constant term of their own.

    Raises:
        InputError: a degree is below 1: a constant.
    """
    found = np.asarray(degrees, dtype=np.int64).reshape(-1)
    if len(found) and found.min() < 1:
        raise InputError(f"A term of degree {found.min()} is a constant: it belongs to the constants, not to the "
                         "terms.")
    numbers, counts = np.unique(found, return_counts=True)
    by_degree = {int(degree): int(n) for degree, n in zip(numbers, counts, strict=True)}
    return Counts(n_additive=n_constants, n_linear=len(found), terms_by_degree=by_degree)
