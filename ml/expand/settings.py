"""What is asked of a cluster expansion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lake.errors import InputError
from ml.linear.cross_validation import METHODS
from ml.linear.monomials import HIGHEST_DEGREE

POOLS = ("small", "large")
COMPOSITION = "composition"
GROUPS = (COMPOSITION, "reduced_key", "cell_key", "formula_reduced")


@dataclass(frozen=True)
class ExpandSettings:
    """What is expanded in what.

    Attributes:
        degrees: of the monomials: 1 = the correlations themselves.
        pools: small and large: of which clusters features are selected.
        small: correlations of a lattice in the small pool, about.
        large: in the large pool.
        orders: sites in a cluster at most.
        method: omp, lasso or ridge.
        most_features: of the largest model.
        n_folds: of the cross-validation.
        group: all rows of one are in one fold: ``composition`` (formula on a lattice), or a column of the rows.
        features: of the model that is saved; None = the smallest within one standard error of the least.
        degree: of the model that is saved; None = the best.
        fewest: structures that a lattice is recognised from.
        memory_gb: for the features of a lattice.
        seed: of the folds.
    """

    degrees: tuple[int, ...] = (1, 2, 3)
    pools: tuple[str, ...] = POOLS
    small: int = 10
    large: int = 27
    orders: int = 3
    method: str = "omp"
    most_features: int = 200
    n_folds: int = 5
    group: str = COMPOSITION
    features: int | None = None
    degree: int | None = None
    fewest: int = 3
    memory_gb: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.degrees or any(type(one) is not int or not 1 <= one <= HIGHEST_DEGREE for one in self.degrees):
            raise InputError(f"Degrees {self.degrees!r:.80}: whole numbers from 1 to {HIGHEST_DEGREE} are needed.")
        if not self.pools or set(self.pools) - set(POOLS):
            raise InputError(f"Pools {', '.join(map(str, self.pools))[:80] or 'none'}: {' or '.join(POOLS)}, or both.")
        if self.method not in METHODS:
            raise InputError(f"There is no method {self.method!r:.40}; one of {', '.join(METHODS)} is needed.")
        if self.group not in GROUPS:
            raise InputError(f"Rows cannot be grouped by {self.group!r:.40}; one of {', '.join(GROUPS)} is needed.")
        for name, least in (("small", 1), ("large", 1), ("orders", 2), ("most_features", 1), ("n_folds", 2),
                            ("fewest", 2)):
            if type(getattr(self, name)) is not int or getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)!r:.40}; a whole number from {least} is needed.")
        if self.orders > 4:
            raise InputError(f"Clusters of {self.orders} sites: up to 4 are supported.")
        if self.features is not None and not 1 <= self.features <= self.most_features:
            raise InputError(f"A model of {self.features} features: 1 to {self.most_features} (--max-features) are "
                             "possible.")
        if self.degree is not None and self.degree not in self.degrees:
            raise InputError(f"A model of degree {self.degree}: degrees asked for are "
                             f"{', '.join(map(str, self.degrees))}.")
        if not self.memory_gb > 0:
            raise InputError(f"{self.memory_gb!r:.40} GB of memory are none.")
        object.__setattr__(self, "degrees", tuple(sorted(set(self.degrees))))
        object.__setattr__(self, "pools", tuple(one for one in POOLS if one in self.pools))

    def wanted(self, pool: str) -> int:
        """Correlations of a lattice in a pool, about."""
        return self.small if pool == "small" else self.large

    def plain(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
