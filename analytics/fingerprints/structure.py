"""Fingerprints of crystal structures: how far away neighbours are, of the same and of other elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.fingerprints.made import Made
from lake.errors import InputError

Floats = NDArray[np.float64]

DEFINITION = 1
"""Raised when the same structure comes to give other counts: fingerprints of two definitions never meet."""

LEVELS = 255
LEVELS_PER_DENSITY = 50
DISTANCES = 72
FIRST_DISTANCE, DISTANCE_STEP, BROADENING = 0.1, 0.05, 0.06
LARGEST_DISTANCE = FIRST_DISTANCE + DISTANCES * DISTANCE_STEP + 3 * BROADENING
FINE_STEP = BROADENING / 4
FINE_POINTS = math.ceil(LARGEST_DISTANCE / FINE_STEP) + 2
MOST_ATOMS = 10_000
"""Atoms of a cell above which a structure is set aside: some 0.5 s each at that size."""

COLUMNS = ("lattice_vectors_angstrom", "fractional_positions", "species_at_sites")


@dataclass(frozen=True)
class StructureGrid:
    """The pair distribution of a crystal, in 72 steps of distance for like and 72 for unlike elements.

    It is the fingerprint of Oganov and Valle, J. Chem. Phys. 130, 104504 (2009), with three changes: distances
    are in units of the cube root of the volume per atom, so that two compounds of one prototype are alike
    whatever the size of their atoms; elements count only as the same as the atom's own or another, so that rock
    salt differs from simple cubic, and MgO does not differ from NaCl; and it is not reduced by 1, so that counts are
    not negative. A count is 50 (1 − r / r_max) g(r), rounded, at most 255; near distances weigh more, as unlike
    crystals have the same g = 1 far away.

    Independent of cell, supercell, origin and rotation: of 80 records of three databases, each as skewed and
    rotated supercell, all had coefficient 1 with themselves. Atoms moved at random by 0.01 Å: 0.98 to 1.00;
    two unrelated materials: mostly 0.3 to 0.5. A vacuum in the cell counts to its volume. All cells are taken for
    periodic, and a site of several elements for its most frequent one.

    Neighbours are pymatgen's. Two libraries have more of it ready-made and cannot be installed beside the rest:
    dscribe 2.1.2 fails with ase ≥ 3.27 (its issue 165), matminer 0.10.1 wants pandas < 3.
    """

    @property
    def kind(self) -> str:
        """What it describes."""
        return "structure"

    @property
    def grid_id(self) -> str:
        """Its name."""
        return "structure"

    @property
    def n_counts(self) -> int:
        """Counts of a fingerprint: those of like elements, then those of unlike ones."""
        return 2 * DISTANCES

    @property
    def levels(self) -> int:
        """Largest count."""
        return LEVELS

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that counts have in memory."""
        return np.dtype(np.uint8)

    @property
    def description(self) -> str:
        """The grid in words."""
        last = FIRST_DISTANCE + DISTANCES * DISTANCE_STEP
        return (f"neighbours of like and of unlike elements by distance, {FIRST_DISTANCE:g} to {last:g} times the "
                "cube root of the volume per atom")

    def parameters(self) -> dict[str, Any]:
        """Everything that makes the grid again, ready for JSON."""
        return {"kind": "structure", "definition": DEFINITION}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> StructureGrid:
        """The grid of :meth:`parameters`.

        Raises:
            InputError: it takes no parameters, or they are of another definition.
        """
        if dict(parameters) != cls().parameters():
            raise InputError(
                f"Structure grid: parameters are {dict(parameters)}, this matlake makes {cls().parameters()} and "
                "no other; leave them out."
            )
        return cls()


STRUCTURE = StructureGrid()


class UnusableError(Exception):
    """A structure that no fingerprint can be made of: reason code and message."""


def method() -> dict[str, Any]:
    """What beside the grid decides on the counts."""
    return {"most_atoms": MOST_ATOMS}


def neighbour_search() -> Callable[..., tuple[Any, Any, Any, Any]]:
    """The search for neighbours in periodic cells that pymatgen has.

    Raises:
        InputError: pymatgen is not installed.
    """
    try:
        from pymatgen.optimization.neighbors import find_points_in_spheres
    except ImportError:
        raise InputError(
            "Structure fingerprints need pymatgen, which is not installed: pip install 'matlake[structures]'."
        ) from None
    found: Callable[..., tuple[Any, Any, Any, Any]] = find_points_in_spheres
    return found


def make(rows: pa.Table, grid: StructureGrid = STRUCTURE) -> Made:
    """The fingerprints of rows of `calculations`.

    Reasons: ``no_structure``, ``bad_structure`` (lists that do not fit each other, numbers that are not finite, a
    cell without volume, atoms in one place), ``too_many_atoms``, ``no_neighbours`` (none within reach),
    ``library_failure``.

    Args:
        rows: n rows with at least :data:`COLUMNS`.
        grid: the grid.

    Raises:
        InputError: pymatgen is not installed.
    """
    search = neighbour_search()
    raw = np.zeros((rows.num_rows, 2 * FINE_POINTS))
    reasons: list[str | None] = [None] * rows.num_rows
    messages: list[str | None] = [None] * rows.num_rows
    for place in range(rows.num_rows):
        try:
            raw[place] = pair_histogram(search, *(rows.column(name)[place].as_py() for name in COLUMNS))
        except UnusableError as error:
            reasons[place], messages[place] = error.args
        except Exception as error:  # noqa: BLE001 - one structure that the library fails of must not cost the batch
            reasons[place], messages[place] = "library_failure", f"{type(error).__name__}: {error}"[:300]
    smooth = raw.reshape(-1, FINE_POINTS) @ _kernel()
    counts = np.clip(np.rint(smooth), 0, LEVELS).astype(grid.dtype).reshape(rows.num_rows, grid.n_counts)
    for place in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        if reasons[place] is None:
            reasons[place], messages[place] = "no_neighbours", "no two atoms are near to each other in this cell"
    return Made.whole(counts, reasons, messages)


def pair_histogram(
    search: Callable[..., tuple[Any, Any, Any, Any]], lattice: Any, positions: Any, species: list[str | None] | None
) -> Floats:
    """Neighbours per atom and solid angle over a fine grid of distances, like elements, then unlike: (2 points,).

    A neighbour is divided among the two nearest points of the grid, so that a small shift makes a small change.

    Raises:
        UnusableError: there is no structure, or it makes no sense.
    """
    cell, places = _geometry(lattice, positions, species)
    n = len(places)
    scale = (n / abs(float(np.linalg.det(cell)))) ** (1 / 3)
    cell = np.ascontiguousarray(cell * scale)
    sites = np.ascontiguousarray((places % 1) @ cell)
    first, second, images, distance = search(
        sites, sites, LARGEST_DISTANCE, np.ones(3, dtype=np.int64), cell, 1e-8
    )
    other = (first != second) | (np.asarray(images) != 0).any(axis=1)
    first, second, distance = first[other], second[other], distance[other]
    if len(distance) and distance.min() < 1e-3:
        raise UnusableError("bad_structure", "two atoms are in one place")
    _, element = np.unique(np.array(species, dtype=str), return_inverse=True)
    offset = np.where(element[first] == element[second], 0, FINE_POINTS)
    point, part = np.divmod(distance, FINE_STEP)
    place = point.astype(np.int64) + offset
    part = part / FINE_STEP
    weight = 1 / (4 * np.pi * distance**2 * n)
    found = np.bincount(place, weights=weight * (1 - part), minlength=2 * FINE_POINTS).astype(np.float64)
    found += np.bincount(place + 1, weights=weight * part, minlength=2 * FINE_POINTS)
    return found


def _geometry(lattice: Any, positions: Any, species: list[str | None] | None) -> tuple[Floats, Floats]:
    """Lattice (3, 3) and positions (n, 3) as arrays."""
    if lattice is None or positions is None or not species:
        raise UnusableError("no_structure", "lattice, positions or elements are not known")
    if len(species) > MOST_ATOMS:
        raise UnusableError("too_many_atoms", f"{len(species):,} atoms in the cell, {MOST_ATOMS:,} are taken")
    try:
        cell, places = np.array(lattice, dtype=np.float64), np.array(positions, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnusableError("bad_structure", "lattice or positions are no tables of numbers") from None
    if cell.shape != (3, 3) or places.shape != (len(species), 3) or None in species:
        raise UnusableError(
            "bad_structure", f"lattice {cell.shape}, positions {places.shape} and {len(species)} elements do not fit"
        )
    if not (np.isfinite(cell).all() and np.isfinite(places).all()):
        raise UnusableError("bad_structure", "lattice or positions are not finite")
    lengths = np.linalg.norm(cell, axis=1)
    if lengths.min() <= 0 or abs(np.linalg.det(cell)) < 1e-6 * lengths.prod():
        raise UnusableError("bad_structure", "the cell has no volume")
    return cell, places


@lru_cache(maxsize=1)
def _kernel() -> Floats:
    """What a neighbour on a point of the fine grid adds to every count (points, distances)."""
    fine = np.arange(FINE_POINTS) * FINE_STEP
    middle = FIRST_DISTANCE + (np.arange(DISTANCES) + 0.5) * DISTANCE_STEP
    bell = np.exp(-0.5 * ((middle[None] - fine[:, None]) / BROADENING) ** 2) / (BROADENING * math.sqrt(2 * math.pi))
    near = 1 - middle / LARGEST_DISTANCE
    kernel: Floats = LEVELS_PER_DENSITY * bell * near
    return kernel
