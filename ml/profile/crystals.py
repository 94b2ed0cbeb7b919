"""Crystals to time networks on: those of a lake, or made up where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.graphs.build import problems_of
from ml.graphs.crystals import table_of

if TYPE_CHECKING:
    from lake.store.lake import Lake

FCC = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
CUBE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
HEXAGON = ((1.0, 0.0, 0.0), (-0.5, 3**0.5 / 2, 0.0), (0.0, 0.0, 1.633))
U = 0.305
PROTOTYPES: tuple[tuple[Any, tuple[tuple[float, float, float], ...], tuple[int, ...]], ...] = (
    (FCC, ((0, 0, 0), (0.5, 0.5, 0.5)), (0, 1)),
    (CUBE, ((0, 0, 0), (0.5, 0.5, 0.5)), (0, 1)),
    (FCC, ((0, 0, 0), (0.25, 0.25, 0.25)), (0, 1)),
    (FCC, ((0, 0, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)), (0, 1, 1)),
    (FCC, ((0, 0, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75), (0.5, 0.5, 0.5)), (0, 1, 1, 2)),
    (CUBE, ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)), (0, 1, 2, 2, 2)),
    (HEXAGON, ((1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0.5), (1 / 3, 2 / 3, 0.375), (2 / 3, 1 / 3, 0.875)), (0, 0, 1, 1)),
    (((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.644)),
     ((0, 0, 0), (0.5, 0.5, 0.5), (U, U, 0), (1 - U, 1 - U, 0), (0.5 + U, 0.5 - U, 0.5), (0.5 - U, 0.5 + U, 0.5)),
     (0, 0, 1, 1, 1, 1)),
)
"""Rock salt, CsCl, zinc blende, fluorite, Heusler, perovskite, wurtzite, rutile: lattice, positions, kinds."""
SYMBOLS = ("Li", "O", "F", "Na", "Mg", "Al", "Si", "S", "Cl", "K", "Ca", "Ti", "V", "Mn", "Fe", "Co", "Ni", "Cu", "Zn",
           "Ga", "Se", "Br", "Sr", "Y", "Zr", "Nb", "Ag", "In", "Sn", "Te", "I", "Cs", "Ba", "La", "Pb", "Bi")
REPEATS = ((1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 1, 3))
SHARE_DISTORTED = 0.35
"""Of crystals whose atoms are moved, so that no two of them are alike; with it graphs are about as large as MP's."""


def crystals_of(lake: Lake, n: int, seed: int = 0) -> pa.Table:
    """Some crystals of a lake, the same ones each time while it does not change.

    Args:
        lake: where `calculations` are.
        n: how many at most.
        seed: which ones.

    Returns:
        The three columns of a crystal; fewer rows, or none, where the lake has no more crystals that can be used.
    """
    if "calculations" not in lake.versions():
        return table_of([])
    with lake.connect() as connection:
        found: pa.Table = connection.sql(
            "select lattice_vectors_angstrom, fractional_positions, species_at_sites from calculations where "
            "usable_structure(lattice_vectors_angstrom, fractional_positions, species_at_sites) "
            "order by hash(calculation_id, $seed), calculation_id limit $n", params={"seed": seed, "n": n},
        ).to_arrow_table()
    usable = [problem is None for problem in problems_of(found)]
    return found.filter(pa.array(usable, pa.bool_()))


def made_up(n: int, seed: int = 0) -> pa.Table:
    """Crystals of common structure types with random elements and volumes, some of them distorted.

    Args:
        n: how many.
        seed: of the random numbers.

    Returns:
        The three columns of a crystal.
    """
    rng = np.random.default_rng(seed)
    return table_of([_crystal(rng) for _ in range(n)])


def _crystal(rng: np.random.Generator) -> dict[str, Any]:
    cell, positions, kinds = PROTOTYPES[rng.integers(len(PROTOTYPES))]
    repeats = np.array(REPEATS[rng.integers(len(REPEATS))])
    corners = np.array(list(np.ndindex(*repeats)))
    atoms: npt.NDArray[np.float64] = np.asarray(positions, dtype=np.float64)
    fractional = ((corners[:, None] + atoms[None]) / repeats).reshape(-1, 3)
    lattice = np.array(cell) * repeats[:, None]
    volume = rng.uniform(10.0, 25.0) * len(fractional)
    lattice = lattice * (volume / abs(np.linalg.det(lattice))) ** (1 / 3)
    if rng.random() < SHARE_DISTORTED:
        lattice = lattice @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3)))
        fractional = fractional + rng.normal(scale=0.05, size=fractional.shape) @ np.linalg.inv(lattice)
    symbols = rng.choice(SYMBOLS, size=max(kinds) + 1, replace=False)
    return {"lattice_vectors_angstrom": lattice.tolist(), "fractional_positions": fractional.tolist(),
            "species_at_sites": [str(symbols[kind]) for kind in kinds] * len(corners)}
