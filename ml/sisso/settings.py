"""How SISSO is asked to search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lake.errors import InputError
from ml.sisso.exhaustive import MOST_COMBINATIONS, check_bounds, n_combinations
from ml.sisso.problem import MOST_DIMENSIONS
from ml.sisso.space import SpaceSettings

USUAL_COMBINATIONS = 2_000_000_000
MOST_SCREENED = 500
NOT_IN_RESULTS = ("device",)


@dataclass(frozen=True)
class SissoSettings:
    """What is searched.

    Attributes:
        dimensions: terms in the descriptor at most; all from 1 on are found.
        screened: features that each dimension adds to those searched exhaustively; None = as many as give at most
            2·10⁹ combinations, 500 at most.
        residuals: so many of the best descriptors of one dimension screen for the next.
        space: what features are built.
        most_combinations: more are refused before anything is done.
        n_folds: of a grouped cross-validation of the whole procedure; 0 = none.
        seed: of the folds.
        device: where features are screened: cpu, cuda, …
    """

    dimensions: int = 3
    screened: int | None = None
    residuals: int = 5
    space: SpaceSettings = field(default_factory=SpaceSettings)
    most_combinations: int = MOST_COMBINATIONS
    n_folds: int = 0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if type(self.dimensions) is not int or not 1 <= self.dimensions <= MOST_DIMENSIONS:
            raise InputError(f"{self.dimensions!r:.40} dimensions: a whole number from 1 to {MOST_DIMENSIONS} is "
                             "needed.")
        for name, value, least in (("screened", self.screened, 1), ("residuals", self.residuals, 1),
                                   ("most_combinations", self.most_combinations, 1), ("n_folds", self.n_folds, 0),
                                   ("seed", self.seed, 0)):
            if value is not None and (type(value) is not int or value < least):
                raise InputError(f"{name} is {value!r:.40}; a whole number from {least} is needed.")
        if self.n_folds == 1:
            raise InputError("Cross-validation in one fold leaves nothing to learn from: 2 or more, or 0 for none.")

    @property
    def per_dimension(self) -> int:
        """Features that each dimension adds."""
        if self.screened is not None:
            return self.screened
        keep, size = MOST_SCREENED, self.dimensions
        while n_combinations(keep * size, size) > min(USUAL_COMBINATIONS, self.most_combinations):
            keep -= 1
        return keep

    def check(self, n_tasks: int) -> None:
        """Refuse a search that would take too long, before it starts.

        Raises:
            InputError: too many combinations in a dimension, or too much memory.
        """
        for size in range(1, self.dimensions + 1):
            check_bounds(self.per_dimension * size, size, n_tasks, self.most_combinations)

    def plan(self) -> str:
        """How much will be searched, in words."""
        keep = self.per_dimension
        parts = [f"{n_combinations(keep * size, size):,} of {size} out of {keep * size:,}"
                 for size in range(1, self.dimensions + 1)]
        return f"At most {'; '.join(parts)} screened features."

    def plain(self) -> dict[str, Any]:
        """As plain values, without what does not change what is found."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_IN_RESULTS}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SissoSettings:
        """The settings that plain values describe.

        Raises:
            InputError: a name is unknown, or a value impossible.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(f"SISSO has no setting {unknown[0]!r:.80}. Settings: {', '.join(sorted(known))}.")
        values = dict(given)
        space = dict(values.pop("space", {}))
        try:
            if "operators" in space:
                space["operators"] = tuple(space["operators"])
            return cls(space=SpaceSettings(**space), **values)
        except TypeError as error:
            raise InputError(f"These are no settings of SISSO: {error}.") from None
