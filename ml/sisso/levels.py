"""Building the features that are held: rung by rung, each without constants and duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lake.errors import InputError
from ml.sisso.expression import Primary
from ml.sisso.operators import Operator, operators_of
from ml.sisso.space import CONSTANT, NAMES, Floats, Ints, Space, SpaceSettings, applied, fingerprints, usable
from ml.sisso.units import Unit

GIGABYTE = 1e9


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
    values = []
    for one in primaries:
        column = one.values(columns)
        if column.ndim != 1 or not np.isfinite(column).all():
            raise InputError(f"The column {one.name} holds values that are no finite numbers: leave it out, or the "
                             "rows.")
        if np.ptp(column) <= CONSTANT * np.abs(column).max():
            raise InputError(f"The column {one.name} is constant and says nothing: leave it out.")
        values.append(column)
    if len({len(column) for column in values}) != 1:
        raise InputError("The columns are not equally long.")
    units = tuple(dict.fromkeys(one.unit for one in primaries))
    m, zeros = len(primaries), np.zeros(len(primaries), dtype=np.int64)
    return Space(
        primaries, settings, 0, np.stack(values), zeros - 1, np.arange(m, dtype=np.int64), zeros - 1, zeros, zeros,
        np.array([units.index(one.unit) for one in primaries], dtype=np.int64), units, 0,
    )


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
    limit, n = space.settings.operator_limit, space.values.shape[1]
    room = int(space.settings.memory_gb * GIGABYTE / 2 / (8 * n))
    parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Floats]] = []
    units, known = {unit: place for place, unit in enumerate(space.units)}, 0
    seen, dropped = set(fingerprints(space.values)), 0
    for operator in operators_of(space.settings.operators):
        index = NAMES.index(operator.name)
        for left, right, unit in _joined(pairs_of(space, operator)):
            count = space.n_operators[left] + np.where(right >= 0, space.n_operators[right], 0) + 1
            allowed = count <= limit
            left, right, count = left[allowed], right[allowed], count[allowed]
            values = applied(operator, space.values[left], space.values[right])
            good = usable(values, space.settings)
            dropped += int((~good).sum())
            place = units.setdefault(unit, len(units))
            parts.append((np.full(int(good.sum()), index), left[good], right[good], count[good],
                          np.full(int(good.sum()), place), values[good]))
            known += int(good.sum())
            if space.n + known > room:
                raise InputError(
                    f"More than {room:,} features of rung {rung} do not fit into {space.settings.memory_gb:g} GB of "
                    "memory: give more (--memory-gb), fewer columns or operators, or a lower rung."
                )
    if not parts:
        return replace(space, held=rung)
    columns = [np.concatenate([part[place] for part in parts]) for place in range(6)]
    order = np.lexsort((columns[2], columns[1], columns[0], columns[3]))
    kept = []
    for place, mark in zip(order, fingerprints(columns[5][order]) if len(order) else [], strict=True):
        if mark not in seen:
            seen.add(mark)
            kept.append(place)
    operators, left, right, count, place_of_unit, values = (column[kept] for column in columns)
    return Space(
        space.primaries, space.settings, rung, np.concatenate([space.values, values]),
        np.concatenate([space.operator, operators]), np.concatenate([space.left, left]),
        np.concatenate([space.right, right]), np.concatenate([space.n_operators, count]),
        np.concatenate([space.rung, np.full(len(kept), rung, dtype=np.int64)]),
        np.concatenate([space.unit, place_of_unit]),
        tuple(units), space.n_dropped + dropped + len(order) - len(kept),
    )


def _joined(parts: Iterator[tuple[Ints, Ints, Unit]], most: int = 50_000) -> Iterator[tuple[Ints, Ints, Unit]]:
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
