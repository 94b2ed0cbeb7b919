"""How far a training is: what a checkpoint holds beside arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ml.training.result import Point
from ml.training.step import Totals


@dataclass
class Counters:
    """How far a training is.

    Attributes:
        step: steps done.
        totals: sums since the last evaluation.
        summed: steps since the last evaluation.
        curve: points so far.
        best_step: of the best evaluation.
        best_mae: its validation error.
        seconds: wall time.
        parts: in how many parts a batch goes through the network.
        stopped: why training has ended; None: it has not.
        notes: what was told to a person.
    """

    step: int = 0
    totals: Totals = field(default_factory=Totals)
    summed: int = 0
    curve: list[Point] = field(default_factory=list)
    best_step: int = 0
    best_mae: float = math.inf
    seconds: float = 0.0
    parts: int = 1
    stopped: str | None = None
    notes: list[str] = field(default_factory=list)

    def reach(self, step: int, totals: Totals) -> None:
        """Steps up to before ``step`` are done; the totals hold them."""
        self.totals, self.summed, self.step = totals, self.summed + step - self.step, step

    def means(self) -> tuple[float, float]:
        """Mean loss and error since the last call."""
        loss, error = self.totals.loss / self.summed, self.totals.error / self.summed
        self.totals, self.summed = Totals(), 0
        return loss, error

    def plain(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Counters:
        """What :meth:`plain` gave."""
        curve = [Point(**point) for point in plain["curve"]]
        return cls(**{**plain, "totals": Totals(**plain["totals"]), "curve": curve})
