"""Building the features that are held: rung by rung, each without constants and duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from lake.errors import InputError
from ml.sisso.distinct import Distinct, marks_of
from ml.sisso.expression import Primary
from ml.sisso.operators import Operator, operators_of
from ml.sisso.space import CONSTANT, NAMES, Floats, Ints, Space, SpaceSettings, applied, usable
from ml.sisso.units import Unit

PART = 20_000
"""Features whose values are made together."""


def build(primaries: Sequence[Primary], columns: Mapping[str, Floats], settings: SpaceSettings) -> Space:
    """The features of all rungs below the highest.

    Args:
        primaries: at least one.
        columns: their values (n,) by name, finite and not constant.
        settings: what is built.

    Raises:
        InputError: a column is missing, constant or not finite, or the features do not fit into memory.
    """
    if not primaries:
        raise InputError("There is no feature to build from.")
    space = _primary_space(tuple(primaries), columns, settings)
    for rung in range(1, settings.rung):
        space = _with_rung(space, rung)
    return space


def _primary_space(primaries: tuple[Primary, ...], columns: Mapping[str, Floats], settings: SpaceSettings) -> Space:
    # In the order of their names: what is found must not hang on the order of columns.
    primaries = tuple(sorted(primaries, key=lambda one: one.name))
    for one, other in pairwise(primaries):
        if one.name == other.name:
            raise InputError(f"The column {one.name} is given twice.")
    values = np.stack(_checked([one.values(columns) for one in primaries], primaries))
    units = tuple(dict.fromkeys(one.unit for one in primaries))
    of_unit = np.array([units.index(one.unit) for one in primaries], dtype=np.int64)
    # Of columns that say the same in the same unit, the first is taken.
    kept = np.sort(np.unique(marks_of(values, of_unit), axis=0, return_index=True)[1])
    zeros = np.zeros(len(kept), dtype=np.int64)
    return Space(
        tuple(primaries[place] for place in kept), settings, 0, values[kept], zeros - 1,
        np.arange(len(kept), dtype=np.int64), zeros - 1, zeros, zeros, of_unit[kept], units, len(primaries) - len(kept),
    )


def _checked(values: list[Floats], primaries: Sequence[Primary]) -> list[Floats]:
    """Columns, after a look at whether features can be built from them."""
    for one, column in zip(primaries, values, strict=True):
        if column.ndim != 1 or not np.isfinite(column).all():
            raise InputError(f"The column {one.name} holds values that are no finite numbers: leave it out, or the "
                             "rows.")
        if not len(column) or np.ptp(column) <= CONSTANT * np.abs(column).max():
            raise InputError(f"The column {one.name} is constant and says nothing: leave it out.")
    if len({len(column) for column in values}) != 1:
        raise InputError("The columns are not equally long.")
    return values


def pairs_of(space: Space, operator: Operator) -> Iterator[tuple[Ints, Ints, Unit]]:
    """The operands of an operator with at least one of the newest rung: places left, places right, unit of the result.

    Args:
        space: the features.
        operator: what is applied.
    """
    newest = space.rung == space.held
    by_unit = [np.flatnonzero(space.unit == one) for one in range(len(space.units))]
    if operator.arity == 1:
        for unit, places in zip(space.units, by_unit, strict=True):
            result = operator.unit(unit)
            new = places[newest[places]]
            if result is not None and len(new):
                yield new, np.full(len(new), -1, dtype=np.int64), result
        return
    for a, left in enumerate(by_unit):
        for b, right in enumerate(by_unit):
            result = operator.unit(space.units[a], space.units[b])
            if result is None or (operator.commutes and b < a):
                continue
            for one in left:
                others = right[right > one] if operator.commutes and a == b else right[right != one]
                others = others if newest[one] else others[newest[others]]
                if len(others):
                    yield np.full(len(others), one, dtype=np.int64), others, result


def _with_rung(space: Space, rung: int) -> Space:
    """The space with one more rung held."""
    limit = space.settings.operator_limit
    units = {unit: place for place, unit in enumerate(space.units)}
    distinct, dropped = Distinct(space, rung), 0
    for operator in operators_of(space.settings.operators):
        index = NAMES.index(operator.name)
        for left, right, unit in _joined(pairs_of(space, operator)):
            count = space.n_operators[left] + np.where(right >= 0, space.n_operators[right], 0) + 1
            allowed = count <= limit
            left, right, count = left[allowed], right[allowed], count[allowed]
            if not len(left):
                continue
            values = applied(operator, space.values[left], space.values[right])
            good = usable(values, space.settings)
            dropped += int((~good).sum())
            distinct.add(index, left[good], right[good], count[good], units.setdefault(unit, len(units)), values[good])
    operators, left, right, count, of_unit = distinct.all()
    values = np.empty((space.n + len(left), space.values.shape[1]))
    values[:space.n] = space.values
    for start in range(0, len(left), PART):
        part = slice(start, start + PART)
        values[space.n:][part] = space.candidate_values(operators[part], left[part], right[part])
    return Space(
        space.primaries, space.settings, rung, values, np.concatenate([space.operator, operators]),
        np.concatenate([space.left, left]), np.concatenate([space.right, right]),
        np.concatenate([space.n_operators, count]), np.concatenate([space.rung, np.full_like(left, rung)]),
        np.concatenate([space.unit, of_unit]), tuple(units), space.n_dropped + dropped + distinct.n_same,
    )


def _joined(parts: Iterator[tuple[Ints, Ints, Unit]], most: int = PART) -> Iterator[tuple[Ints, Ints, Unit]]:
    """Neighbouring parts of the same unit together: few large ones are built faster than many small ones."""
    waiting: list[tuple[Ints, Ints, Unit]] = []

    def together() -> tuple[Ints, Ints, Unit]:
        return np.concatenate([p[0] for p in waiting]), np.concatenate([p[1] for p in waiting]), waiting[0][2]

    for part in parts:
        if waiting and (part[2] != waiting[0][2] or sum(len(p[0]) for p in waiting) > most):
            yield together()
            waiting = []
        waiting.append(part)
    if waiting:
        yield together()
