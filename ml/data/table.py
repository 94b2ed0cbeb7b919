"""Tables of a person's own: CSV or Parquet files whose columns are numbers with units."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError

Floats = npt.NDArray[np.float64]
MOST_BYTES = 2 * 2**30
ENDINGS: Mapping[str, str] = {
    "_ev_per_atom": "eV/atom", "_ev_per_angstrom": "eV/angstrom", "_ev_per_angstrom2": "eV/angstrom2",
    "_ev_per_angstrom3": "eV/angstrom3", "_mev_per_atom": "meV/atom", "_mev": "meV", "_ev": "eV",
    "_ry": "Ry", "_hartree": "hartree", "_angstrom3_per_atom": "angstrom3/atom", "_angstrom3": "angstrom3",
    "_angstrom2": "angstrom2", "_angstrom": "angstrom", "_nm": "nm", "_pm": "pm", "_bohr": "bohr",
    "_mu_b_per_atom": "muB/atom", "_mu_b": "muB", "_gpa": "GPa", "_kelvin": "K", "_amu": "amu", "_degree": "degree",
    "_per_angstrom": "1/angstrom", "_fraction": "1", "_ratio": "1", "_number": "1", "_count": "1",
}
"""Units by the end of a column's name; the longest end counts."""
BEGINNINGS: Mapping[str, str] = {"n_": "1"}
"""And by its beginning: numbers of things."""
READABLE = (".csv", ".tsv", ".txt", ".parquet", ".pq")


@dataclass(frozen=True)
class TableData:
    """A table that was read.

    Attributes:
        columns: its columns in the order of the file; numbers as float64 with null where there is none, all others
            as text.
        units: column → unit of those that have one (``eV``, ``angstrom3/atom``, …; ``1`` = a plain number).
        name: of the file, without its ending.
        sha256: digest of the file's content.
        left_out: column → why it cannot be a number to compute with.
    """

    columns: pa.Table
    units: dict[str, str]
    name: str
    sha256: str
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the columns that are numbers in every row, not always the same one."""
        kinds = zip(self.columns.column_names, self.columns.schema.types, strict=True)
        return tuple(name for name, kind in kinds if pa.types.is_float64(kind) and name not in self.left_out)

    def values(self, name: str) -> Floats:
        """A column of numbers (n,), NaN where there is none.

        Raises:
            InputError: there is no such column, or it is text.
        """
        self.check_there([name])
        column = self.columns[name]
        if not pa.types.is_float64(column.type):
            raise InputError(f"The column {name} of {self.name} is text, and numbers are needed.")
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def check_there(self, names: Iterable[str]) -> None:
        """Refuse names that no column has.

        Raises:
            InputError: with the columns that there are.
        """
        if missing := [name for name in names if name not in self.columns.column_names]:
            raise InputError(f"{self.name} has no column {', '.join(missing)}. Columns: "
                             f"{', '.join(self.columns.column_names)}.")

    def features(self, chosen: Sequence[str] = (), excluded: Sequence[str] = ()) -> tuple[str, ...]:
        """The columns to compute with.

        Args:
            chosen: these; none = all that are numbers in every row.
            excluded: not these (the target, groups, …).

        Raises:
            InputError: there is no such column; one that was chosen cannot be used; one has no unit; none is left.
        """
        self.check_there(chosen)
        if bad := {name: self.left_out[name] for name in chosen if name in self.left_out}:
            raise InputError(f"Of the features of {self.name} cannot be used: "
                             + "; ".join(f"{name} ({why})" for name, why in bad.items()) + ".")
        names = tuple(name for name in (chosen or self.numeric) if name not in excluded)
        if not names:
            raise InputError(f"{self.name} has no column left to compute with. Left out: "
                             + ("; ".join(f"{name} ({why})" for name, why in self.left_out.items()) or "none") + ".")
        if without := [name for name in names if name not in self.units]:
            raise InputError(
                f"Without a unit: {', '.join(without)} (columns of {self.name}). Put it at the end of the name, as in "
                f"{without[0]}_ev, say it, as in --unit {without[0]}=eV, or --unit {without[0]}=1 for a plain number."
            )
        return names


def read_table(path: Path | str, units: Mapping[str, str] | None = None) -> TableData:
    """Read a table and find the units of its columns.

    Args:
        path: CSV (commas; tabs where the name ends with .tsv) with a line of names, or Parquet.
        units: column → unit, in the place of what the name says; ``1`` = a plain number.

    Returns:
        The table. Columns without numbers, with gaps, or always the same stand in ``left_out`` with the reason.

    Raises:
        InputError: the file cannot be read, is empty or too large, names columns twice; a unit is given for a column
            that is not there.
    """
    path = Path(path)
    content = _content(path)
    table = _parsed(path, content)
    twice = [name for name, n in Counter(table.column_names).items() if n > 1]
    if twice:
        raise InputError(f"{path} has several columns {', '.join(twice)}: name each column once.")
    if not table.num_rows:
        raise InputError(f"{path} has no rows.")
    table, left_out = _columns(table)
    found = {name: unit for name in table.column_names if (unit := unit_of_name(name)) is not None}
    data = TableData(table, found | dict(units or {}), path.stem, hashlib.sha256(content).hexdigest(), left_out)
    data.check_there(units or ())
    return data


def unit_of_name(name: str) -> str | None:
    """The unit that a column's name ends with; None where it says none."""
    lower = name.lower()
    ends = [end for end in ENDINGS if lower.endswith(end) and len(lower) > len(end)]
    if ends:
        return ENDINGS[max(ends, key=len)]
    return next((unit for start, unit in BEGINNINGS.items() if lower.startswith(start)), None)


def units_given(words: Sequence[str]) -> dict[str, str]:
    """Units as a person gives them, ``column=unit`` each.

    Raises:
        InputError: a word is not of that form.
    """
    found: dict[str, str] = {}
    for word in words:
        name, given, unit = word.partition("=")
        if not given or not name.strip() or not unit.strip():
            raise InputError(f"--unit {word!r:.80}: give it as column=unit, such as radius=angstrom or index=1.")
        found[name.strip()] = unit.strip()
    return found


def _content(path: Path) -> bytes:
    if path.suffix.lower() not in READABLE:
        raise InputError(f"{path} is no table that can be read by its ending. Endings: {', '.join(READABLE)}.")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path} has {size / 2**30:.1f} GB; a table has at most {MOST_BYTES // 2**30}. Take fewer "
                             "rows or columns.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _parsed(path: Path, content: bytes) -> pa.Table:
    import pyarrow.csv
    import pyarrow.parquet

    if not content.strip():
        raise InputError(f"{path} is empty.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pyarrow.parquet.read_table(pa.BufferReader(content))
        comma = "\t" if path.suffix.lower() == ".tsv" else ","
        table = pyarrow.csv.read_csv(pa.BufferReader(content), parse_options=pyarrow.csv.ParseOptions(delimiter=comma))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}. Is it cut or damaged?") from None
    if table.num_columns == 1 and re.search(r"[;\t]", table.column_names[0]):
        raise InputError(f"{path} has one column, {table.column_names[0]!r:.80}: separate columns with commas (or "
                         "tabs, and name the file .tsv).")
    return table


def _columns(table: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    """Numbers as float64, all else as text, and why columns are none to compute with."""
    columns: dict[str, pa.ChunkedArray] = {}
    left_out: dict[str, str] = {}
    for name in table.column_names:
        column = table[name]
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numbers = column.cast(pa.float64(), safe=False)
            columns[name] = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
            if why := _useless(columns[name]):
                left_out[name] = why
            continue
        left_out[name] = "empty" if pa.types.is_null(kind) else "no numbers"
        try:
            columns[name] = column.cast(pa.string())
        except pa.ArrowException:
            columns[name] = pa.chunked_array([[str(value) for value in column.to_pylist()]], pa.string())
    return pa.table(columns), left_out


def _useless(column: pa.ChunkedArray) -> str | None:
    n = len(column)
    if column.null_count == n:
        return "empty"
    if column.null_count:
        return f"no finite number in {column.null_count:,} of {n:,} rows"
    low, high = pc.min_max(column).as_py().values()
    return f"always {low:g}" if low == high else None
