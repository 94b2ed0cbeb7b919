"""SISSO: screening, exhaustive search, screening on what is left, and so on from one dimension to the next."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso import classification, regression
from ml.sisso.counting import n_candidates
from ml.sisso.exhaustive import Combinations, best_combinations
from ml.sisso.expression import Feature, feature_of
from ml.sisso.formula import Formula
from ml.sisso.levels import build
from ml.sisso.problem import Problem
from ml.sisso.regression import Fit
from ml.sisso.scores import Classes, Residuals, Scorer
from ml.sisso.screen import check_size, screen
from ml.sisso.settings import SissoSettings
from ml.sisso.space import Space

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, int, int | None], None]
"""Is told what is done, how far, and of how much."""
RELATIVE_ZERO = 1e-10
"""An error below this share of the target's spread is rounding: the formula says it all."""
JUDGED_AGAIN, RUNNERS_UP = 20, 10
"""Combinations that are solved anew in full precision, and of these that are kept."""


@dataclass(frozen=True)
class Found:
    """What was found for one dimension.

    Attributes:
        formula: the best descriptor with its coefficients.
        fitted: what it says of every row (n,); of classes their place.
        n_candidates: features that were built and screened, per screening.
        n_screened: features that the exhaustive search saw.
        n_searched: combinations that it tried.
        n_overlap: rows in the overlap of classes; None = a regression, or not counted.
        runners_up: the errors of the next best descriptors.
    """

    formula: Formula
    fitted: Floats
    n_candidates: int
    n_screened: int
    n_searched: int
    n_overlap: int | None
    runners_up: tuple[float, ...]


def sisso(
    problem: Problem, settings: SissoSettings, folder: Path | None = None, progress: Progress | None = None
) -> tuple[Found, ...]:
    """The best formulas of one to ``settings.dimensions`` terms.

    A dimension that came to its end is kept in ``folder``: the same call goes on after it. Where a formula leaves
    nothing, there are no further dimensions.

    Args:
        problem: features, target and tasks.
        settings: what is searched.
        folder: where dimensions are kept; None = nowhere.
        progress: called now and then.

    Raises:
        InputError: the problem cannot be solved, or is too large.
    """
    problem.check(settings.dimensions)
    settings.check(len(problem.task_names))
    if progress:
        progress("building features", 0, None)
    space = build(problem.primaries, problem.columns, settings.space)
    check_size(n_candidates(space), space)
    state = _State.empty(problem)
    found: list[Found] = []
    for dimension in range(1, settings.dimensions + 1):
        state = (_kept(folder, dimension, problem)
                 or _next(space, problem, settings, state, dimension, progress))
        if folder is not None:
            _keep(folder, dimension, state)
        if not state.fits:
            break
        found.append(_found(problem, state))
        if _said_all(problem, state.fits[0]):
            break
    return tuple(found)


@dataclass(frozen=True)
class _State:
    """What one dimension leaves for the next.

    Attributes:
        features: all that were screened so far.
        values: theirs (s, n).
        n_candidates: features that were looked at.
        n_searched: combinations.
        fits: the best descriptors of this dimension, the best first.
    """

    features: tuple[Feature, ...]
    values: Floats
    n_candidates: int
    n_searched: int

    fits: tuple[Fit, ...]

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Of the features in the best descriptors."""
        return tuple(fit.places for fit in self.fits)

    @classmethod
    def empty(cls, problem: Problem) -> _State:
        return cls((), np.zeros((0, problem.n)), 0, 0, ())


def _fits(problem: Problem, values: Floats, found: Combinations, n_kept: int) -> tuple[Fit, ...]:
    """Descriptors, fitted in full precision, the best first."""
    if problem.is_regression:
        fits = regression.best_fits(values, problem.values, problem.tasks, found)
    else:
        fits = classification.best_fits(values, problem.values.astype(np.int64), len(problem.classes), found, n_kept)
    return tuple(fits[:n_kept])


def _next(
    space: Space, problem: Problem, settings: SissoSettings, state: _State, dimension: int, progress: Progress | None
) -> _State:
    """Screen on what the last dimension left, and search all combinations."""
    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(f"{what} {dimension}", done, total)

    features, values, seen = state.features, state.values, state.n_candidates
    try:
        screened = screen(space, _scorer(problem, state, settings), settings.per_dimension, already=state.values,
                          device=settings.device, progress=told("screening for dimension"))
        features, values = (*features, *screened.features), np.concatenate((values, screened.values))
        seen = screened.n_candidates
    except InputError:
        # A small space may be used up: its features are all among those searched.
        if not state.features:
            raise
    if len(features) < dimension:
        return _State(features, values, seen, 0, ())
    targets = problem.values[None] if problem.is_regression else classification.indicators(
        problem.values.astype(np.int64), len(problem.classes))
    searched = best_combinations(values, targets, problem.tasks, dimension, max(JUDGED_AGAIN, settings.residuals),
                                 told("searching dimension"))
    fits = _fits(problem, values, searched, max(settings.residuals, RUNNERS_UP))
    return _State(features, values, seen, searched.n_searched, fits)


def _scorer(problem: Problem, state: _State, settings: SissoSettings) -> Scorer:
    """What features of the next dimension are to go with: the target, then what the best descriptors leave."""
    if problem.is_regression:
        residuals = [problem.values - fit.fitted for fit in state.fits[:settings.residuals]]
        return Residuals.of(np.stack(residuals or [problem.values]), problem.tasks.tolist())
    labels = problem.values.astype(np.int64)
    if not state.fits:
        return Classes.of(labels.tolist())
    best = state.fits[0]
    inside = classification.overlap(state.values[list(best.places)].T, labels)
    rows = best.fitted != problem.values if inside is None else inside | (best.fitted != problem.values)
    if len(np.unique(labels[rows])) < 2:
        return Classes.of(labels.tolist())
    return Classes.of(labels.tolist(), rows)


def _found(problem: Problem, state: _State) -> Found:
    fits = state.fits
    best = fits[0]
    formula = Formula(problem.target, problem.unit, tuple(state.features[place] for place in best.places),
                      problem.task_names, best.coefficients, problem.task_column, problem.classes)
    overlapping = None if problem.is_regression or best.loss[0] < 0 else int(best.loss[0])
    return Found(formula, best.fitted, state.n_candidates, len(state.features), state.n_searched, overlapping,
                 tuple(fit.loss[0] for fit in fits[1:]))


def _said_all(problem: Problem, best: Fit) -> bool:
    if problem.is_regression:
        return best.loss[0] <= RELATIVE_ZERO * float(np.std(problem.values))
    return best.loss[0] == 0 and best.loss[1] == 0


def _file(folder: Path, dimension: int) -> Path:
    return folder / f"dimension-{dimension}.json"


def _keep(folder: Path, dimension: int, state: _State) -> None:
    """Write what a dimension found, beside the file and renamed over it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, dimension)
    plain = {"features": [feature.to_json() for feature in state.features], "places": state.places,
             "rest": [fit.loss[-1] for fit in state.fits], "n_candidates": state.n_candidates,
             "n_searched": state.n_searched}
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(plain, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _kept(folder: Path | None, dimension: int, problem: Problem) -> _State | None:
    """What an earlier call kept of a dimension; None where that is not there, or not whole."""
    if folder is None:
        return None
    try:
        plain: Mapping[str, Any] = json.loads(_file(folder, dimension).read_text(encoding="utf-8"))
        features = tuple(feature_of(one) for one in plain["features"])
        places = tuple(tuple(map(int, one)) for one in plain["places"])
        n_candidates, n_searched = int(plain["n_candidates"]), int(plain["n_searched"])
        rest = [float(one) for one in plain["rest"]]
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
    values = np.stack([feature.values(problem.columns) for feature in features]) if features else np.zeros(
        (0, problem.n))
    found = Combinations(np.array(places, dtype=np.int64), np.array(rest), n_searched)
    return _State(features, values, n_candidates, n_searched, _fits(problem, values, found, len(places)))


def errors_of(actual: Floats, fitted: Floats) -> tuple[float, float, float]:
    """Root mean square, mean absolute and largest absolute error."""
    off = np.abs(actual - fitted)
    return float(np.sqrt(np.mean(off**2))), float(np.mean(off)), float(np.max(off))


def seconds_since(began: float) -> float:
    """Of a clock that never goes back."""
    return time.monotonic() - began


def names_of(features: Sequence[Feature]) -> tuple[str, ...]:
    """The columns that features need, alphabetical."""
    return tuple(sorted({primary.name for feature in features for primary in feature.primaries}))
