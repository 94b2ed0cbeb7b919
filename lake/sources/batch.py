"""The table under construction: records in, typed columns and rejects out, one column at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lake.sources import values as clean
from lake.tables import TABLES

Cleaner = Callable[[Any], Any]


@dataclass
class Reject:
    """Why one record of a batch cannot be taken."""

    reason: str
    message: str


@dataclass
class Batch:
    """Records of one kind on their way into one table.

    A normaliser reads values by path and sets whole columns; a value that cannot be taken rejects its record
    and nobody else's. Columns never set stay null.

    Args:
        records: the decoded records, each a dict (the pipeline rejects others before).
        table: the table that they become rows of.
    """

    records: list[dict[str, Any]]
    table: str = "calculations"
    columns: dict[str, list[Any]] = field(default_factory=dict)
    rejects: dict[int, Reject] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def reject(self, index: int, reason: str, message: str) -> None:
        """Set a record aside; the first reason stands."""
        self.rejects.setdefault(index, Reject(reason, message[:500]))

    def values(self, *path: str | int) -> list[Any]:
        """The raw value of every record at a path of keys and indices, None where the path breaks off."""
        return [dig(record, path) for record in self.records]

    def first(self, *paths: tuple[str | int, ...]) -> list[Any]:
        """The first value that is there among several paths, for every record."""
        columns = [self.values(*path) for path in paths]
        return [next((v for v in row if v is not None), None) for row in zip(*columns, strict=True)]

    def column(self, name: str) -> list[Any]:
        """A column set before, or nulls."""
        return self.columns.get(name) or [None] * len(self)

    def set(self, name: str, values: Sequence[Any], cleaner: Cleaner | None = None) -> list[Any]:
        """Set a column from one value per record, each through ``cleaner`` where one is given.

        Returns:
            The cleaned values, None where the record was rejected with the reason ``bad_value``.
        """
        if name not in TABLES[self.table].by_name:
            raise KeyError(f"{self.table} has no column {name}")
        self.columns[name] = self.cleaned(name, values, cleaner) if cleaner else list(values)
        return self.columns[name]

    def cleaned(self, name: str, values: Sequence[Any], cleaner: Cleaner) -> list[Any]:
        """Values through a cleaner; a refusal rejects its record, naming ``name``."""
        result: list[Any] = []
        for index, value in enumerate(values):
            try:
                result.append(cleaner(value))
            except clean.BadValueError as error:
                self.reject(index, "bad_value", f"{name}: {error}")
                result.append(None)
            except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
                self.reject(index, "bad_value", f"{name}: {clean.show(value)} cannot be read")
                result.append(None)
        return result

    def numbers(
        self, name: str, values: Sequence[Any], scale: float = 1.0, sentinel: float | None = None
    ) -> list[Any]:
        """Set a column of floats, multiplied by ``scale`` (a unit conversion)."""

        def scaled(value: Any) -> float | None:
            result = clean.number(value, sentinel)
            return None if result is None else result * scale

        return self.set(name, values, scaled)

    def wholes(self, name: str, values: Sequence[Any]) -> list[Any]:
        """Set a column of whole numbers."""
        return self.set(name, values, clean.whole)

    def texts(self, name: str, values: Sequence[Any]) -> list[Any]:
        """Set a column of texts."""
        return self.set(name, values, clean.text)

    def flags(self, name: str, values: Sequence[Any]) -> list[Any]:
        """Set a column of truth values."""
        return self.set(name, values, clean.flag)

    def constant(self, name: str, value: Any) -> None:
        """Set a column to one value for all records."""
        self.set(name, [value] * len(self))


def dig(value: Any, path: Sequence[str | int]) -> Any:
    """The value at a path of keys and indices into nested dicts and lists; None where it breaks off."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        else:
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
    return value
