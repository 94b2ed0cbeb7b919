"""Clusters of a lattice and their correlations, by icet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.expansion.parent import Parent
from ml.expansion.placing import Placed

Floats = npt.NDArray[np.float64]
SHORTEST_STEP = 0.02
"""Å by which a cutoff differs from the distance that it takes in."""
LONGEST = 4.0
"""Cutoffs are looked for up to so many times the mean distance of sites."""
SHARE_OF_PAIRS = 0.75
"""How far triplets reach, as a share of the reach of pairs, where a number of clusters is asked for."""


@dataclass(frozen=True)
class Cluster:
    """One correlation.

    Attributes:
        order: sites in the cluster: 1, 2, 3, …
        diameter_angstrom: largest distance between two of them.
        name: as in ``pair 2.91 Å, Al Ga In · O (0 1)``: order, diameter, sublattices, point functions.
    """

    order: int
    diameter_angstrom: float
    name: str


@dataclass
class Clusters:
    """The clusters of a lattice up to cutoffs.

    Attributes:
        parent: the lattice.
        cutoffs: largest distance in pairs, triplets, quadruplets, …, Å.
    """

    parent: Parent
    cutoffs: tuple[float, ...]
    _space: Any = field(default=None, repr=False)

    @property
    def space(self) -> Any:
        """ClusterSpace of icet.

        Raises:
            InputError: nothing can vary on this lattice.
        """
        if self._space is None:
            from icet import ClusterSpace

            if not self.parent.active:
                raise InputError(f"On every site of {self.parent.name} there is one species only: there is nothing to "
                                 "expand in.")
            symbols = [list(one) for one in self.parent.species]
            self._space = ClusterSpace(self.parent.atoms(), list(self.cutoffs), symbols)
        return self._space

    def __getstate__(self) -> dict[str, Any]:
        """Without icet's object, which does not travel."""
        return {"parent": self.parent, "cutoffs": self.cutoffs, "_space": None}

    def __len__(self) -> int:
        return len(self.space) - 1

    def listed(self) -> list[Cluster]:
        """What every correlation is of."""
        found = []
        names = {1: "point", 2: "pair", 3: "triplet", 4: "quadruplet"}
        for row in self.space.as_list[1:]:
            order, diameter = int(row["order"]), _diameter(self.space, int(row["orbit_index"]))
            letters = "-".join(str(one) for one in row["sublattices"])
            functions = " ".join(str(one) for one in row["multicomponent_vector"])
            size = "" if order == 1 else f" {diameter:.2f} Å"
            name = f"{names.get(order, f'{order}-cluster')}{size} {letters} ({functions}) orbit {row['orbit_index']}"
            found.append(Cluster(order, diameter, " ".join(name.split())))
        return found

    def correlations(self, placed: Placed) -> Floats:
        """Of one structure (p,), without the constant.

        Raises:
            InputError: icet cannot compute them.
        """
        try:
            vector = self.space.get_cluster_vector(placed.atoms(self.parent))
        except Exception as error:  # noqa: BLE001 - icet raises Exception itself
            raise InputError(f"Correlations on {self.parent.name} cannot be computed: {error}") from None
        return np.asarray(vector, dtype=np.float64)[1:]


def _diameter(space: Any, orbit: int) -> float:
    """Largest distance between two sites of a cluster of an orbit, Å; the radius of icet is a mean."""
    return float(max(space.orbit_list.get_orbit(orbit).representative_cluster.distances, default=0.0))


def clusters_for(parent: Parent, wanted: int, orders: int = 3) -> Clusters:
    """Clusters with about as many correlations as wanted: points, pairs, and triplets of a shorter reach.

    The reach grows from distance to distance between sites; the largest reach with no more correlations than wanted is
    taken, and the first one where that is none.

    Args:
        parent: the lattice.
        wanted: correlations at most.
        orders: sites in a cluster at most, 2 or more.

    Raises:
        InputError: nothing can vary on the lattice.
    """
    best: Clusters | None = None
    for reach in _distances(parent):
        cutoffs = (reach, *(round(reach * SHARE_OF_PAIRS**(order - 2), 3) for order in range(3, orders + 1)))
        found = Clusters(parent, cutoffs)
        if best is not None and len(found) > wanted:
            break
        best = found
        if len(found) >= wanted:
            break
    assert best is not None
    return best


def _distances(parent: Parent) -> list[float]:
    """Distances between sites that can vary, each a little longer, Å; at least one."""
    if not parent.active:
        return [1.0]
    longest = LONGEST * parent.angstrom_per_site
    active = parent.sites[list(parent.active)]
    reach = np.floor(longest * np.sqrt((np.linalg.inv(parent.cell) ** 2).sum(axis=0))).astype(int) + 1
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    found: set[float] = set()
    for one in active:
        away = ((active - one)[:, None] + grid[None]).reshape(-1, 3) @ parent.cell
        lengths = np.sqrt((away**2).sum(axis=1))
        found |= set(np.round(lengths[(lengths > 1e-3) & (lengths <= longest)], 2).tolist())
    merged: list[float] = []
    for length in sorted(found):
        if merged and length + SHORTEST_STEP - merged[-1] < 2 * SHORTEST_STEP:
            merged[-1] = length + SHORTEST_STEP
        else:
            merged.append(length + SHORTEST_STEP)
    return [round(one, 3) for one in merged] or [round(longest, 3)]


def correlations_of(clusters: Clusters, placed: Sequence[Placed]) -> Floats:
    """Of several structures (n, p)."""
    return np.array([clusters.correlations(one) for one in placed]).reshape(len(placed), len(clusters))

