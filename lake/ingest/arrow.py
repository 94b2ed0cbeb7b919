"""From columns of Python values to Arrow, with the declared types and bounds."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lake.sources import values
from lake.sources.batch import Batch
from lake.tables import TABLES, Table


def to_arrow(batch: Batch) -> pa.Table:
    """The rows of a batch that are not rejected, in the table's declared types.

    A value outside the declared bounds, or not of the declared type, rejects its record.
    """
    table = TABLES[batch.table]
    arrays = {c.name: _array(batch, table, c.name) for c in table.columns}
    keep = [index for index in range(len(batch)) if index not in batch.rejects]
    whole = pa.table(arrays, schema=table.schema)
    return whole if len(keep) == len(batch) else whole.take(pa.array(keep, pa.int64()))


def _array(batch: Batch, table: Table, name: str) -> pa.Array:
    column = table.by_name[name]
    cells = batch.column(name)
    low, high = column.minimum, column.maximum
    if low is not None or high is not None:
        for index, value in enumerate(cells):
            outside = value is not None and not (
                (low is None or value >= low) and (high is None or value <= high)
            )
            if outside:
                unit = f" {column.unit}" if column.unit else ""
                batch.reject(index, "out_of_range", f"{name}: {value:g}{unit} is outside {low} … {high}")
    cells = [None if index in batch.rejects else value for index, value in enumerate(cells)]
    try:
        return pa.array(cells, column.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_fits(batch, name, index, v) for index, v in enumerate(cells)], column.type)


def _fits(batch: Batch, name: str, index: int, value: Any) -> Any:
    column_type = TABLES[batch.table].by_name[name].type
    try:
        pa.array([value], column_type)
        return value
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        batch.reject(index, "bad_value", f"{name}: {values.show(value)} is no {column_type} ({error})")
        return None
