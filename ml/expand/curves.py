"""Error against number of features: by set of features, pool and lattice, on the fit and under cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.expand.mapping import Mapped
from ml.expand.settings import COMPOSITION, ExpandSettings
from ml.linear.cross_validation import Judged, judged
from ml.linear.design import Design
from ml.linear.folds import folds
from ml.linear.monomials import Monomials, check_size, n_monomials

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TOGETHER = -1


@dataclass(frozen=True)
class Problem:
    """The rows that are learned from.

    Attributes:
        rows: their places among all rows (n,).
        target: values (n,).
        parent: lattice of each (n,).
        groups: what keeps rows in one fold (n,).
        correlations: by pool and lattice, of its rows (n of it, p).
    """

    rows: Ints
    target: Floats
    parent: Ints
    groups: tuple[str, ...]
    correlations: dict[str, dict[int, Floats]]

    @classmethod
    def of(
        cls, mapped: Mapped, rows: Ints, target: Floats, names: Sequence[str], settings: ExpandSettings
    ) -> Problem:
        """The problem of some of the mapped rows.

        Args:
            mapped: all rows.
            rows: places of those that are learned from; those on no lattice are left out.
            target: of all rows.
            names: of all rows, what they are grouped by.
            settings: what is asked.

        Raises:
            InputError: too few rows are on a lattice, they are in too few groups, all have one value, or features do
                not fit into memory.
        """
        rows = rows[mapped.parent[rows] >= 0]
        if len(rows) < 2 * settings.n_folds:
            raise InputError(f"{len(rows)} structures are on a parent lattice, and cross-validation in "
                             f"{settings.n_folds} folds needs {2 * settings.n_folds} at least.")
        values = target[rows]
        if np.ptp(values) == 0:
            raise InputError(f"All {len(rows):,} structures have the same value of the target: there is nothing to "
                             "expand.")
        parent = mapped.parent[rows]
        groups = tuple(f"{one}|{names[row]}" if settings.group == COMPOSITION else names[row]
                       for one, row in zip(parent, rows, strict=True))
        folds(groups, settings.n_folds, settings.seed)
        correlations = {
            pool: {int(one): np.array([found[row] for row in rows[parent == one]]) for one in np.unique(parent)}
            for pool, found in mapped.correlations.items()
        }
        for of_pool in correlations.values():
            for one in of_pool.values():
                check_size(len(one), [n_monomials(one.shape[1], degree) for degree in settings.degrees],
                           settings.memory_gb)
        return cls(rows, values, parent, groups, correlations)


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        pool: small or large.
        degree: of the monomials.
        parent: place of the lattice; −1 = all together.
        parents: lattices in it, in the order of the design's blocks.
        monomials: by lattice.
        n_candidates: features that were chosen from.
        n_rows: that it was made from.
        judged: the path with its errors.
    """

    pool: str
    degree: int
    parent: int
    parents: tuple[int, ...]
    monomials: tuple[Monomials, ...]
    n_candidates: int
    n_rows: int
    judged: Judged

    @property
    def feature_set(self) -> str:
        """standard, or nonlinear-<degree>."""
        return "standard" if self.degree == 1 else f"nonlinear-{self.degree}"

    def term(self, column: int) -> tuple[int, tuple[int, ...]]:
        """Lattice and factors of a column."""
        for parent, monomials in zip(self.parents, self.monomials, strict=True):
            if column < len(monomials):
                return parent, monomials.factors[column]
            column -= len(monomials)
        raise IndexError(column)


def curves(problem: Problem, settings: ExpandSettings) -> Iterator[Curve]:
    """All curves: of all lattices together, and of each by itself where there are several and it has rows enough."""
    of_fold = folds(problem.groups, settings.n_folds, settings.seed)
    parents = tuple(int(one) for one in np.unique(problem.parent))
    for pool, correlations in problem.correlations.items():
        for degree in settings.degrees:
            monomials = {one: Monomials.of(correlations[one].shape[1], degree) for one in parents}
            blocks = {one: (np.flatnonzero(problem.parent == one), monomials[one].values(correlations[one]))
                      for one in parents}
            yield _curve(pool, degree, TOGETHER, parents, blocks, monomials, problem.target, of_fold, settings)
            for one in parents if len(parents) > 1 else ():
                rows = blocks[one][0]
                present = np.unique(of_fold[rows])
                if len(present) < settings.n_folds or len(rows) < 2 * settings.n_folds \
                        or np.ptp(problem.target[rows]) == 0:
                    continue
                alone = {one: (np.arange(len(rows)), blocks[one][1])}
                yield _curve(pool, degree, one, (one,), alone, monomials, problem.target[rows], of_fold[rows], settings)


def _curve(
    pool: str, degree: int, parent: int, parents: tuple[int, ...], blocks: dict[int, tuple[Ints, Floats]],
    monomials: dict[int, Monomials], target: Floats, of_fold: Ints, settings: ExpandSettings,
) -> Curve:
    design = Design.of([blocks[one] for one in parents])
    used = tuple(monomials[one] for one in parents)
    found = judged(design, target, settings.most_features, settings.method, of_fold)
    return Curve(pool, degree, parent, parents, used, sum(len(one) for one in used), len(target), found)
