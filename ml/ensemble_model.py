"""Networks of several shapes that answer together, as one predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml.graph_model import GraphModel
from ml.registry.document import Document
from ml.spec import MEMBERS

if TYPE_CHECKING:
    from ml.registry.model import Floats

OWN = ("settings", "encoding", "mean", "scale", "baseline")
"""What every member has of its own."""


@dataclass(frozen=True)
class EnsembleModel:
    """Several graph networks.

    Attributes:
        parts: each with all that stands between a crystal and its input, the best one first.
    """

    parts: tuple[GraphModel, ...]

    @classmethod
    def of(
        cls, document: Document, arrays: Mapping[str, npt.NDArray[Any]], device: str, where: str
    ) -> EnsembleModel:
        """The networks of a description, with weights that fit them.

        Raises:
            InputError: settings are not those of networks, or the arrays are not their weights.
        """
        described = document.settings.get(MEMBERS)
        specs = document.spec.members
        if not isinstance(described, list) or len(described) != len(specs) or not specs:
            raise InputError(f"{where} is described as an ensemble of {len(specs)} networks, and not each of them is.")
        known = {f"{place}." for place in range(len(specs))}
        if stray := sorted(name for name in arrays if f"{name.partition('.')[0]}." not in known):
            raise InputError(f"The weights of {where} hold {stray[0][:80]!r}, which is of none of its members.")
        return cls(tuple(
            GraphModel.of(member_document(document, place, f"member {place} of {where}"), of_member(arrays, place),
                          device, f"member {place} of {where}")
            for place in range(len(specs))))

    def members(self, rows: pa.Table) -> Floats:
        """Predictions of every network (n_members, n), in the unit of the target.

        Raises:
            InputError: a crystal is not whole, or holds an element that the networks do not know.
        """
        return np.concatenate([part.members(rows) for part in self.parts])

    def latents(self, rows: pa.Table) -> Floats | None:
        """Node features of the first network, averaged over atoms (n, channels): widths differ between networks."""
        return self.parts[0].latents(rows)

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions and latents."""
        first, latents = self.parts[0].both(rows)
        return np.concatenate([first, *(part.members(rows) for part in self.parts[1:])]), latents


def plain_member(document: Document) -> dict[str, Any]:
    """What an ensemble keeps of a member's description beside its spec."""
    return {name: getattr(document, name) for name in OWN} | {
        "baseline": {str(number): value for number, value in sorted(document.baseline.items())}}


def member_document(document: Document, place: int, where: str) -> Document:
    """The description of one member of an ensemble.

    Raises:
        InputError: it is not whole.
    """
    try:
        own = document.settings[MEMBERS][place]
        return replace(
            document, spec=document.spec.members[place], settings=own["settings"], encoding=own["encoding"],
            mean=float(own["mean"]), scale=float(own["scale"]),
            baseline={int(number): float(value) for number, value in own["baseline"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} is not described whole: {type(error).__name__}: {error}.") from None


def of_member(arrays: Mapping[str, npt.NDArray[Any]], place: int) -> dict[str, npt.NDArray[Any]]:
    """The weights of one member, by their names in its network."""
    prefix = f"{place}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
