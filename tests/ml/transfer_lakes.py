"""Two databases that disagree by a shift per element, and a third that shares nothing with them."""

from __future__ import annotations

from typing import Any

from lake.store.lake import Lake
from ml.data import Selection
from ml.spec import ModelSpec
from ml.transfer import Corrections, TransferRequest
from tests.ml import training_lakes as made

SHIFT_EV = {name: 0.05 * n for n, name in enumerate(made.CATIONS)} | dict.fromkeys(made.ANIONS, 0.3)
"""What the database `small` adds for every atom of an element."""
TARGET = "formation_energy_ev_per_atom"
FOREST = ModelSpec("forest", model={"n_estimators": 8})


def shifted(row: dict[str, Any]) -> dict[str, Any]:
    atoms = row["species_at_sites"]
    shift = sum(SHIFT_EV[name] for name in atoms) / len(atoms)
    return row | {TARGET: row[TARGET] + shift, "formation_energy_reference": "theirs"}


def rows() -> list[dict[str, Any]]:
    """`large` has all rock salts at two volumes, `small` half of them at one."""
    large = made.rows_of("large", 4.2) + made.rows_of("large", 4.4)
    small = [row for place, row in enumerate(made.rows_of("small", 4.2)) if (place + place // len(made.ANIONS)) % 2]
    return large + [shifted(row) for row in small]


def request(sources: tuple[str, ...] = (), spec: ModelSpec = FOREST, **more: Any) -> TransferRequest:
    return TransferRequest(Selection(TARGET, sources=sources), spec, **more)


def true_corrections(_data: object = None) -> Corrections:
    return Corrections("large", {"small": {name: -value for name, value in SHIFT_EV.items()}})


def filled(lake: Lake) -> Lake:
    return made.fill(lake, rows())
