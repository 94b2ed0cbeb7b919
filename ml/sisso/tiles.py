"""The highest rung, tile by tile: scores of all pairs of held features under an operator, and nothing that is kept.

For residuals, products and quotients need no value of the candidates: with A, B the operands' values and r a direction,
Σ ab, Σ (ab)² and Σ ab r are matrix products over rows. Sums and differences need one of centred values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.sisso.operators import Operator, operators_of
from ml.sisso.scores import UNRELIABLE, Residuals, Scorer, of_products
from ml.sisso.space import NAMES, Ints, Space

if TYPE_CHECKING:
    import torch

BYTES_OF_A_TILE = 64e6
LEAST_SIDE, MOST_SIDE = 32, 1024
CLOSED_FORMS = ("+", "-", "*", "/")
SMALLEST_DIVISOR = 1e-150


@dataclass(frozen=True)
class Tile:
    """Scores of candidates; ``left`` and ``right`` are places of held features.

    Attributes:
        operator: place in :data:`ml.sisso.space.NAMES`.
        left: (a,)
        right: (b,); of an operator with one operand one place, −1.
        scores: (a, b); −1 = no candidate.
    """

    operator: int
    left: Ints
    right: Ints
    scores: torch.Tensor


class Tiles:
    """The tiles of a space for one target."""

    def __init__(self, space: Space, scorer: Scorer, device: str = "cpu") -> None:
        import torch

        self.space, self.scorer = space, scorer
        self.device = torch.device(device)
        self.values = torch.from_numpy(space.values).to(self.device)
        self.newest = space.rung == space.held
        self.count = torch.from_numpy(space.n_operators).to(self.device)

    def all(self) -> Iterator[Tile]:
        """Every candidate that the highest rung adds, once."""
        for operator in operators_of(self.space.settings.operators):
            yield from self._unary(operator) if operator.arity == 1 else self._binary(operator)

    def _unary(self, operator: Operator) -> Iterator[Tile]:
        import torch

        space = self.space
        allowed = [operator.unit(unit) is not None for unit in space.units]
        places = np.flatnonzero(self.newest & np.array(allowed)[space.unit]
                                & (space.n_operators + 1 <= space.settings.operator_limit))
        for start in range(0, len(places), 4 * MOST_SIDE):
            part = places[start:start + 4 * MOST_SIDE]
            values = torch.from_numpy(_apply(operator, space.values[part])).to(self.device)
            scores = torch.nan_to_num(self.scorer.of_values(values), nan=0.0, posinf=0.0)
            yield Tile(NAMES.index(operator.name), part, np.array([-1]), scores[:, None])

    def _binary(self, operator: Operator) -> Iterator[Tile]:
        for left, right, same in self._groups(operator):
            scores_of = self._scores(operator)
            side = self._side(operator)
            for a in range(0, len(left), side):
                rows = left[a:a + side]
                for b in range(a if same and operator.commutes else 0, len(right), side):
                    columns = right[b:b + side]
                    if self.newest[rows].any() or self.newest[columns].any():
                        scores = scores_of(rows, columns)
                        yield Tile(NAMES.index(operator.name), rows, columns,
                                   self._masked(scores, rows, columns, operator))

    def _groups(self, operator: Operator) -> Iterator[tuple[Ints, Ints, bool]]:
        """Places left and right that the operator joins, and whether they are the same places."""
        space = self.space
        if operator.name in ("*", "/"):
            everything = np.arange(space.n, dtype=np.int64)
            yield everything, everything, True
            return
        for place, unit in enumerate(space.units):
            if operator.unit(unit, unit) is not None:
                of_unit = np.flatnonzero(space.unit == place)
                yield of_unit, of_unit, True

    def _masked(self, scores: torch.Tensor, rows: Ints, columns: Ints, operator: Operator) -> torch.Tensor:
        import torch

        one, other = (torch.from_numpy(places).to(self.device) for places in (rows, columns))
        newest = torch.from_numpy(self.newest).to(self.device)
        order = one[:, None] < other[None] if operator.commutes else one[:, None] != other[None]
        allowed = order & (newest[one][:, None] | newest[other][None]) & (
            self.count[one][:, None] + self.count[other][None] + 1 <= self.space.settings.operator_limit)
        return torch.where(allowed, torch.nan_to_num(scores, nan=0.0, posinf=0.0), -1.0)

    def _side(self, operator: Operator) -> int:
        n = 1 if self._closed(operator) else self.space.values.shape[1]
        return int(min(MOST_SIDE, max(LEAST_SIDE, (BYTES_OF_A_TILE / (8 * n)) ** 0.5)))

    def _closed(self, operator: Operator) -> bool:
        return isinstance(self.scorer, Residuals) and operator.name in CLOSED_FORMS

    def _scores(self, operator: Operator) -> Callable[[Ints, Ints], torch.Tensor]:
        if not self._closed(operator):
            return lambda rows, columns: self._of_values(operator, rows, columns)
        if operator.name in ("*", "/"):
            return lambda rows, columns: self._of_product(rows, columns, operator.name == "/")
        return lambda rows, columns: self._of_sum(rows, columns, -1.0 if operator.name == "-" else 1.0)

    def _of_values(self, operator: Operator, rows: Ints, columns: Ints) -> torch.Tensor:
        left, right = self.values[rows][:, None], self.values[columns][None]
        forms: dict[str, Callable[[Any, Any], torch.Tensor]] = {
            "+": lambda a, b: a + b, "-": lambda a, b: a - b, "|-|": lambda a, b: (a - b).abs_(),
            "*": lambda a, b: a * b, "/": lambda a, b: a / b,
        }
        return self.scorer.of_values(forms[operator.name](left, right))

    @cached_property
    def _inverses(self) -> torch.Tensor:
        """1 / values; NaN where a feature must not divide."""
        import torch

        small = self.values.abs().amin(1, keepdim=True) < SMALLEST_DIVISOR
        return torch.where(small, torch.nan, 1.0 / self.values)

    def _of_product(self, rows: Ints, columns: Ints, divides: bool) -> torch.Tensor:
        scorer = self.scorer
        assert isinstance(scorer, Residuals)
        left, right = self.values[rows], (self._inverses if divides else self.values)[columns]
        sums: list[tuple[torch.Tensor, torch.Tensor]] = []
        products: list[list[torch.Tensor]] = [[] for _ in scorer.directions]
        for task, members in enumerate(scorer.tasks):
            a, b = (left, right) if len(scorer.tasks) == 1 else (left[:, members], right[:, members])
            sums.append((a @ b.T, a.square() @ b.square().T))
            for residual, of_residual in enumerate(products):
                direction = a.new_tensor(scorer.directions[residual, task, members])
                of_residual.append((a * direction) @ b.T)
        return scorer.of_sums(sums, products)

    @cached_property
    def _centred(self) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """By task: values less their mean, their sums of squares, and their products with every direction."""
        scorer = self.scorer
        assert isinstance(scorer, Residuals)
        found = []
        for task, members in enumerate(scorer.tasks):
            part = self.values[:, members]
            part = part - part.mean(1, keepdim=True)
            directions = part.new_tensor(scorer.directions[:, task][:, members])
            found.append((part, part.square().sum(1), part @ directions.T))
        return found

    def _of_sum(self, rows: Ints, columns: Ints, sign: float) -> torch.Tensor:
        import torch

        scorer = self.scorer
        assert isinstance(scorer, Residuals)
        weights: list[torch.Tensor] = []
        products: list[list[torch.Tensor]] = [[] for _ in scorer.directions]
        for part, squares, with_direction in self._centred:
            apart = squares[rows][:, None] + squares[columns][None]
            variance = torch.addmm(apart, part[rows], part[columns].T, alpha=2 * sign)
            weights.append(torch.where(variance > UNRELIABLE * apart, 1.0 / variance, torch.zeros_like(variance)))
            for residual, of_residual in enumerate(products):
                of_residual.append(with_direction[rows, residual][:, None]
                                   + sign * with_direction[columns, residual][None])
        return of_products(products, weights)


def _apply(operator: Operator, values: Any) -> Any:
    with np.errstate(all="ignore"):
        return operator.apply(values)
