"""At which level a prediction is meant: which settings a model with settings as inputs has learned from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from lake.tables import TABLES

MOST_LEVELS = 100
FUNCTIONALS = ("energy_functional", "gap_functional", "xc_functional")
Value = str | float | bool | None


@dataclass(frozen=True)
class Levels:
    """The settings that a model has learned from.

    Attributes:
        columns: those that it takes as inputs.
        seen: texts and truth values of each such column that occur in training rows.
        ranges: least and greatest number of each other column; a column without numbers has none.
        common: combinations, the most frequent first, at most :data:`MOST_LEVELS`: a value per column, for numbers the
            median of the rows of the combination; and how many training rows have it.
    """

    columns: tuple[str, ...]
    seen: Mapping[str, tuple[Value, ...]]
    ranges: Mapping[str, tuple[float, float]]
    common: tuple[tuple[Mapping[str, Value], int], ...]

    @classmethod
    def of(cls, rows: pa.Table, columns: Sequence[str]) -> Levels:
        """The levels of training rows."""
        numbers = [name for name in columns if _is_number(rows.schema.field(name).type)]
        texts = [name for name in columns if name not in numbers]
        seen = {name: tuple(sorted(pc.unique(rows[name]).drop_null().to_pylist())) for name in texts}
        values = {name: _numbers(rows[name]) for name in numbers}
        ranges = {name: (float(some.min()), float(some.max())) for name, found in values.items()
                  if len(some := found[np.isfinite(found)])}
        combinations = list(zip(*(rows[name].to_pylist() for name in texts), strict=True)) or [()] * rows.num_rows
        counted = sorted(Counter(combinations).items(), key=lambda item: (-item[1], repr(item[0])))[:MOST_LEVELS]
        places: dict[Any, list[int]] = {combination: [] for combination, _ in counted}
        for place, combination in enumerate(combinations):
            if combination in places:
                places[combination].append(place)
        common = []
        for combination, n in counted:
            medians = {name: _median(found[places[combination]]) for name, found in values.items()}
            level = dict(zip(texts, combination, strict=True)) | medians
            common.append(({name: level[name] for name in columns}, n))
        return cls(tuple(columns), seen, ranges, tuple(common))

    def chosen(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """The level that is meant: the most frequent one that has the given values, else the most frequent with these.

        Args:
            given: values by column.
        """
        fitting = (level for level, _ in self.common
                   if all(level[name] == value for name, value in given.items() if name not in self.ranges))
        usual = self.common[0][0] if self.common else dict.fromkeys(self.columns)
        return dict(next(fitting, usual)) | dict(given)

    def unseen(self, rows: pa.Table) -> list[str | None]:
        """What of each row's settings the model has not seen, in words; None where nothing."""
        found: list[list[str]] = [[] for _ in range(rows.num_rows)]
        for name in self.columns:
            if name not in rows.column_names:
                continue
            values = rows[name].to_pylist()
            for place, value in enumerate(values):
                if word := self._word(name, value):
                    found[place].append(word)
        return ["; ".join(words) or None for words in found]

    def _word(self, name: str, value: Any) -> str | None:
        if value is None:
            return None
        if name in self.seen:
            if value in self.seen[name]:
                return None
            listed = ", ".join(map(str, self.seen[name][:8])) or "none"
            return f"{name} {str(value)[:80]} was not learned from ({listed})"
        low, high = self.ranges.get(name, (math.inf, -math.inf))
        if low <= value <= high:
            return None
        known = f"between {low:g} and {high:g}" if low <= high else "no value"
        return f"{name} {value:g} was not learned from ({known})"

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"columns": list(self.columns), "seen": {name: list(v) for name, v in self.seen.items()},
                "ranges": {name: list(v) for name, v in self.ranges.items()},
                "common": [{"values": dict(level), "n": n} for level, n in self.common]}

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> Levels:
        """What :meth:`plain` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        columns = tuple(str(name) for name in given["columns"])
        seen = {str(name): tuple(values) for name, values in given["seen"].items()}
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in given["ranges"].items()}
        common = tuple(({name: one["values"][name] for name in columns}, int(one["n"])) for one in given["common"])
        return cls(columns, seen, ranges, common)


def with_level(rows: pa.Table, level: Mapping[str, Value]) -> pa.Table:
    """Rows with the same value in every row of some columns."""
    for name, value in level.items():
        kind = TABLES["calculations"].schema.field(name).type if name in TABLES["calculations"].schema.names else None
        column = pa.array([value] * rows.num_rows, kind or (pa.string() if value is None else None))
        place = rows.schema.get_field_index(name)
        rows = rows.append_column(name, column) if place < 0 else rows.set_column(place, name, column)
    return rows


def parsed(columns: Sequence[str], name: str, text: str, levels: Levels) -> dict[str, Value]:
    """A setting as a person gives it, as values by column.

    Args:
        columns: inputs of the model.
        name: one of them, or ``functional``, which stands for those of them that are functionals.
        text: its value; ``unknown`` for none.
        levels: what the model has seen.

    Raises:
        InputError: the model has no such input, or the value is no number where one is needed.
    """
    names = [column for column in columns if column == name or (name == "functional" and column in FUNCTIONALS)]
    if not names:
        takes = f"it takes {', '.join(columns)}" if columns else "it takes none: all its predictions are at one level"
        raise InputError(f"The model does not take {name} as an input; {takes}.")
    return {column: _value(column, text, levels) for column in names}


def _value(column: str, text: str, levels: Levels) -> Value:
    if text.lower() == "unknown":
        return None
    if column in levels.seen:
        seen = levels.seen[column]
        # Functionals are written in many ways: PBE, pbe.
        same = [value for value in seen if str(value).lower() == text.lower()]
        if same:
            return same[0]
        if seen and all(isinstance(value, bool) for value in seen):
            raise InputError(f"{column} {text!r:.80}: true, false or unknown is needed.")
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{column} {text!r:.80} is no number.")
    return number


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _numbers(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(pc.fill_null(column.cast(pa.float64()), math.nan).to_numpy(), dtype=np.float64)


def _median(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
