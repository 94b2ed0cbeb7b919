"""What a transfer experiment is asked for, checked before anything is read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from lake.errors import InputError
from ml.data import Selection
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from ml.data.target import Target

ROADS = ("own", "combined", "settings", "corrected")
"""One model per database; one on all; that with the settings as inputs; that on targets brought to one level."""
SETTINGS = ("source", "plus_u", "cutoff_ev", "k_point_density_angstrom")
"""What enters on the road ``settings``, beside the functional that the target is of."""


@dataclass(frozen=True)
class TransferRequest:
    """What to do.

    Attributes:
        selection: target, rows and split; its sources are those of the experiment, empty = all that have the target.
        spec: how every model is made.
        roads: some of :data:`ROADS`; ``own`` is what the others are judged by.
        level: database whose level targets are brought to on the road ``corrected``; None = the one with most rows.
        name: what the models are called begins with this.
    """

    selection: Selection
    spec: ModelSpec
    roads: tuple[str, ...] = ROADS
    level: str | None = None
    name: str = "transfer"

    def __post_init__(self) -> None:
        given = tuple(dict.fromkeys(self.roads))
        unknown = [road for road in given if road not in ROADS]
        if unknown or not given:
            raise InputError(f"There is no road {', '.join(unknown) or '(none was given)'}. Roads: {', '.join(ROADS)}.")
        object.__setattr__(self, "roads", tuple(road for road in ROADS if road in given))
        # The references differ between databases: that is what the experiment is about.
        object.__setattr__(self, "selection", replace(self.selection, mixed_references=True))
        sources = self.selection.sources
        if len(sources) == 1:
            raise InputError(
                f"A transfer is between databases, and {sources[0]} is one alone: give two or more, "
                f"--sources {sources[0]},…; matlake train trains on one."
            )
        if self.level is not None and sources and self.level not in sources:
            raise InputError(f"Targets cannot be brought to the level of {self.level!r:.80}: it is none of the "
                             f"databases of the experiment ({', '.join(sources)}).")

    def json(self) -> str:
        """All that was asked, as JSON that is always spelled the same way."""
        values = {
            "selection": json.loads(self.selection.json()), "spec": json.loads(self.spec.json()),
            "roads": list(self.roads), "level": self.level, "name": self.name,
        }
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def inputs(self, target: Target) -> tuple[str, ...]:
        """The columns that enter on the road ``settings``."""
        return tuple(dict.fromkeys(("source", target.functional_column, *SETTINGS[1:])))

    def plain(self) -> dict[str, object]:
        """The fields as plain values."""
        return asdict(self)
