"""Cross-validation of the whole procedure: screening and search are done anew without each fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.linear.folds import folds
from ml.sisso.problem import Problem
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import Progress, sisso

Floats = npt.NDArray[np.float64]


def out_of_fold(
    problem: Problem, settings: SissoSettings, folder: Path | None = None, progress: Progress | None = None
) -> Floats:
    """What formulas say of rows that they were not found on.

    Args:
        problem: features, target, tasks, groups.
        settings: with ``n_folds``.
        folder: where folds that came to their end are kept.
        progress: called now and then.

    Returns:
        By dimension and row (dimensions, n); NaN where a formula is not defined. Where a fold's formula of fewer terms
        left nothing, it stands for the higher dimensions too.

    Raises:
        InputError: fewer groups than folds, or a fold leaves too few rows.
    """
    fold = folds(problem.groups, settings.n_folds, settings.seed)
    said = np.full((settings.dimensions, problem.n), np.nan)
    alone = replace(settings, n_folds=0)
    for number in range(settings.n_folds):
        def told(what: str, done: int, total: int | None, number: int = number) -> None:
            if progress:
                progress(f"fold {number + 1} of {settings.n_folds}: {what}", done, total)

        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        found = sisso(problem.rows(inside), alone, None if folder is None else folder / f"fold-{number}", told)
        columns = {name: column[outside] for name, column in problem.columns.items()}
        for dimension in range(settings.dimensions):
            if found:
                formula = found[min(dimension, len(found) - 1)].formula
                said[dimension, outside] = formula.values(columns, problem.tasks[outside])
    return said
