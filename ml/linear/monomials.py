"""Monomials of features up to a degree: from linear to nonlinear models of the same features."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

Floats = npt.NDArray[np.float64]
GIGABYTE = 1e9
HIGHEST_DEGREE = 6


@dataclass(frozen=True)
class Monomials:
    """All products of up to ``degree`` of p features, by degree, then by the order of the features.

    Attributes:
        factors: places of the factors of each, ascending; one of them several times is a power.
    """

    factors: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, p: int, degree: int) -> Monomials:
        """Those of p features: C(p + degree, degree) − 1 of them.

        Raises:
            InputError: the degree is none, or there are no features.
        """
        if p < 1 or type(degree) is not int or not 1 <= degree <= HIGHEST_DEGREE:
            raise InputError(f"Monomials of degree {degree!r:.40} of {p} features: a degree from 1 to "
                             f"{HIGHEST_DEGREE} and one feature at least are needed.")
        return cls(tuple(factors for of in range(1, degree + 1)
                         for factors in combinations_with_replacement(range(p), of)))

    def __len__(self) -> int:
        return len(self.factors)

    def values(self, features: Floats) -> Floats:
        """Of features (n, p): (n, number of monomials), column by column in memory."""
        found = np.empty((len(features), len(self)), order="F")
        place: dict[tuple[int, ...], int] = {}
        for column, factors in enumerate(self.factors):
            place[factors] = column
            rest = place.get(factors[:-1], -1)
            last = features[:, factors[-1]]
            if len(factors) == 1:
                found[:, column] = last
            elif rest >= 0:
                np.multiply(found[:, rest], last, out=found[:, column])
            else:
                found[:, column] = np.prod(features[:, list(factors)], axis=1)
        return found

    def taken(self, places: npt.NDArray[np.int64]) -> Monomials:
        """Some of them."""
        return Monomials(tuple(self.factors[place] for place in places))

    def degrees(self) -> npt.NDArray[np.int64]:
        """Of each."""
        return np.array([len(factors) for factors in self.factors], dtype=np.int64)

    def names(self, features: tuple[str, ...] | list[str]) -> list[str]:
        """As in ``a²·b``.

        Args:
            features: names of the features.
        """
        raised = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
        return ["·".join(features[one] + (str(power).translate(raised) if power > 1 else "")
                         for one, power in Counter(factors).items()) for factors in self.factors]


def n_monomials(p: int, degree: int) -> int:
    """How many monomials p features have up to a degree: C(p + degree, degree) − 1."""
    return comb(p + degree, degree) - 1


def check_size(n: int, counts: list[int], memory_gb: float) -> None:
    """Refuse matrices of so many columns in n rows that do not fit into memory, before they are made.

    Raises:
        InputError: they do not; the message says how much they need.
    """
    needed = 8 * n * max(counts, default=0) / GIGABYTE
    if needed > memory_gb:
        raise InputError(
            f"{max(counts):,} features of {n:,} rows need {needed:,.1f} GB, and {memory_gb:g} GB are allowed "
            "(--memory-gb): ask for a smaller degree or fewer clusters (--orbits)."
        )
