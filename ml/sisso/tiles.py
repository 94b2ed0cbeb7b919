"""The highest rung, tile by tile: scores of all pairs of held features under an operator, and nothing that is kept.

For residuals, products and quotients need no value of the candidates: with A, B the operands' values and r a direction,
Σ ab, Σ (ab)² and Σ ab r are matrix products over rows. Sums and differences need one of centred values. All else is
made value by value: in compiled code on a CPU, tile by tile on a GPU.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ml.sisso.operators import Operator, operators_of
from ml.sisso.scores import Residuals, Scorer, Sums
from ml.sisso.space import CONSTANT, NAMES, Floats, Ints, Space, applied

if TYPE_CHECKING:
    import torch

GIGABYTE = 1e9
LEAST_SIDE, MOST_SIDE, MOST_SIDE_ON_GPU = 32, 512, 8192
SAMPLED_SIDE = 128
AT_ONCE = 4_096
"""Candidates of an operator with one operand."""
CLOSED_FORMS = ("+", "-", "*", "/")
SMALLEST_DIVISOR = 1e-150
FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "|-|": lambda a, b: (a - b).abs_(),
    "*": lambda a, b: a * b, "/": lambda a, b: a / b,
}


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

        from ml.training.device import device_of

        self.space, self.scorer = space, scorer
        self.device = device_of(device)
        self.threads = max(torch.get_num_threads(), 1)
        self.values = torch.from_numpy(space.values).to(self.device)
        self.newest = space.rung == space.held
        self.is_newest = torch.from_numpy(self.newest).to(self.device)
        self.count = torch.from_numpy(space.n_operators).to(self.device)

    def all(self) -> Iterator[Tile]:
        """Every candidate that the highest rung adds, once; always in the same order."""
        if self.device.type != "cpu" or self.threads == 1:
            yield from (job() for job in self._jobs())
            return
        # Whole tiles side by side: threads that meet after every operation wait for each other on a busy machine.
        with _one_thread_each() as started, ThreadPoolExecutor(self.threads, initializer=started) as pool:
            waiting: deque[Future[Tile]] = deque()
            for job in self._jobs():
                waiting.append(pool.submit(job))
                if len(waiting) > self.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def seconds_of_a_candidate(self) -> Iterator[tuple[Operator, float]]:
        """How long one thread, or the GPU, takes for a candidate, by operator: that of a small tile."""
        with _one_thread_each():
            for operator in operators_of(self.space.settings.operators):
                jobs = self._unary(operator) if operator.arity == 1 else self._binary(operator, SAMPLED_SIDE)
                for job in islice(jobs, 1):
                    job()  # What is made but once, such as compiled code, is not to count.
                    began = time.perf_counter()
                    n = int((job().scores >= 0).sum())
                    yield operator, (time.perf_counter() - began) / max(n, 1)

    def _jobs(self) -> Iterator[Callable[[], Tile]]:
        for operator in operators_of(self.space.settings.operators):
            yield from self._unary(operator) if operator.arity == 1 else self._binary(operator)

    def _unary(self, operator: Operator) -> Iterator[Callable[[], Tile]]:
        space = self.space
        allowed = [operator.unit(unit) is not None for unit in space.units]
        places = np.flatnonzero(self.newest & np.array(allowed)[space.unit]
                                & (space.n_operators + 1 <= space.settings.operator_limit))
        for start in range(0, len(places), AT_ONCE):
            yield partial(self._unary_tile, operator, places[start:start + AT_ONCE])

    def _unary_tile(self, operator: Operator, places: Ints) -> Tile:
        import torch

        values = torch.from_numpy(applied(operator, self.space.values[places], self.space.values[:0])).to(self.device)
        scores = torch.nan_to_num(self.scorer.of_values(values), nan=0.0, posinf=0.0)
        return Tile(NAMES.index(operator.name), places, np.array([-1]), scores[:, None])

    def _binary(self, operator: Operator, most: int = MOST_SIDE_ON_GPU) -> Iterator[Callable[[], Tile]]:
        side, scores_of = min(self._side(operator), most), self._scores(operator)
        for left, right, same in self._groups(operator):
            for a in range(0, len(left), side):
                rows = left[a:a + side]
                for b in range(a if same and operator.commutes else 0, len(right), side):
                    columns = right[b:b + side]
                    if self._has_candidates(rows, columns):
                        yield partial(self._binary_tile, operator, scores_of, rows, columns)

    def _has_candidates(self, rows: Ints, columns: Ints) -> bool:
        """Whether any pair of a tile has a new feature and not too many operators: most tiles of a high rung do not."""
        count = self.space.n_operators
        return bool((self.newest[rows].any() or self.newest[columns].any())
                    and count[rows].min() + count[columns].min() + 1 <= self.space.settings.operator_limit)

    def _binary_tile(
        self, operator: Operator, scores_of: Callable[[Ints, Ints], torch.Tensor], rows: Ints, columns: Ints
    ) -> Tile:
        return Tile(NAMES.index(operator.name), rows, columns,
                    self._masked(scores_of(rows, columns), rows, columns, operator))

    def _groups(self, operator: Operator) -> Iterator[tuple[Ints, Ints, bool]]:
        """Places left and right that the operator joins, and whether they are the same places."""
        space = self.space
        if operator.any_units:
            everything = np.arange(space.n, dtype=np.int64)
            yield everything, everything, True
            return
        for place, unit in enumerate(space.units):
            of_unit = np.flatnonzero(space.unit == place)
            if len(of_unit) and operator.unit(unit, unit) is not None:
                yield of_unit, of_unit, True

    def _masked(self, scores: torch.Tensor, rows: Ints, columns: Ints, operator: Operator) -> torch.Tensor:
        import torch

        one, other = (torch.from_numpy(places).to(self.device) for places in (rows, columns))
        newest = self.is_newest
        order = one[:, None] < other[None] if operator.commutes else one[:, None] != other[None]
        allowed = order & (newest[one][:, None] | newest[other][None]) & (
            self.count[one][:, None] + self.count[other][None] + 1 <= self.space.settings.operator_limit)
        return torch.where(allowed, torch.nan_to_num(scores, nan=0.0, posinf=0.0), -1.0)

    def _side(self, operator: Operator) -> int:
        settings = self.space.settings
        on_gpu = self.device.type != "cpu"
        per_candidate = 8 * (8 + getattr(self.scorer, "n_residuals", 0))
        if on_gpu and not self._closed(operator):
            per_candidate += 8 * 3 * self.space.values.shape[1]
        # A GPU needs large tiles to be busy; a CPU's are the faster the more of them stays in its cache.
        share, most = (0.5, MOST_SIDE_ON_GPU) if on_gpu else (0.25 / (self.threads + 1), MOST_SIDE)
        side = (share * settings.memory_gb * GIGABYTE / per_candidate) ** 0.5
        return int(min(most, max(LEAST_SIDE, side)))

    def _closed(self, operator: Operator) -> bool:
        return isinstance(self.scorer, Residuals) and operator.name in CLOSED_FORMS

    def _scores(self, operator: Operator) -> Callable[[Ints, Ints], torch.Tensor]:
        if self._closed(operator):
            if operator.name in ("*", "/"):
                return lambda rows, columns: self._of_product(rows, columns, operator.name == "/")
            return lambda rows, columns: self._of_sum(rows, columns, -1.0 if operator.name == "-" else 1.0)
        if self.device.type == "cpu":
            return lambda rows, columns: self._compiled(operator, rows, columns)
        return lambda rows, columns: self._of_values(operator, rows, columns)

    def _compiled(self, operator: Operator, rows: Ints, columns: Ints) -> torch.Tensor:
        """On a CPU, candidates are made one by one and stay in its cache."""
        import torch

        scores = np.empty((len(rows), len(columns)))
        self.scorer.of_pairs(operator.name, self._in_order[rows], self._in_order[columns], scores)
        if operator.name == "/":
            scores[:, ~self._divide[columns]] = 0.0
        return torch.from_numpy(scores)

    @cached_property
    def _in_order(self) -> Floats:
        """Values with the rows in the order of the scorer."""
        return np.ascontiguousarray(self.space.values[:, self.scorer.rows])

    def _of_values(self, operator: Operator, rows: Ints, columns: Ints) -> torch.Tensor:
        """On a GPU, candidates of a tile are made all at once."""
        import torch

        left, right = self.values[rows][:, None], self.values[columns][None]
        scores = self.scorer.of_values(FORMS[operator.name](left, right))
        if operator.name == "/":
            scores = torch.where(torch.from_numpy(self._divide[columns]).to(self.device), scores, 0.0)
        return scores

    @cached_property
    def _divide(self) -> npt.NDArray[np.bool_]:
        """Which features may divide: those that are 0 nowhere."""
        return np.asarray(np.abs(self.space.values).min(axis=1) >= SMALLEST_DIVISOR)

    @cached_property
    def _inverses(self) -> torch.Tensor:
        """1 / values; NaN where a feature must not divide."""
        import torch

        divide = torch.from_numpy(self._divide).to(self.device)[:, None]
        return torch.where(divide, 1.0 / self.values, torch.nan)

    def _of_product(self, rows: Ints, columns: Ints, divides: bool) -> torch.Tensor:
        scorer = self.scorer
        assert isinstance(scorer, Residuals)
        left, right = self.values[rows], (self._inverses if divides else self.values)[columns]

        def sums() -> Iterator[Sums]:
            for task, members in enumerate(scorer.tasks):
                a, b = (left, right) if len(scorer.tasks) == 1 else (left[:, members], right[:, members])
                total, square = a @ b.T, a.square() @ b.square().T
                if (still := self._still[task]) is not None:
                    square.masked_fill_(still[rows][:, None] & still[columns][None], 0.0)
                directions = a.new_tensor(scorer.directions[:, task][:, members]) if len(scorer.tasks) > 1 else (
                    a.new_tensor(scorer.directions[:, task]))
                yield (square - total.square() / len(members), square,
                       ((a * direction) @ b.T for direction in directions))

        return scorer.of_sums(sums())

    @cached_property
    def _still(self) -> list[torch.Tensor | None]:
        """By task: which features are constant within it; None = none of them."""
        assert isinstance(self.scorer, Residuals)
        found: list[torch.Tensor | None] = []
        for members in self.scorer.tasks:
            part = self.values[:, members]
            still = part.amax(1) - part.amin(1) <= CONSTANT * part.abs().amax(1)
            found.append(still if bool(still.any()) else None)
        return found

    @cached_property
    def _centred(self) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """By task: values less their mean, their sums of squares, and their products with every direction."""
        scorer = self.scorer
        assert isinstance(scorer, Residuals)
        found = []
        for task, (members, still) in enumerate(zip(scorer.tasks, self._still, strict=True)):
            part = self.values[:, members]
            part = part - part.mean(1, keepdim=True)
            if still is not None:
                part.masked_fill_(still[:, None], 0.0)
            directions = part.new_tensor(scorer.directions[:, task][:, members])
            found.append((part, part.square().sum(1), part @ directions.T))
        return found

    def _of_sum(self, rows: Ints, columns: Ints, sign: float) -> torch.Tensor:
        import torch

        scorer = self.scorer
        assert isinstance(scorer, Residuals)

        def sums() -> Iterator[Sums]:
            for part, squares, with_direction in self._centred:
                apart = squares[rows][:, None] + squares[columns][None]
                left, right = with_direction[rows], with_direction[columns]
                yield (torch.addmm(apart, part[rows], part[columns].T, alpha=2 * sign), apart,
                       (left[:, one, None] + sign * right[None, :, one] for one in range(left.shape[1])))

        return scorer.of_sums(sums())


@contextmanager
def _one_thread_each() -> Iterator[Callable[[], None]]:
    """While several threads compute, each does so by itself; gives what a thread has to call when it starts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        torch.set_num_threads(before)
