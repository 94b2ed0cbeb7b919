"""One setting of the calculations as features: a category, a flag or a number, unknown being a value of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import InputError


@dataclass(frozen=True)
class SettingsColumn:
    """How a column becomes features.

    Attributes:
        name: the column.
        vocabulary: categories seen, each a feature (1 where the row has it), sorted; None = the column is numeric.
        filler: numbers: what stands in for a missing one (the median of those seen).
    """

    name: str
    vocabulary: tuple[str, ...] | None = None
    filler: float = 0.0

    @classmethod
    def of(cls, name: str, values: pa.ChunkedArray) -> SettingsColumn:
        """Learn categories, or the median, of a column.

        Raises:
            InputError: neither text, flags nor numbers.
        """
        kind = values.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            known = _numbers(values)
            known = known[np.isfinite(known)]
            return cls(name, None, float(np.median(known)) if len(known) else 0.0)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
            return cls(name, tuple(sorted(v for v in pc.unique(_text(values)).to_pylist() if v is not None)))
        raise InputError(f"The column {name} holds {kind}: only text, flags and numbers can be inputs of a model.")

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every feature of it."""
        if self.vocabulary is None:
            return (self.name, f"{self.name} unknown")
        return (*(f"{self.name} = {value}" for value in self.vocabulary), f"{self.name} unknown")

    def values(self, column: pa.ChunkedArray) -> NDArray[np.float64]:
        """The features of n rows: (n, number of :attr:`names`); a category not seen before counts as unknown."""
        if self.vocabulary is None:
            numbers = _numbers(column)
            unknown = ~np.isfinite(numbers)
            return np.column_stack((np.where(unknown, self.filler, numbers), unknown))
        known = pa.array(self.vocabulary, pa.string())
        place = pc.fill_null(pc.index_in(_text(column), known), len(known)).to_numpy()
        features: NDArray[np.float64] = np.eye(len(known) + 1)[place]
        return features

    def unseen(self, column: pa.ChunkedArray) -> list[str]:
        """Categories of a column that were not seen before."""
        if self.vocabulary is None:
            return []
        found = {value for value in pc.unique(_text(column)).to_pylist() if value is not None}
        return sorted(found - set(self.vocabulary))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        vocabulary = None if self.vocabulary is None else list(self.vocabulary)
        return {"name": self.name, "vocabulary": vocabulary, "filler": self.filler}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> SettingsColumn:
        """From plain values."""
        vocabulary = plain["vocabulary"]
        words = None if vocabulary is None else tuple(str(v) for v in vocabulary)
        return cls(str(plain["name"]), words, float(plain["filler"]))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(), np.float64)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())
