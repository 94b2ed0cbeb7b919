"""What features are screened by: how they go with residuals, or how far they tell classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNRELIABLE = 1e-11
"""A variance that is this share of the sum of squares is noise of rounding."""


class Scorer(Protocol):
    """Scores of features: larger is better, 0 is the least."""

    def exact(self, values: Floats) -> Floats:
        """Scores (m,) of features (m, n) that are defined everywhere."""

    def of_values(self, values: torch.Tensor) -> torch.Tensor:
        """Scores (...) of features (..., n); of what is not defined anything."""


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
            part = values[:, rows] - values[:, rows].mean(axis=1, keepdims=True)
            largest = np.abs(part).max(axis=1, keepdims=True)
            part = np.divide(part, largest, out=np.zeros_like(part), where=largest > 0)
            length = np.sqrt((part**2).sum(axis=1))
            products = np.abs(part @ self.directions[:, place, rows].T).T
            squares += np.divide(products, length, out=np.zeros_like(products), where=length > 0) ** 2
        found: Floats = np.sqrt(squares / len(self.tasks)).max(axis=0)
        return np.minimum(found, 1.0)

    def of_values(self, values: torch.Tensor) -> torch.Tensor:
        """See :class:`Scorer`."""
        sums = [(values[..., rows].sum(-1), values[..., rows].square().sum(-1)) for rows in self.tasks]
        products = [[values @ values.new_tensor(self.directions[k, t]) for t in range(len(self.tasks))]
                    for k in range(len(self.directions))]
        return self.of_sums(sums, products)

    def of_sums(
        self, sums: Sequence[tuple[torch.Tensor, torch.Tensor]], products: Sequence[Sequence[torch.Tensor]]
    ) -> torch.Tensor:
        """Scores from sums over rows.

        Args:
            sums: by task, of values and of their squares.
            products: by residual and task, of values times direction.
        """
        import torch

        variances = [(square - total.square() / len(rows), square)
                     for (total, square), rows in zip(sums, self.tasks, strict=True)]
        weights = [torch.where(v > UNRELIABLE * square, 1.0 / v, torch.zeros_like(v)) for v, square in variances]
        return of_products(products, weights)


def of_products(products: Sequence[Sequence[torch.Tensor]], weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Scores from products with directions, by residual and task, and inverse variances, by task."""
    import torch

    best: torch.Tensor | None = None
    for of_residual in products:
        score = sum((p.square() * w for p, w in zip(of_residual, weights, strict=True)),
                    start=torch.zeros_like(weights[0]))
        best = score if best is None else torch.maximum(best, score)
    assert best is not None
    return (best / len(weights)).sqrt_()


@dataclass(frozen=True)
class Classes:
    """How well a feature tells classes apart by itself: few rows in the overlap of their ranges, then a small overlap.

    The domain overlap of Ouyang et al. (2018) for one feature.

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
        """See :class:`Scorer`: 1 − (rows in an overlap + its share of the range) / (n + 1)."""
        import torch

        parts = [values[..., rows] for rows in self.members]
        low, high = ([f(part, -1) for part in parts] for f in (torch.amin, torch.amax))
        inside = torch.zeros_like(low[0])
        width = torch.zeros_like(low[0])
        span = torch.stack(high).amax(0) - torch.stack(low).amin(0)
        for a in range(len(parts)):
            for b in range(a + 1, len(parts)):
                start, stop = torch.maximum(low[a], low[b]), torch.minimum(high[a], high[b])
                for part in (parts[a], parts[b]):
                    inside += ((part >= start[..., None]) & (part <= stop[..., None])).sum(-1)
                width += (stop - start).clamp_min(0) / span.clamp_min(1e-300)
        share = (width / (len(parts) * (len(parts) - 1) / 2)).clamp(0, 0.999)
        return torch.nan_to_num(1 - (inside + share) / (self.n * (len(parts) - 1) + 1), nan=0.0).clamp_min_(0)
