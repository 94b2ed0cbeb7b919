"""Robust regression on compositions: a quantity per atom as a sum of one number per element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lake.crystal.formula import parse

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HUBER = 1.345
"""Residuals beyond this many standard deviations count linearly (95 % efficiency; Huber, Ann. Math. Stat. 1964)."""
SIGMA_PER_MAD = 1.4826
SMALLEST_SCALE = 1e-4
"""eV/atom; below this a residual is rounding, not scatter."""
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Compositions:
    """Atomic fractions of materials: ``fractions`` is (n materials × n elements), rows add up to 1."""

    elements: tuple[str, ...]
    fractions: csr_array[np.float64, tuple[int, int]]

    def counts(self, rows: Flags | None = None) -> NDArray[np.int64]:
        """In how many materials every element occurs."""
        chosen = self.fractions if rows is None else self.fractions[rows]
        return np.bincount(chosen.indices, minlength=len(self.elements))


def compositions(formulas: Sequence[str]) -> Compositions:
    """The fractions that formulas such as ``F2Mg`` state.

    Raises:
        ValueError: a text is no formula.
    """
    from scipy.sparse import csr_array

    parsed = {text: parse(text) for text in set(formulas)}
    bad = [text for text, counts in parsed.items() if counts is None]
    if bad:
        raise ValueError(f"{bad[0]!r} is no chemical formula")
    elements = tuple(sorted({element for counts in parsed.values() for element in counts or {}}))
    place = {element: column for column, element in enumerate(elements)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, text in enumerate(formulas):
        counts = parsed[text] or {}
        n_atoms = sum(counts.values())
        rows += [row] * len(counts)
        columns += [place[element] for element in counts]
        values += [count / n_atoms for count in counts.values()]
    matrix = csr_array((values, (rows, columns)), shape=(len(formulas), len(elements)), dtype=np.float64)
    return Compositions(elements, matrix)


def frequent(known: Compositions, at_least: int) -> Flags:
    """The materials all of whose elements occur in at least so many of the materials that remain.

    Setting a material aside makes its other elements rarer: repeated until nothing changes.
    """
    chosen = np.ones(known.fractions.shape[0], dtype=bool)
    while True:
        rare = known.counts(chosen) < at_least
        remaining = chosen & ~(known.fractions @ rare.astype(np.float64) > 0)
        if (remaining == chosen).all():
            return chosen
        chosen = remaining


@dataclass(frozen=True)
class ElementFit:
    """The fitted numbers, one per element (eV/atom); NaN errors where there are too few materials.

    ``separable`` is false for an element whose number the materials do not determine (it occurs only in a
    fixed proportion to others); predictions for such materials hold all the same.
    """

    deltas: Floats
    standard_errors: Floats
    separable: Flags
    scale: float


def fit(fractions: csr_array[np.float64, tuple[int, int]], values: Floats) -> ElementFit:
    """Huber's regression without intercept, by iteratively reweighted least squares.

    Args:
        fractions: (n × p) atomic fractions.
        values: n values, eV/atom.
    """
    # Matrices of a hundred elements: more BLAS threads than one wait for each other longer than they compute.
    with _blas().limit(limits=1, user_api="blas"):
        return _fit(fractions, values)


@cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _fit(fractions: csr_array[np.float64, tuple[int, int]], values: Floats) -> ElementFit:
    weights = np.ones(len(values))
    deltas = np.zeros(fractions.shape[1])
    scale = SMALLEST_SCALE
    for _ in range(200):
        before = deltas
        deltas = _solve(fractions, values, weights)
        sizes = np.abs(values - fractions @ deltas)
        scale = max(SIGMA_PER_MAD * float(np.median(sizes)), SMALLEST_SCALE) if len(sizes) else scale
        weights = np.minimum(1.0, HUBER * scale / np.maximum(sizes, 1e-300))
        if np.abs(deltas - before).max(initial=0.0) < 1e-9:
            break
    gram = _gram(fractions, np.ones(len(values)))
    null_space = np.eye(len(gram)) - np.linalg.pinv(gram, rcond=RANK_TOLERANCE, hermitian=True) @ gram
    separable = np.abs(np.diag(null_space)) < 1e-6
    return ElementFit(deltas, _errors(fractions, values, deltas, scale), separable, scale)


def _gram(fractions: csr_array[np.float64, tuple[int, int]], weights: Floats) -> Floats:
    from scipy.sparse import diags_array

    return np.asarray((fractions.T @ diags_array(weights) @ fractions).toarray())


def _solve(fractions: csr_array[np.float64, tuple[int, int]], values: Floats, weights: Floats) -> Floats:
    inverse = np.linalg.pinv(_gram(fractions, weights), rcond=RANK_TOLERANCE, hermitian=True)
    return np.asarray(inverse @ (fractions.T @ (weights * values)))


def _errors(
    fractions: csr_array[np.float64, tuple[int, int]], values: Floats, deltas: Floats, scale: float
) -> Floats:
    """Standard errors of an M-estimate, valid for unequal scatter (Huber's sandwich)."""
    n, p = fractions.shape
    if n <= p:
        return np.full(p, np.nan)
    residuals = values - fractions @ deltas
    inside = (np.abs(residuals) <= HUBER * scale).astype(np.float64)
    influence = np.clip(residuals, -HUBER * scale, HUBER * scale)
    bread = np.linalg.pinv(_gram(fractions, inside), rcond=RANK_TOLERANCE, hermitian=True)
    covariance = bread @ _gram(fractions, influence**2) @ bread * n / (n - p)
    return np.sqrt(np.maximum(np.diag(covariance), 0.0))


def cross_validated(
    fractions: csr_array[np.float64, tuple[int, int]], values: Floats, folds: int
) -> Floats | None:
    """The residual of every material from a fit to the other folds; None with fewer materials than folds."""
    n = len(values)
    if n < folds or folds < 2:
        return None
    part = np.random.default_rng(0).permutation(n) % folds
    residuals = np.empty(n)
    for fold in range(folds):
        held = part == fold
        deltas = fit(fractions[~held], values[~held]).deltas
        residuals[held] = values[held] - fractions[held] @ deltas
    return residuals
