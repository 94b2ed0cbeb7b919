"""Which rows are told apart when the error of a model is looked into: by element, materials in common, settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml.bootstrap import Ints

ALL = "all"
EVERY = "*"
UNKNOWN = "unknown"
COMMON, ALONE = "in common", "only here"
QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
SIZES = ((4, "1–4 atoms"), (12, "5–12 atoms"), (24, "13–24 atoms"), (10**9, "25 atoms or more"))
GAPS = ((0.0, "no gap"), (1.0, "up to 1 eV"), (3.0, "1–3 eV"), (np.inf, "above 3 eV"))
GAP = "band_gap_ev"

Slice = tuple[str, str, Ints]


def slices_of(rows: pa.Table, target: str | None = None) -> Iterator[Slice]:
    """Kinds and names of slices with the places of their rows; kinds that the columns do not tell are left out.

    Args:
        rows: any of elements, common, energy_functional or gap_functional, plus_u, n_sites,
            formation_energy_ev_per_atom, actual.
        target: the column that is predicted: says whose functional matters, and whether gaps are told apart.
    """
    yield ALL, EVERY, np.arange(rows.num_rows)
    functional = "gap_functional" if target == GAP else "energy_functional"
    if "common" in rows.column_names:
        yield from _named("common", pc.if_else(rows["common"], COMMON, ALONE))
    if functional in rows.column_names:
        yield from _named("functional", rows[functional])
    if "plus_u" in rows.column_names:
        yield from _named("plus_u", rows["plus_u"])
    if "formation_energy_ev_per_atom" in rows.column_names:
        yield from _quarters("formation_energy", rows["formation_energy_ev_per_atom"])
    if target == GAP:
        yield from _upto("gap", rows["actual"], GAPS)
    if "n_sites" in rows.column_names:
        yield from _upto("size", rows["n_sites"], SIZES)
    if "elements" in rows.column_names:
        yield from _named("n_elements", pc.cast(pc.list_value_length(rows["elements"]), pa.string()))
        yield from _elements(rows["elements"])


def in_common(rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    """Whether each row's material is in two or more of the databases among the rows."""
    pairs = rows.select(["material_key", "source"]).group_by(["material_key", "source"], use_threads=False)
    counted = pairs.aggregate([]).group_by("material_key", use_threads=False).aggregate([("source", "count")])
    several = counted.filter(pc.greater(counted["source_count"], 1))["material_key"]
    return pc.is_in(rows["material_key"], value_set=pc.cast(several.combine_chunks(), pa.string()))


def _named(kind: str, names: pa.ChunkedArray | pa.Array) -> Iterator[Slice]:
    filled = pc.fill_null(names, UNKNOWN)
    values = np.asarray(filled.to_pylist(), dtype=np.str_)
    for name in np.unique(values):
        yield kind, str(name), np.flatnonzero(values == name)


def _known(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), float("nan")).to_numpy())


def _quarters(kind: str, column: pa.ChunkedArray | pa.Array) -> Iterator[Slice]:
    values = _known(column)
    known = np.isfinite(values)
    if not known.any():
        return
    edges = np.quantile(values[known], (0.25, 0.5, 0.75))
    yield from _groups(kind, np.where(known, np.searchsorted(edges, values), -1), QUARTERS.__getitem__)


def _upto(
    kind: str, column: pa.ChunkedArray | pa.Array, steps: tuple[tuple[float, str], ...]
) -> Iterator[Slice]:
    values = _known(column)
    groups = np.searchsorted([step for step, _ in steps], values)
    yield from _groups(kind, np.where(np.isfinite(values), groups, -1), lambda group: steps[group][1])


def _groups(kind: str, groups: Ints, name: Callable[[int], str]) -> Iterator[Slice]:
    for group in np.unique(groups):
        yield kind, UNKNOWN if group < 0 else name(int(group)), np.flatnonzero(groups == group)


def _elements(column: pa.ChunkedArray | pa.Array) -> Iterator[Slice]:
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    elements = np.asarray(pc.list_flatten(lists).to_pylist(), dtype=np.str_)
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.lexsort((rows, elements))
    names, starts = np.unique(elements[order], return_index=True)
    for name, places in zip(names, np.split(rows[order], starts[1:]), strict=True):
        yield "element", str(name), np.unique(places)
