"""The best small rule over settings, found by trying them all.

A group of a rule is a conjunction of at most three conditions: a number of at least a value, or a text of one value.
Numbers only ever count from a value upwards, since a larger basis and more k-points make a calculation better: a
greedy tree needs constraints for that, and misses splits under them. And no condition is negated, so that a rule
never lets settings in that nobody has tried.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from analytics.subsets.rule import SETTINGS, Condition, Row, Rule, Setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analytics.subsets.recipe import Learn

MOST_THRESHOLDS = 12
"""Values of a number that are tried, spread evenly over the calculations."""
MOST_TEXTS = 8
"""Values of a text that are tried, the most frequent ones."""
MOST_GROUPS = 3
BLOCK_PAIRS = 256


@dataclass(frozen=True)
class Patterns:
    """Calculations that no condition tells apart, taken together.

    Attributes:
        fulfilled: (conditions × patterns) 1 where the pattern fulfils the condition.
        n: (patterns,) calculations of each.
        n_similar: (patterns,) those of them that are like their reference.
    """

    fulfilled: NDArray[np.float64]
    n: NDArray[np.float64]
    n_similar: NDArray[np.float64]


def best_rule(rows: Sequence[Row], similar: Sequence[bool], learn: Learn) -> Rule:
    """The rule whose groups let the most similar calculations pass, and few others.

    Groups are found one after the other. Each has, of calculations that no group before it has, ``smallest_group``
    or more, at least the share ``share`` of them similar; among such groups the one with most similar calculations
    is taken, then the one with fewest others, with fewest conditions, and of the settings that come first.

    Args:
        rows: settings by name.
        similar: whether each row's calculation is like its reference.
        learn: share, smallest group, and ``depth``, the most conditions of a group.
    """
    if similar and passes(sum(similar), len(similar), learn):
        return Rule(((),))
    conditions = conditions_of(rows)
    patterns = _patterns(rows, similar, conditions)
    groups: list[tuple[Condition, ...]] = []
    while len(groups) < MOST_GROUPS and (found := _best_group(patterns, conditions, learn)):
        groups.append(tuple(conditions[place] for place in found))
        free = patterns.fulfilled[list(found)].min(axis=0) == 0
        patterns = Patterns(patterns.fulfilled, patterns.n * free, patterns.n_similar * free)
    return Rule(tuple(groups))


def passes(n_similar: float, n: float, learn: Learn) -> bool:
    """Whether enough of some calculations are similar."""
    return n_similar >= learn.share * n - 1e-9


def conditions_of(rows: Sequence[Row]) -> list[Condition]:
    """What can be asked about these rows, settings in their order; what all or none of them fulfil is left out."""
    found: list[Condition] = []
    for setting in SETTINGS:
        values = [row[setting.name] for row in rows]
        candidates = _candidates(setting, values)
        sizes = _fulfilled(candidates, values).sum(axis=1)
        found += [one for one, size in zip(candidates, sizes.tolist(), strict=True) if 0 < size < len(rows)]
    return found


def _candidates(setting: Setting, values: list[Any]) -> list[Condition]:
    known = [value for value in values if value is not None]
    if setting.is_number:
        return [Condition(setting, value) for value in _thresholds([float(value) for value in known])]
    counts = Counter(known)
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_TEXTS]
    unknown = [Condition(setting, None)] if len(known) < len(values) else []
    return [Condition(setting, value) for value in frequent] + unknown


def _fulfilled(conditions: Sequence[Condition], values: list[Any]) -> NDArray[np.bool_]:
    """(conditions × rows) whether the values of one setting fulfil conditions on it."""
    import numpy as np

    if not conditions:
        return np.zeros((0, len(values)), dtype=bool)
    if conditions[0].setting.is_number:
        numbers = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
        limits = np.array([condition.value for condition in conditions], dtype=np.float64)
        reached: NDArray[np.bool_] = numbers[None, :] >= limits[:, None]
        return reached
    places = {condition.value: place for place, condition in enumerate(conditions)}
    codes = np.array([places.get(value, -1) for value in values], dtype=np.int64)
    equal: NDArray[np.bool_] = np.arange(len(conditions))[:, None] == codes[None, :]
    return equal


def _thresholds(values: list[float]) -> list[float]:
    """Values to ask for, strictest first, rounded down to as few digits as still tell them from those below."""
    values = sorted(value for value in values if math.isfinite(value))
    distinct = sorted(set(values))
    if len(distinct) > MOST_THRESHOLDS:
        chosen = sorted({values[place * len(values) // MOST_THRESHOLDS] for place in range(MOST_THRESHOLDS)})
    else:
        chosen = distinct
    below = [-math.inf, *distinct]
    return [_rounded(value, below[bisect_right(distinct, value) - 1]) for value in reversed(chosen)]


def _rounded(value: float, below: float) -> float:
    """The number of fewest digits, three or more, that is not above a value and above the next smaller one."""
    for digits in range(3, 17):
        power = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
        nearest = round(value, power)
        down = nearest if nearest <= value else round(nearest - 10.0**-power, power)
        if below < down <= value:
            return down
    return value


def _patterns(rows: Sequence[Row], similar: Sequence[bool], conditions: Sequence[Condition]) -> Patterns:
    import numpy as np

    parts = [np.zeros((0, len(rows)), dtype=bool)]
    for setting in SETTINGS:
        asked = [condition for condition in conditions if condition.setting == setting]
        parts.append(_fulfilled(asked, [row[setting.name] for row in rows]))
    distinct, place = np.unique(np.packbits(np.concatenate(parts), axis=0).T, axis=0, return_inverse=True)
    fulfilled = np.unpackbits(distinct, axis=1, count=len(conditions)).T.astype(np.float64)
    n = np.bincount(place.ravel(), minlength=len(distinct)).astype(np.float64)
    n_similar = np.bincount(place.ravel()[np.array(similar, dtype=bool)], minlength=len(distinct)).astype(np.float64)
    return Patterns(np.ascontiguousarray(fulfilled), n, n_similar)


def _best_group(patterns: Patterns, conditions: Sequence[Condition], learn: Learn) -> tuple[int, ...] | None:
    """The places of the best group's conditions; None where no group is good enough."""
    best: tuple[tuple[float, ...], tuple[int, ...]] | None = None
    for places, n, n_similar in _counted(patterns, conditions, learn.depth):
        good = (n >= learn.smallest_group) & (n_similar >= learn.share * n - 1e-9) & (n_similar > 0)
        if not good.any():
            continue
        most = n_similar[good].max()
        fewest = n[good & (n_similar == most)].min()
        at = int((good & (n_similar == most) & (n == fewest)).argmax())
        # Conjunctions come shortest first and in the order of settings: of equal ones the first is kept.
        if best is None or (-most, fewest) < best[0]:
            best = (-most, fewest), places[at]
    return best[1] if best else None


def _counted(
    patterns: Patterns, conditions: Sequence[Condition], depth: int
) -> Iterator[tuple[list[tuple[int, ...]], NDArray[np.float64], NDArray[np.float64]]]:
    """Conjunctions, at most one condition per setting, with the calculations that fulfil them and the similar ones.

    Sums of whole numbers, exact in double precision in whatever order they are added.
    """
    import numpy as np

    masks = patterns.fulfilled
    names = [condition.setting.name for condition in conditions]
    shorter: list[list[tuple[int, ...]]] = [
        [c for c in combinations(range(len(conditions)), length) if len({names[i] for i in c}) == length]
        for length in range(depth)
    ]
    for starts in shorter:
        for begin in range(0, len(starts), BLOCK_PAIRS):
            some = starts[begin:begin + BLOCK_PAIRS]
            common = np.array([masks[list(c)].prod(axis=0) if c else np.ones(masks.shape[1]) for c in some])
            n, n_similar = (common * patterns.n) @ masks.T, (common * patterns.n_similar) @ masks.T
            kept = [
                (row, last) for row, c in enumerate(some) for last in range(c[-1] + 1 if c else 0, len(names))
                if names[last] not in {names[i] for i in c}
            ]
            if kept:
                rows, lasts = (list(part) for part in zip(*kept, strict=True))
                yield [(*some[r], last) for r, last in kept], n[rows, lasts], n_similar[rows, lasts]
