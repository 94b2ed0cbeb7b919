"""What every form of a structure is read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class BadGeometryError(ValueError):
    """A structure that cannot be taken; ``reason`` is the code of the reject."""

    def __init__(self, message: str, reason: str = "bad_structure") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Geometry:
    """One structure as the lake's columns hold it, not yet checked.

    Attributes:
        lattice: 3 × 3, rows a, b, c in Å.
        positions: n × 3, fractional.
        species: n element symbols; None where there is no structure.
        extras: what else it holds, as ``structure_extras_json``.
    """

    lattice: Any
    positions: Any
    species: list[str] | None
    extras: str | None = None
