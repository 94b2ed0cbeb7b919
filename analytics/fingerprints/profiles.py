"""A batch of densities of states in memory, end to end in flat arrays, as kernels want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lake.errors import InputError

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

DOS_COLUMNS = (
    "calculation_id", "energies_ev", "states_per_ev_per_atom", "reference_level", "spin_polarized", "broadening_ev"
)
"""The columns of the table `dos` that profiles are made from."""


@dataclass(frozen=True)
class Profiles:
    """n densities of states; the points of number i lie at ``offsets[i]`` to ``offsets[i + 1]``.

    Nothing is checked here: a density may be empty, unsorted or not finite (a null within a list becomes NaN).
    Where the lists of energies and states of one row differ in length, the row has no points.

    Attributes:
        ids: n calculation ids.
        offsets: (n + 1,) positions in the arrays of points, ascending from 0.
        energies_ev: all energies in eV, relative to each row's reference level.
        states: all densities in states/eV/atom, spins summed.
        reference_level: Arrow strings (n,): what 0 eV is; null = unknown.
        spin_polarized: Arrow booleans (n,): whether two channels were summed; null = unknown.
        broadening_ev: Arrow floats (n,): broadening in eV; null = unknown.
    """

    ids: list[str]
    offsets: Longs
    energies_ev: Floats
    states: Floats
    reference_level: pa.Array
    spin_polarized: pa.Array
    broadening_ev: pa.Array

    def __post_init__(self) -> None:
        # Arrow's memory cannot be written to; with other arrays alike, a kernel is compiled once, not twice
        for name in ("offsets", "energies_ev", "states"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def of_table(cls, rows: pa.Table) -> Profiles:
        """The densities of rows of the lake's table `dos`.

        Args:
            rows: an Arrow table with at least :data:`DOS_COLUMNS`. Its lists are taken without a copy where each
                column is one chunk without nulls.

        Raises:
            InputError: a column is missing or of another type.
        """
        missing = [name for name in DOS_COLUMNS if name not in rows.column_names]
        if missing:
            raise InputError(f"Densities of states: the table lacks the column {missing[0]}.")
        energies, lengths = _points(rows, "energies_ev")
        states, other = _points(rows, "states_per_ev_per_atom")
        if not np.array_equal(lengths, other):
            equal = lengths == other
            energies, states = energies[np.repeat(equal, lengths)], states[np.repeat(equal, other)]
            lengths = np.where(equal, lengths, 0)
        return cls(
            _one(rows, "calculation_id", pa.string()).to_pylist(), _offsets(lengths), energies, states,
            _one(rows, "reference_level", pa.string()), _one(rows, "spin_polarized", pa.bool_()),
            _one(rows, "broadening_ev", pa.float64()),
        )

    @classmethod
    def of_arrays(
        cls, energies_ev: Sequence[ArrayLike], states: Sequence[ArrayLike], ids: Sequence[str] | None = None,
        reference_level: str | None = "vbm_reported",
    ) -> Profiles:
        """The densities in pairs of arrays, one pair each: for scripts and tests.

        Args:
            energies_ev: n arrays of energies in eV relative to the reference level.
            states: n arrays of as many densities in states/eV/atom.
            ids: n ids; default ``0``, ``1``, ….
            reference_level: what 0 eV is, for all of them.

        Raises:
            InputError: different numbers of arrays, or arrays of different length.
        """
        energy_arrays = [np.asarray(e, dtype=np.float64).ravel() for e in energies_ev]
        state_arrays = [np.asarray(s, dtype=np.float64).ravel() for s in states]
        lengths = [len(e) for e in energy_arrays]
        if lengths != [len(s) for s in state_arrays]:
            raise InputError("Densities of states: every array of energies needs one of as many states.")
        names = [str(i) for i in range(len(lengths))] if ids is None else list(ids)
        if len(names) != len(lengths):
            raise InputError(f"Densities of states: {len(names):,} ids for {len(lengths):,} densities.")
        empty = np.zeros(0, dtype=np.float64)
        return cls(
            names, _offsets(np.array(lengths, dtype=np.int64)),
            np.concatenate([*energy_arrays, empty]), np.concatenate([*state_arrays, empty]),
            pa.array([reference_level] * len(names), pa.string()), pa.nulls(len(names), pa.bool_()),
            pa.nulls(len(names), pa.float64()),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Longs:
        """Points of every density (n,)."""
        return np.diff(self.offsets)

    def of_row(self, index: int) -> tuple[Floats, Floats]:
        """Energies in eV and states/eV/atom of one density, as views."""
        part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return self.energies_ev[part], self.states[part]

    def take(self, indices: ArrayLike) -> Profiles:
        """The densities at some positions, in that order, as a copy."""
        wanted = np.asarray(indices, dtype=np.int64)
        offsets = _offsets(self.lengths[wanted])
        source = np.repeat(self.offsets[wanted] - offsets[:-1], np.diff(offsets)) + np.arange(offsets[-1])
        chosen = pa.array(wanted)
        return Profiles(
            [self.ids[i] for i in wanted.tolist()], offsets, self.energies_ev[source], self.states[source],
            self.reference_level.take(chosen), self.spin_polarized.take(chosen), self.broadening_ev.take(chosen),
        )


def _offsets(lengths: Longs) -> Longs:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def _one(rows: pa.Table, name: str, *wanted: pa.DataType) -> pa.Array:
    """A column as one array of one of the wanted types: its own, or else the first."""
    column = rows.column(name)
    try:
        found = column if column.type in wanted else column.cast(wanted[0])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"Densities of states: column {name} is {column.type}, {wanted[0]} is needed.") from error
    return found.chunk(0) if found.num_chunks == 1 else pa.concat_arrays([*found.chunks, pa.array([], found.type)])


def _points(rows: pa.Table, name: str) -> tuple[Floats, Longs]:
    """The flat values of a column of lists, and how many every row has."""
    # the 32-bit offsets of list may not do for several chunks together; one chunk is taken as it is
    own = (pa.list_(pa.float64()),) if rows.column(name).num_chunks == 1 else ()
    lists = _one(rows, name, pa.large_list(pa.float64()), *own)
    lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    # flatten() leaves out what lies under a null or outside a slice, which .values would not
    values = lists.flatten()
    if values.null_count:
        values = pc.fill_null(values, float("nan"))
    return values.to_numpy(zero_copy_only=False), lengths.astype(np.int64, copy=False)
