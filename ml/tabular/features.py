"""Rows to features: composition, optionally the cell, optionally the settings of the calculation as inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import InputError
from ml.tabular.cell import CELL_NAMES, cell_features
from ml.tabular.composition import composition_features, composition_names
from ml.tabular.settings_columns import SettingsColumn

KINDS = ("composition", "composition+cell")


@dataclass(frozen=True)
class FeatureSpace:
    """What the features of a model are, so that other rows get the same ones.

    Attributes:
        kind: ``composition``, or ``composition+cell`` (volume per atom, space group, crystal system as well).
        inputs: settings of the calculation that are features too, with what was learned of them.
    """

    kind: str = "composition"
    inputs: tuple[SettingsColumn, ...] = ()

    @classmethod
    def of(cls, rows: pa.Table, kind: str = "composition", inputs: tuple[str, ...] = ()) -> FeatureSpace:
        """The features for a model that learns from these rows (those of its training split).

        Args:
            rows: hold the columns named in ``inputs``: text, numbers or flags, such as ``source``, ``plus_u``,
                ``gap_functional``, ``cutoff_ev``.
            kind: one of :data:`KINDS`.
            inputs: columns whose values become features.

        Raises:
            InputError: no such kind, no such column, or one of another type.
        """
        if kind not in KINDS:
            raise InputError(f"There are no features {kind!r}. Choose one of {', '.join(KINDS)}.")
        absent = [name for name in inputs if name not in rows.column_names]
        if absent:
            raise InputError(
                f"The rows have no column {', '.join(absent)}, which the settings as inputs name. Columns: "
                f"{', '.join(rows.column_names)}."
            )
        return cls(kind, tuple(SettingsColumn.of(name, rows[name]) for name in inputs))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every feature."""
        cell = CELL_NAMES if self.kind == "composition+cell" else ()
        return composition_names() + cell + tuple(name for column in self.inputs for name in column.names)

    def values(self, rows: pa.Table) -> NDArray[np.float32]:
        """The features of rows.

        Args:
            rows: ``formula_reduced``, the columns of the inputs, and for the cell ``lattice_vectors_angstrom``,
                ``n_sites`` and ``spacegroup_number``.

        Returns:
            (n, number of :attr:`names`), finite.

        Raises:
            InputError: a formula is none, or a cell without volume, sites or space group.
        """
        parts: list[NDArray[Any]] = [composition_features(rows["formula_reduced"])]
        if self.kind == "composition+cell":
            parts.append(cell_features(rows))
        parts += [column.values(_column(rows, column.name)) for column in self.inputs]
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)

    def unseen(self, rows: pa.Table) -> dict[str, list[str]]:
        """Settings of rows that the model has not seen and takes as unknown, by column."""
        found = {column.name: column.unseen(_column(rows, column.name)) for column in self.inputs}
        return {name: values for name, values in found.items() if values}

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `model.json`."""
        return {"kind": self.kind, "inputs": [column.to_json() for column in self.inputs]}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> FeatureSpace:
        """From plain values.

        Raises:
            InputError: they describe no features.
        """
        try:
            kind, inputs = str(plain["kind"]), tuple(SettingsColumn.from_json(c) for c in plain["inputs"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"The model's features cannot be read: {error!r}. Is its model.json whole?") from None
        if kind not in KINDS:
            raise InputError(f"There are no features {kind!r:.40}. Known are {', '.join(KINDS)}.")
        return cls(kind, inputs)


def _column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """A column; all null where the rows do not have it, as a structure from a file has no settings."""
    return rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows)])
