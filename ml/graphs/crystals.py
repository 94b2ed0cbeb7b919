"""The crystals of rows, checked and laid end to end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError, StructureError
from ml.data.structures import SMALLEST_VOLUME_ANGSTROM3, atomic_numbers, structure_digests

COLUMNS = ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites")
MATRIX = pa.list_(pa.list_(pa.float64()))
SCHEMA = pa.schema(zip(COLUMNS, (MATRIX, MATRIX, pa.list_(pa.string())), strict=True))
SMALLEST_VOLUME_SHARE = 1e-8
"""Volume over the product of the vectors' lengths; below this they lie in one plane, as far as doubles tell."""
LARGEST_POSITION = 1e6
"""Fractional coordinates beyond this have lost the digits that matter."""
NAMED = 5

Rows: TypeAlias = pa.Table | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Crystals:
    """Crystals laid end to end.

    Attributes:
        lattices: rows a, b, c, Å, (g, 3, 3).
        positions: fractional, (n, 3).
        numbers: atomic numbers, (n,).
        ends: where each crystal's atoms end, (g,).
    """

    lattices: npt.NDArray[np.float64]
    positions: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, start: int, end: int) -> Crystals:
        """The crystals from one place to another."""
        first = int(self.ends[start - 1]) if start else 0
        last = int(self.ends[end - 1]) if end else 0
        return Crystals(self.lattices[start:end], self.positions[first:last], self.numbers[first:last],
                        self.ends[start:end] - first)

    @classmethod
    def of(cls, rows: pa.Table) -> tuple[Crystals, list[str | None]]:
        """The crystals of rows, and what is wrong with each; None where nothing is.

        What is wrong has no atoms, so that every row is one crystal.
        """
        table = rows.select(COLUMNS).combine_chunks()
        problems = _forms(table)
        bad = pa.array([problem is not None for problem in problems], pa.bool_())
        if pc.any(bad).as_py():
            table = _without(table, bad)
        n = table.num_rows
        species = table["species_at_sites"]
        counts = pc.list_value_length(species).to_numpy(zero_copy_only=False).astype(np.int64)
        lattices = _numbers(table["lattice_vectors_angstrom"]).reshape(n, 3, 3)
        positions = _numbers(table["fractional_positions"]).reshape(-1, 3)
        numbers = atomic_numbers(pc.list_flatten(species)) if counts.sum() else np.empty(0, dtype=np.uint8)
        crystals = cls(lattices, positions, numbers, np.cumsum(counts))
        values = crystals._values()
        problems = [one or other for one, other in zip(problems, values, strict=True)]
        if any(values):
            table = _without(table, pa.array([problem is not None for problem in problems]))
            return cls.of(table)[0], problems
        return crystals, problems

    def _values(self) -> list[str | None]:
        """What is wrong with the numbers of each crystal that has atoms."""
        n = len(self)
        problems: list[str | None] = [None] * n
        counts = np.diff(self.ends, prepend=0)
        crystal = np.repeat(np.arange(n), counts)
        with np.errstate(all="ignore"):
            volumes = np.abs(np.linalg.det(self.lattices))
            lengths = np.linalg.norm(self.lattices, axis=2).prod(axis=1)
            flat = ~(volumes >= np.maximum(SMALLEST_VOLUME_ANGSTROM3, SMALLEST_VOLUME_SHARE * lengths))
        # Written as "not within" so that NaN is found as well.
        far = ~(np.abs(self.positions) <= LARGEST_POSITION).all(axis=1)
        for place in np.unique(crystal[self.numbers == 0]).tolist():
            problems[place] = "has a species that is no element"
        for place in np.unique(crystal[far]).tolist():
            problems[place] = f"has a position that is no number, or beyond {LARGEST_POSITION:g} cells"
        for place in np.flatnonzero(flat & (counts > 0)).tolist():
            problems[place] = f"has lattice vectors in one plane, or nearly so: a cell of {volumes[place]:.3g} Å³"
        return problems


def table_of(rows: Rows) -> pa.Table:
    """Rows as Arrow: a table as it is; mappings with the three columns of a crystal as one.

    Raises:
        StructureError: a column is missing, or of another form.
    """
    if not isinstance(rows, pa.Table):
        try:
            rows = pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows], schema=SCHEMA)
        except (KeyError, TypeError, pa.ArrowException) as error:
            raise StructureError(f"These are no crystals: {error!r:.200}. Each needs {', '.join(COLUMNS)}.") from None
    missing = [name for name in COLUMNS if name not in rows.column_names]
    if missing:
        raise StructureError(f"The rows have no column {', '.join(missing)}; crystals need {', '.join(COLUMNS)}.")
    return rows


def digests_of(rows: pa.Table) -> list[str]:
    """The digest of every row's crystal: its column ``structure_sha256``, or computed where there is none.

    Raises:
        StructureError: the column holds something else.
    """
    if "structure_sha256" in rows.column_names:
        digests: list[str] = rows["structure_sha256"].to_pylist()
        if all(isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) for digest in digests):
            return digests
        raise StructureError("The column structure_sha256 holds something that is no SHA-256 in 64 hexadecimal digits.")
    return [digest or "" for digest in structure_digests(rows)]


def refuse(rows: pa.Table, problems: Sequence[str | None]) -> None:
    """Name the rows whose crystals cannot be used.

    Raises:
        InputError: there are some.
    """
    wrong = [place for place, problem in enumerate(problems) if problem is not None]
    if not wrong:
        return
    names = ["calculation_id", "material_key", "formula_reduced"]
    column = next((name for name in names if name in rows.column_names), None)
    described = [
        f"{f'row {place}' if column is None else rows[column][place].as_py()} {problems[place]}"
        for place in wrong[:NAMED]
    ]
    more = f"; and {len(wrong) - NAMED:,} more" if len(wrong) > NAMED else ""
    raise InputError(f"{len(wrong):,} of {len(problems):,} crystals cannot become graphs: {'; '.join(described)}{more}."
                     " Leave them out.")


def _forms(table: pa.Table) -> list[str | None]:
    """What is wrong with the form of each row's columns."""
    lattice, positions, species = (table[name] for name in COLUMNS)
    sites = pc.fill_null(pc.list_value_length(species), 0)
    checks = {
        "has no atoms": pc.equal(sites, 0),
        "has a lattice that is not three vectors of three numbers": _not_vectors(lattice, pa.scalar(3)),
        "has other positions than three numbers for each species": _not_vectors(positions, sites),
    }
    problems: list[str | None] = [None] * table.num_rows
    for words, found in checks.items():
        for place in np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist():
            problems[place] = problems[place] or words
    return problems


def _not_vectors(column: pa.ChunkedArray, n: Any) -> Any:
    """Where a column does not hold ``n`` vectors of three numbers."""
    wrong = pc.not_equal(pc.fill_null(pc.list_value_length(column), -1), n)
    vectors = pc.list_flatten(column)
    odd = pc.not_equal(pc.fill_null(pc.list_value_length(vectors), -1), 3).to_numpy(zero_copy_only=False)
    parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    values = pc.is_null(pc.list_flatten(vectors)).to_numpy(zero_copy_only=False)
    inner = pc.list_parent_indices(vectors).to_numpy(zero_copy_only=False)
    mask = wrong.to_numpy(zero_copy_only=False).copy()
    mask[parents[odd]] = True
    mask[parents[inner[values]]] = True
    return pa.array(mask)


def _without(table: pa.Table, bad: pa.Array) -> pa.Table:
    """The table with a cell without atoms in the place of every bad row."""
    empty = {"lattice_vectors_angstrom": np.eye(3).tolist(), "fractional_positions": [], "species_at_sites": []}
    columns = [
        pc.if_else(bad, pa.scalar(empty[name], table.schema.field(name).type), table[name]) for name in COLUMNS
    ]
    return pa.table(columns, names=list(COLUMNS)).combine_chunks()


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    flat = pc.list_flatten(pc.list_flatten(column))
    # Writable, for numba compiles another kernel for arrays that are not.
    return np.require(flat.to_numpy(zero_copy_only=False), np.float64, ["C", "W"])
