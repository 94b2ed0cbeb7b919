"""Settings of calculations as numbers that a network takes: vocabularies, scales and flags for what is missing."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from ml.models.settings import InputSizes, is_number

UNKNOWN = 0
"""Code of a category whose value is missing, or was not among those that were learned."""
LARGEST_SCALED = 5.0
"""Numbers further from the mean, in standard deviations, count as this far: outside, a network's answer is a guess."""


@dataclass(frozen=True)
class Category:
    """A column of a few values.

    Attributes:
        column: its name.
        values: those that were seen, ascending; the code of the first is 1.
    """

    column: str
    values: tuple[str, ...]

    def codes(self, rows: pa.Table) -> npt.NDArray[np.float32]:
        """A code per row; values that were not seen get the one of the unknown, and a warning."""
        texts = as_text(rows, self.column)
        codes = pc.fill_null(pc.index_in(texts, value_set=pa.array(self.values, pa.string())), -1)
        coded: npt.NDArray[np.float32] = np.asarray(codes, dtype=np.float32) + 1
        new = pc.unique(texts.filter(pa.array((coded == UNKNOWN) & np.asarray(texts.is_valid())))).to_pylist()
        if new:
            seen = ", ".join(self.values) or "none"
            warnings.warn(
                f"{self.column}: {', '.join(sorted(new))[:200]} was not among the values that the model learned from "
                f"({seen[:200]}); it is taken as unknown.", UserWarning, stacklevel=4,
            )
        return coded


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    Attributes:
        column: its name.
        mean: of the values that were seen.
        scale: their standard deviation; 1 where all are equal.
    """

    column: str
    mean: float
    scale: float

    def scaled(self, rows: pa.Table) -> npt.NDArray[np.float32]:
        """Scaled values and flags of what is missing, ``(rows, 2)``."""
        values = as_numbers(rows, self.column)
        missing = ~np.isfinite(values)
        scaled = np.clip((values - self.mean) / self.scale, -LARGEST_SCALED, LARGEST_SCALED)
        return np.column_stack([np.where(missing, 0.0, scaled), missing]).astype(np.float32)


@dataclass(frozen=True)
class InputEncoding:
    """How the settings of calculations become ``Batch.inputs``: first the categories, then the numbers.

    Attributes:
        categories: columns of a few values.
        numbers: columns of numbers.
    """

    categories: tuple[Category, ...]
    numbers: tuple[Number, ...]

    @classmethod
    def of(cls, rows: pa.Table, columns: Sequence[str]) -> InputEncoding:
        """The encoding that rows define: those that a model learns from, no others.

        Args:
            rows: with the columns.
            columns: texts and truth values become categories, the rest numbers.

        Raises:
            InputError: a column is missing, named twice, or neither text, truth value nor number.
        """
        if len(set(columns)) != len(columns):
            raise InputError(f"Inputs of a model: {', '.join(columns)}: one column is named twice.")
        categories, numbers = [], []
        for column in columns:
            kind = _column(rows, column).type
            if pa.types.is_floating(kind) or pa.types.is_integer(kind):
                values = as_numbers(rows, column)
                values = values[np.isfinite(values)]
                mean, scale = (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)
                # Equal values differ by rounding from their mean: no scale to divide by.
                numbers.append(Number(column, mean, scale if scale > 1e-9 * max(1.0, abs(mean)) else 1.0))
            else:
                seen = pc.unique(as_text(rows, column).drop_null()).to_pylist()
                categories.append(Category(column, tuple(sorted(seen))))
        return cls(tuple(categories), tuple(numbers))

    @property
    def sizes(self) -> InputSizes:
        """What a network needs to know of it."""
        return InputSizes(tuple(len(one.values) + 1 for one in self.categories), len(self.numbers))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows need."""
        return tuple(one.column for one in self.categories) + tuple(one.column for one in self.numbers)

    def encode(self, rows: pa.Table) -> npt.NDArray[np.float32]:
        """Inputs of rows, ``(rows, width)``: a code per category, value and missing flag per number.

        Raises:
            InputError: a column is missing or of another kind.
        """
        parts = [one.codes(rows)[:, None] for one in self.categories] + [one.scaled(rows) for one in self.numbers]
        if not parts:
            return np.zeros((rows.num_rows, 0), dtype=np.float32)
        return np.concatenate(parts, axis=1)

    def plain(self) -> dict[str, Any]:
        """The encoding as JSON can hold it."""
        return {
            "categories": [{"column": one.column, "values": list(one.values)} for one in self.categories],
            "numbers": [{"column": one.column, "mean": one.mean, "scale": one.scale} for one in self.numbers],
        }

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> InputEncoding:
        """The encoding that :meth:`plain` wrote.

        Raises:
            InputError: it is not of that form.
        """
        try:
            categories = tuple(Category(one["column"], tuple(one["values"])) for one in given["categories"])
            numbers = tuple(Number(one["column"], one["mean"], one["scale"]) for one in given["numbers"])
        except (KeyError, TypeError) as error:
            raise InputError(f"The inputs of a model are not described as they should be: {error}.") from None
        texts = [text for one in categories for text in (one.column, *one.values)] + [one.column for one in numbers]
        amounts = [value for one in numbers for value in (one.mean, one.scale)]
        if not all(isinstance(text, str) for text in texts) or not all(
            is_number(value) and math.isfinite(value) for value in amounts
        ) or not all(one.scale > 0 for one in numbers):
            raise InputError("The inputs of a model are not described as they should be: columns and values must be "
                             "texts, means and scales finite numbers, scales above 0.")
        return cls(categories, numbers)


def as_text(rows: pa.Table, column: str) -> pa.Array:
    """A column as texts.

    Raises:
        InputError: it is missing, or neither text nor truth value.
    """
    found = _column(rows, column)
    if pa.types.is_dictionary(found.type):
        found = found.cast(found.type.value_type)
    kind = found.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)
            or pa.types.is_null(kind) or pa.types.is_string_view(kind)):
        raise InputError(f"Column {column} is of type {kind}: a network takes texts, truth values and numbers.")
    return found.cast(pa.string())


def as_numbers(rows: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """A column as numbers, NaN where it is null.

    Raises:
        InputError: it is missing, or of another kind.
    """
    found = _column(rows, column)
    if not (pa.types.is_floating(found.type) or pa.types.is_integer(found.type) or pa.types.is_null(found.type)):
        raise InputError(f"Column {column} is of type {found.type}, and the model was trained with numbers in it.")
    return np.asarray(pc.fill_null(found.cast(pa.float64()), math.nan), dtype=np.float64)


def _column(rows: pa.Table, column: str) -> pa.Array:
    if column not in rows.column_names:
        raise InputError(f"Rows have no column {column}, which the model takes as input.")
    found = rows[column].combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
