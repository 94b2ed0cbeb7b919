"""How a table is declared: its columns with Arrow type, unit and meaning, its key and partitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

STRING = pa.string()
FLOAT = pa.float64()
INT = pa.int32()
LONG = pa.int64()
FLAG = pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
STRINGS = pa.list_(STRING)
FLOATS = pa.list_(FLOAT)
INTS = pa.list_(INT)
MATRIX = pa.list_(FLOATS)
STRING_MAP = pa.map_(STRING, STRING)
FLOAT_MAP = pa.map_(STRING, FLOAT)
LONG_MAP = pa.map_(STRING, LONG)
COUNTS = pa.list_(pa.int16())


@dataclass(frozen=True)
class Column:
    """One column: what it is called, its Arrow type, what it means, and which values are possible.

    ``minimum`` and ``maximum`` are inclusive physical bounds in the column's unit; a record outside
    them is rejected with the reason ``out_of_range``.
    """

    name: str
    type: pa.DataType
    description: str
    unit: str | None = None
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    ``fingerprint`` names the column that tells whether a row changed: a string, or a map from the
    view of a record (its kind and fields) to its digest, where several describe one row.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...]
    fingerprint: str
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, in the declared order."""
        return pa.schema(
            [pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns]
        )
