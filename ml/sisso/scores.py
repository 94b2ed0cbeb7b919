"""What features are screened by: how they go with residuals, or how far they tell classes apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.sisso.space import CONSTANT

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Sums: TypeAlias = "tuple[torch.Tensor, torch.Tensor, Iterable[torch.Tensor]]"
UNRELIABLE = 1e-7
"""A variance below this share of the sum of squares that it is the rest of may be mostly rounding."""


class Scorer(Protocol):
    """Scores of features: larger is better, 0 is the least.

    All but ``exact`` give bounds from above, which are the scores themselves but for features that are nearly
    constant, where rounding would decide.
    """

    def exact(self, values: Floats) -> Floats:
        """Scores (m,) of features (m, n) that are defined everywhere."""

    def of_values(self, values: torch.Tensor) -> torch.Tensor:
        """Bounds (...) of features (..., n); of what is not defined anything."""

    def of_pairs(self, operator: str, left: Floats, right: Floats, scores: Floats) -> None:
        """Write bounds (a, b) of an operator on all pairs of features (a, n) and (b, n), in compiled code.

        The rows are in the order of ``rows``; the operator gives finite values.
        """

    @property
    def rows(self) -> Ints:
        """The rows that count, in the order in which ``of_pairs`` takes them."""


@dataclass(frozen=True)
class Residuals:
    """Absolute Pearson correlation with residuals: root mean square over tasks, the largest over residuals.

    Attributes:
        directions: by residual and task, centred over the task's rows and of length 1 (k, n_tasks, n); 0 elsewhere.
        tasks: rows of every task.
    """

    directions: Floats
    tasks: tuple[Ints, ...]

    @classmethod
    def of(cls, residuals: Floats, tasks: Sequence[object] | None = None) -> Residuals:
        """The target of residuals (k, n) or (n,).

        Args:
            residuals: what is left to be said.
            tasks: the task of every row (n,); None = one for all.

        Raises:
            InputError: a residual is no finite number, or nothing is left in any task.
        """
        values = np.atleast_2d(np.asarray(residuals, dtype=np.float64))
        if not np.isfinite(values).all():
            raise InputError("Residuals to screen by hold values that are no finite numbers.")
        names = np.zeros(values.shape[1], dtype=np.int64) if tasks is None else np.unique(
            np.array([str(one) for one in tasks]), return_inverse=True)[1].ravel()
        rows = tuple(np.flatnonzero(names == one) for one in range(int(names.max()) + 1))
        found = np.zeros((len(values), len(rows), values.shape[1]))
        for place, of_task in enumerate(rows):
            part = values[:, of_task] - values[:, of_task].mean(axis=1, keepdims=True)
            length = np.sqrt((part**2).sum(axis=1, keepdims=True))
            found[:, place, of_task] = np.divide(part, length, out=np.zeros_like(part), where=length > 0)
        if not found.any():
            raise InputError("Nothing is left to be said: the residuals are all the same.")
        return cls(found, rows)

    def exact(self, values: Floats) -> Floats:
        """See :class:`Scorer`; features are centred before anything else."""
        squares = np.zeros((len(self.directions), len(values)))
        for place, rows in enumerate(self.tasks):
            part = centred(values[:, rows])
            length = np.sqrt((part**2).sum(axis=1))
            for residual, direction in enumerate(self.directions[:, place, rows]):
                # A sum over each row by itself: a product of matrices would round by how many rows there are.
                product = (part * direction).sum(axis=1)
                squares[residual] += np.divide(product, length, out=np.zeros_like(product), where=length > 0) ** 2
        found: Floats = np.sqrt(squares / len(self.tasks)).max(axis=0)
        return np.minimum(found, 1.0)

    def of_values(self, values: torch.Tensor) -> torch.Tensor:
        """See :class:`Scorer`."""
        import torch

        def sums() -> Iterable[Sums]:
            for task, rows in enumerate(self.tasks):
                part = values[..., rows]
                square = part.square().sum(-1)
                spread, largest = part.amax(-1) - part.amin(-1), part.abs().amax(-1)
                square = torch.where(spread > CONSTANT * largest, square, 0.0)
                yield (square - part.sum(-1).square() / len(rows), square,
                       (part @ part.new_tensor(direction) for direction in self.directions[:, task, rows]))

        return self.of_sums(sums())

    def of_sums(self, sums: Iterable[Sums]) -> torch.Tensor:
        """Bounds from sums over rows, task after task.

        Args:
            sums: by task the variance times the number of rows, the sum of squares that it is the rest of
                (0 = the feature is constant within the task), and products with the direction of every residual.
        """
        import torch

        best: list[torch.Tensor] = []
        for variance, square, products in sums:
            known = (variance > UNRELIABLE * square) & (square > 0)
            weight = torch.where(known, 1.0 / variance, torch.zeros_like(variance))
            # What may be rounding may be anything; what is not defined, or 0, nothing.
            unknown = (~known & (square > 0)).to(variance.dtype)
            for residual, product in enumerate(products):
                score = product.square().mul_(weight).add_(unknown)
                if residual == len(best):
                    best.append(score)
                else:
                    best[residual] += score
        highest = best[0]
        for other in best[1:]:
            highest = torch.maximum(highest, other)
        return (highest / len(self.tasks)).sqrt_()

    def of_pairs(self, operator: str, left: Floats, right: Floats, scores: Floats) -> None:
        """See :class:`Scorer`."""
        from ml.sisso.compiled import CODES, by_residuals

        by_residuals(CODES[operator], left, right, self._in_order, _ends(self.tasks), UNRELIABLE, CONSTANT,
                     scores)

    @property
    def n_residuals(self) -> int:
        """How many there are."""
        return len(self.directions)

    @cached_property
    def rows(self) -> Ints:
        """See :class:`Scorer`."""
        return np.concatenate(self.tasks)

    @cached_property
    def _in_order(self) -> Floats:
        """Directions (k, n); every row is in one task only."""
        return np.ascontiguousarray(self.directions.sum(axis=1)[:, self.rows])


def centred(values: Floats) -> Floats:
    """Features (m, n) less their mean, the largest of them 1; 0 where they are constant."""
    part = values - values.mean(axis=1, keepdims=True)
    largest = np.abs(part).max(axis=1, keepdims=True)
    differs = largest > CONSTANT * np.abs(values).max(axis=1, keepdims=True)
    found: Floats = np.divide(part, largest, out=np.zeros_like(part), where=differs)
    return found


def _ends(parts: Sequence[Ints]) -> Ints:
    return np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)


@dataclass(frozen=True)
class Classes:
    """How well a feature tells classes apart by itself: the domain overlap of Ouyang et al. (2018) for one feature.

    Few rows in the overlap of the classes' ranges are best, then a small overlap, then a wide gap.

    Attributes:
        members: rows of every class.
        n: rows of all classes.
    """

    members: tuple[Ints, ...]
    n: int

    @classmethod
    def of(cls, labels: Sequence[object], rows: npt.NDArray[np.bool_] | None = None) -> Classes:
        """The target of labels (n,).

        Args:
            labels: the class of every row.
            rows: rows that count (n,); None = all.

        Raises:
            InputError: there are fewer than two classes.
        """
        names, of_row = np.unique(np.array([str(one) for one in labels]), return_inverse=True)
        used = np.ones(len(of_row), dtype=bool) if rows is None else rows
        members = tuple(np.flatnonzero((of_row.ravel() == one) & used) for one in range(len(names)))
        members = tuple(one for one in members if len(one))
        if len(members) < 2:
            raise InputError("Telling classes apart needs two of them at least.")
        return cls(members, int(used.sum()))

    def exact(self, values: Floats) -> Floats:
        """See :class:`Scorer`."""
        import torch

        return np.asarray(self.of_values(torch.from_numpy(np.ascontiguousarray(values))).numpy(), dtype=np.float64)

    def of_values(self, values: torch.Tensor) -> torch.Tensor:
        """See :class:`Scorer`: 1 − (rows in an overlap + its share of the range) / (n (classes − 1) + 1).

        Where no two classes overlap, the smallest gap between two of them counts as a negative share.
        """
        import torch

        parts = [values[..., rows] for rows in self.members]
        low, high = ([f(part, -1) for part in parts] for f in (torch.amin, torch.amax))
        inside, shared = torch.zeros_like(low[0]), torch.zeros_like(low[0])
        closest = torch.full_like(low[0], -torch.inf)
        span = torch.stack(high).amax(0) - torch.stack(low).amin(0)
        for a in range(len(parts)):
            for b in range(a + 1, len(parts)):
                start, stop = torch.maximum(low[a], low[b]), torch.minimum(high[a], high[b])
                for part in (parts[a], parts[b]):
                    inside += ((part >= start[..., None]) & (part <= stop[..., None])).sum(-1)
                shared += (stop - start).clamp_min(0)
                closest = torch.maximum(closest, stop - start)
        n_pairs = len(parts) * (len(parts) - 1) / 2
        share = (torch.where(closest >= 0, shared / n_pairs, closest) / span).clamp_max(0.999)
        return torch.nan_to_num(1 - (inside + share) / (self.n * (len(parts) - 1) + 1), nan=0.0).clamp_min_(0)

    def of_pairs(self, operator: str, left: Floats, right: Floats, scores: Floats) -> None:
        """See :class:`Scorer`."""
        from ml.sisso.compiled import CODES, by_classes

        by_classes(CODES[operator], left, right, _ends(self.members), scores)

    @cached_property
    def rows(self) -> Ints:
        """See :class:`Scorer`."""
        return np.concatenate(self.members)
