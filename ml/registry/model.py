"""A trained model, of any kind: crystals in, values in the unit of its target out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.data.target import Target
from ml.registry.document import Document
from ml.spec import ModelSpec

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """What a model says of n rows, in the unit of its target.

    Attributes:
        members: of every member of the ensemble (n_members, n).
        mean: of the members (n,).
        standard_deviation: of the members (n,), as they come, not calibrated; None where there is one member.
        latents: what the network makes of each crystal, mean over members (n, width); None if not asked for, or of a
            model that has none.
    """

    members: Floats
    mean: Floats
    standard_deviation: Floats | None
    latents: Floats | None

    @classmethod
    def of(cls, members: Floats, latents: Floats | None = None) -> Predicted:
        """Mean and spread of members (n_members, n)."""
        members = np.asarray(members, dtype=np.float64)
        spread = members.std(axis=0, ddof=1) if len(members) > 1 else None
        return cls(members, members.mean(axis=0), spread, latents)


class Predictor(Protocol):
    """The part of a model that computes."""

    def members(self, rows: pa.Table) -> Floats:
        """Predictions of every member (n_members, n), in the unit of the target."""

    def latents(self, rows: pa.Table) -> Floats | None:
        """What the network makes of each crystal (n, width); None of a model that has no such thing."""

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions and latents of one pass."""


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        row: its row of `models`; of a model that is not saved, without name and version.
        document: all that it is but its weights.
        predictor: what computes.
        weights: its arrays by name, as they are stored.
    """

    row: dict[str, Any]
    document: Document
    predictor: Predictor
    weights: Mapping[str, npt.NDArray[Any]]

    @property
    def model_id(self) -> str:
        """``<name>.<version>``; empty where it is not saved."""
        return str(self.row.get("model_id") or "")

    @property
    def spec(self) -> ModelSpec:
        """How it was made."""
        return self.document.spec

    @property
    def target(self) -> Target:
        """What it predicts."""
        return self.document.target

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that it has seen."""
        return self.document.elements

    @property
    def encoding(self) -> dict[str, Any] | None:
        """How settings become inputs, as plain values; None = it takes none."""
        return self.document.encoding

    def predict(self, rows: pa.Table, latents: bool = False) -> Predicted:
        """What it says of crystals.

        Args:
            rows: with ``lattice_vectors_angstrom``, ``fractional_positions``, ``species_at_sites``, and the columns
                that it takes as inputs (a column that is missing is taken as unknown).
            latents: also what the network makes of each crystal.

        Returns:
            Values in the order of the rows.

        Raises:
            InputError: a crystal is not whole, or holds an element that the model has never seen; the message names
                both.
        """
        return Predicted.of(*self.predictor.both(rows)) if latents else Predicted.of(self.predictor.members(rows))
