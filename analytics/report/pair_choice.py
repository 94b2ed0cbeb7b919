"""Which pairs of a material are worth a closer look, whatever the material."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.report.material import UNKNOWN, Material


@dataclass(frozen=True)
class Choice:
    """A pair by its places in the material, and why it was chosen."""

    label: str
    left: int
    right: int


def chosen_pairs(material: Material) -> tuple[Choice, ...]:
    """The most similar pair of two functionals, the typical pair, and the least similar ones; each pair once.

    Ties go to the pair that comes first in the material's order. Pairs with equal fingerprints are left out where
    others exist: there is nothing to see in them.
    """
    n = len(material.calculations)
    left, right = np.triu_indices(n, 1)
    values = material.similarity[left, right]
    known = np.isfinite(values)
    functionals = np.array([c.functional for c in material.calculations], dtype=object)
    stated = (functionals != UNKNOWN).astype(bool)
    both = stated[left] & stated[right]
    differ = functionals[left] != functionals[right]
    unequal = known & (values < 1.0) if bool((known & (values < 1.0)).any()) else known
    wanted = (
        ("most similar with different functionals", _largest(values, unequal & both & differ)),
        ("most similar, not identical", None if bool((both & differ & known).any()) else _largest(values, unequal)),
        ("typical: the median of all pairs", _median(values, known)),
        ("least similar with one functional", _smallest(values, known & both & ~differ)),
        ("least similar of all", _smallest(values, known)),
    )
    found: dict[int, str] = {}
    for label, place in wanted:
        if place is not None:
            found[place] = f"{found[place]}; {label}" if place in found else label
    return tuple(Choice(label, int(left[place]), int(right[place])) for place, label in found.items())


def _largest(values: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]) -> int | None:
    places = np.flatnonzero(among)
    return int(places[np.argmax(values[places])]) if places.size else None


def _smallest(values: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]) -> int | None:
    places = np.flatnonzero(among)
    return int(places[np.argmin(values[places])]) if places.size else None


def _median(values: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]) -> int | None:
    """The place of the lower median, the first of equal ones."""
    places = np.flatnonzero(among)
    if not places.size:
        return None
    middle = np.sort(values[places])[(places.size - 1) // 2]
    return int(places[np.flatnonzero(values[places] == middle)[0]])
