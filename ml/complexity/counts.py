"""How many numbers were fitted, by what they do: C(h) = a·A + b·L + c·N.

Speckhard et al., Faraday Discuss. 256, 483 (2025), section on complexity: no single count is fair to all classes, and
parameters that add, parameters that the output is linear in and parameters inside nonlinear functions are weighed
apart. What that means, for all classes by the same rule; every fitted number is counted once, by the first that holds:

* **A, additive**: it is added to something, and nothing that depends on the input multiplies it. Biases of any layer,
  offsets of LayerNorm, intercepts, and the values of leaves: a tree of one leaf is an intercept, and a larger one says
  which intercept holds where. Adding is the least that a parameter can do, wherever it stands.
- **L, linear**: with everything before it held fixed, the output is linear in all of them together. The weights of a
  network's last layer, coefficients of formulas and of cluster expansions, sums over elements.
* **N, nonlinear**: the rest. Weights whose result goes through an activation or is multiplied by other parameters
  (a product of two linear layers is linear in each, and not in both), and thresholds of splits, inside a step function.

What is not counted: means and scales that standardise inputs and targets (statistics of the data, not fitted to the
error), and choices that are no numbers: which feature a split asks, which operators a formula has. These have measures
of their own: leaves, rung, dimension, operators, terms by degree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lake.errors import InputError


@dataclass(frozen=True)
class Counts:
    """Fitted numbers of a model, and the measures of its class (None where the class has no such thing).

    Attributes:
        n_additive: A, see above.
        n_linear: L.
        n_nonlinear: N.
        n_weights: weights of a network: what multiplies; of all members.
        n_biases: biases of a network: what is added; of all members.
        n_trees: trees of a forest.
        n_leaves: leaves of all its trees.
        rung: of a formula: most operators that follow each other in one of its features.
        dimension: terms of a formula.
        n_operators: operators in all its terms.
        terms_by_degree: terms of an expansion by the degree of their monomial.
    """

    n_additive: int = 0
    n_linear: int = 0
    n_nonlinear: int = 0
    n_weights: int | None = None
    n_biases: int | None = None
    n_trees: int | None = None
    n_leaves: int | None = None
    rung: int | None = None
    dimension: int | None = None
    n_operators: int | None = None
    terms_by_degree: Mapping[int, int] | None = field(default=None)

    @property
    def n_parameters(self) -> int:
        """Everything that was fitted: A + L + N."""
        return self.n_additive + self.n_linear + self.n_nonlinear

    @classmethod
    def sum(cls, parts: Iterable[Counts]) -> Counts:
        """Of several models that answer together: the mean of their answers is linear, so that counts add up.

        Of what does not add up, rung, the highest is taken.
        """
        found: dict[str, Any] = {}
        for part in parts:
            for one in fields(cls):
                value, so_far = getattr(part, one.name), found.get(one.name)
                if value is None or so_far is None:
                    found[one.name] = so_far if value is None else value
                elif one.name == "rung":
                    found[one.name] = max(so_far, value)
                elif one.name == "terms_by_degree":
                    found[one.name] = {d: so_far.get(d, 0) + value.get(d, 0) for d in sorted({*so_far, *value})}
                else:
                    found[one.name] = so_far + value
        return cls(**found)

    def columns(self) -> dict[str, Any]:
        """As columns of `complexities`."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        degrees = self.terms_by_degree
        found["terms_by_degree"] = None if degrees is None else [(str(d), n) for d, n in sorted(degrees.items())]
        return found | {"n_parameters": self.n_parameters}


@dataclass(frozen=True)
class Coefficients:
    """What one parameter of each sort costs, in C(h) = a·A + b·L + c·N.

    Attributes:
        a: of one that adds.
        b: of one that the output is linear in.
        c: of one inside a nonlinear function.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 1.0

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise InputError(f"{name} of C(h) = a·A + b·L + c·N is {value!r:.40}; a number from 0 is needed: what "
                                 "one parameter of that sort costs.")
        if not self.a and not self.b and not self.c:
            raise InputError("a, b and c of C(h) = a·A + b·L + c·N are all 0: every model would be as complex as none.")

    def of(self, counts: Counts) -> float:
        """C(h) of a model."""
        return self.a * counts.n_additive + self.b * counts.n_linear + self.c * counts.n_nonlinear

    def columns(self) -> dict[str, float]:
        """As columns of `complexities`."""
        return {"coefficient_additive": float(self.a), "coefficient_linear": float(self.b),
                "coefficient_nonlinear": float(self.c)}
