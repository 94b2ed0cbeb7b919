"""What decides how a crystal becomes a graph."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from lake.errors import InputError

METHOD = 1
"""Counts up whenever the same settings give another graph: what was stored before is then built anew."""
KINDS = ("quotient", "full")
MOST_NEIGHBOURS = 1_000
LARGEST_DISTANCE_ANGSTROM = (0.5, 100.0)
TOLERANCE_ANGSTROM = (1e-8, 0.2)


@dataclass(frozen=True)
class GraphSettings:
    """How a crystal becomes a graph.

    Attributes:
        kind: ``quotient``: atoms that no network which sees only elements and distances can tell apart are one node;
            ``full``: one node per atom, and edges carry their vector.
        n_neighbours: every atom is joined to all others as far as its so many nearest reach: shells are taken whole.
        largest_distance_angstrom: shells that begin beyond it are left out, but for an atom's nearest.
        shell_tolerance_angstrom: neighbours belong to one shell where their distances, in order, are no further apart.
        distance_tolerance_angstrom: distances within one crystal that differ by no more may count as one.
    """

    kind: Literal["quotient", "full"] = "quotient"
    n_neighbours: int = 24
    largest_distance_angstrom: float = 15.0
    shell_tolerance_angstrom: float = 1e-2
    distance_tolerance_angstrom: float = 1e-4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"There is no kind of graph {self.kind!r:.80}. Kinds: {', '.join(KINDS)}.")
        n = self.n_neighbours
        if type(n) is not int or not 1 <= n <= MOST_NEIGHBOURS:
            raise InputError(f"n_neighbours {n!r:.80}: a whole number from 1 to {MOST_NEIGHBOURS} is needed.")
        self._check("largest_distance_angstrom", LARGEST_DISTANCE_ANGSTROM)
        self._check("shell_tolerance_angstrom", TOLERANCE_ANGSTROM)
        self._check("distance_tolerance_angstrom", TOLERANCE_ANGSTROM)

    def _check(self, name: str, bounds: tuple[float, float]) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) \
                or not bounds[0] <= value <= bounds[1]:
            raise InputError(f"{name} {value!r:.80}: a number from {bounds[0]:g} to {bounds[1]:g} is needed.")
        object.__setattr__(self, name, float(value))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> GraphSettings:
        """Settings from plain values by name; what is not given is default.

        Raises:
            InputError: a name is unknown, or a value impossible.
        """
        known = [one.name for one in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"Graphs have no setting {unknown[0]!r:.80}. Settings: {', '.join(known)}.")
        return cls(**given)

    @property
    def digest(self) -> str:
        """Names what these settings make of a crystal: 16 hexadecimal digits."""
        text = json.dumps(asdict(self) | {"method": METHOD}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
