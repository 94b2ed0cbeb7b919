"""From which k-points and which basis on the density of states no longer changes.

A series is the calculations of one functional and one kind of basis. Every calculation is compared with those at the
series' densest mesh (or largest basis) that have all other settings the same; a level passes where each of them is
at or above the chosen similarity. The series is converged at the smallest level from which on all levels pass.
The largest level itself is its own reference and proves nothing: where only it is left, convergence is not reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.convergence.settings import UNKNOWN, UNKNOWN_WORDS, Setting

AXES = ("k_points", "basis_size")
REACHED, NOT_REACHED, NO_SERIES = "reached", "not reached", "no series"


@dataclass(frozen=True)
class LevelStep:
    """One level of a series against the largest one.

    Attributes:
        words: what the level is called.
        value: its smallest number.
        n: calculations at it that have a counterpart at the largest level.
        lowest: smallest similarity of one of them to a counterpart; None where there is none.
        mean: mean similarity to counterparts.
        passes: whether all of them are at or above the level asked for; None where there are none.
    """

    words: str
    value: float
    n: int
    lowest: float | None
    mean: float | None
    passes: bool | None


@dataclass(frozen=True)
class Series:
    """How one setting converges for one functional and one kind of basis.

    Attributes:
        functional: the functional, or unknown.
        basis_kind: the kind of basis, or unknown.
        setting: k_points or basis_size.
        measure: the column that its numbers are from.
        status: reached, not reached, or no series (see ``reason``).
        at: name of the level from which on it is converged; None where not reached.
        at_value: its number.
        largest: name of the level that all are compared with.
        reason: why there is no series.
        steps: the levels, ascending; the largest is the last.
    """

    functional: str
    basis_kind: str
    setting: str
    measure: str
    status: str
    at: str | None
    at_value: float | None
    largest: str | None
    reason: str | None
    steps: tuple[LevelStep, ...]


def converged_of(
    settings: Mapping[str, Setting], similarity: NDArray[np.float64], level: float
) -> tuple[Series, ...]:
    """Convergence with k-points and with the size of the basis, for every functional and kind of basis.

    Args:
        settings: by name, over n calculations.
        similarity: coefficients (n, n) in the same order.
        level: similarity that counts as converged.
    """
    functional, kind = settings["functional"], settings["basis_kind"]
    groups = sorted({(int(f), int(b)) for f, b in zip(functional.levels, kind.levels, strict=True)},
                    key=lambda pair: tuple((number == UNKNOWN, number) for number in pair))
    found = []
    for group in groups:
        places = np.flatnonzero((functional.levels == group[0]) & (kind.levels == group[1]))
        found += [_series(settings, name, places, similarity, level) for name in AXES]
    return tuple(found)


def _series(
    settings: Mapping[str, Setting], name: str, places: NDArray[np.intp], similarity: NDArray[np.float64], level: float
) -> Series:
    axis = settings[name]
    known = places[axis.known[places]]
    words = (settings["functional"].word(int(places[0])), settings["basis_kind"].word(int(places[0])))
    measure = axis.measure[int(known[0])] if len(known) else ""
    levels = sorted(set(axis.levels[known].tolist()))
    if len(levels) < 2:
        what = f"all have {axis.words[levels[0]]}" if levels else f"{name} is {UNKNOWN_WORDS} for all"
        return Series(*words, name, measure, NO_SERIES, None, None, None, what, ())
    steps = _steps(settings, axis, known, levels, similarity, level)
    if all(step.n == 0 for step in steps[:-1]):
        why = f"no calculation below {axis.words[levels[-1]]} has a counterpart there with all else the same"
        return Series(*words, name, measure, NO_SERIES, None, None, axis.words[levels[-1]], why, steps)
    at = None
    # A level without any counterpart says nothing for or against, so that it is passed over.
    for step in reversed(steps[:-1]):
        if step.passes is False:
            break
        at = step if step.passes else at
    return Series(
        *words, name, measure, REACHED if at else NOT_REACHED, at.words if at else None, at.value if at else None,
        axis.words[levels[-1]], None, steps,
    )


def _steps(
    settings: Mapping[str, Setting], axis: Setting, places: NDArray[np.intp], levels: list[int],
    similarity: NDArray[np.float64], level: float,
) -> tuple[LevelStep, ...]:
    others = np.array([s.levels for s in settings.values() if s.name != axis.name]).T
    largest = places[axis.levels[places] == levels[-1]]
    counterparts: dict[bytes, list[int]] = {}
    for place in largest:
        counterparts.setdefault(others[place].tobytes(), []).append(int(place))
    steps = []
    for number in levels:
        at_level = places[axis.levels[places] == number]
        if number == levels[-1]:
            compared = [np.array([1.0])] * len(at_level)
        else:
            compared = [
                similarity[place, counterparts[others[place].tobytes()]]
                for place in at_level if others[place].tobytes() in counterparts
            ]
        values = np.concatenate(compared) if compared else np.zeros(0)
        lowest = float(values.min()) if len(values) else None
        steps.append(LevelStep(
            axis.words[number], float(axis.values[at_level].min()), len(compared), lowest,
            float(values.mean()) if len(values) else None, None if lowest is None else lowest >= level,
        ))
    return tuple(steps)
