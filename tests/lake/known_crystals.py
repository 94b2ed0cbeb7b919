"""Crystals to test on: of known space group, random within one, and real ones."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from lake.crystal.columns import add_structure_columns
from lake.sources.batch import Batch

SAMPLE = Path(__file__).parent.parent / "data" / "crystals" / "mp-summary.json.gz"


def batch_of(structures: list[Structure]) -> Batch:
    """A batch as a source's normaliser leaves it."""
    batch = Batch([{} for _ in structures])
    batch.set("lattice_vectors_angstrom", [s.lattice.matrix.tolist() for s in structures])
    batch.set("fractional_positions", [s.frac_coords.tolist() for s in structures])
    batch.set("species_at_sites", [[site.specie.symbol for site in s] for s in structures])
    return batch


def columns_of(structures: list[Structure]) -> Batch:
    """A batch with all crystal columns."""
    batch = batch_of(structures)
    add_structure_columns(batch)
    return batch


@cache
def real_records() -> list[dict[str, Any]]:
    """Summary records of the Materials Project, each of another space group."""
    return json.loads(gzip.decompress(SAMPLE.read_bytes()))["data"]


@cache
def real_structures() -> list[Structure]:
    return [Structure.from_dict(record["structure"]) for record in real_records()]


TEXTBOOK = ("rocksalt", "perovskite", "rutile", "wurtzite", "diamond", "peroxide", "fluorite", "spinel")
"""The names of the well-known crystals: making them takes seconds, too long for the collection of tests."""


@cache
def textbook() -> dict[str, tuple[Structure, int, str, str]]:
    """Well-known crystals with space group, cell formula and reduced formula."""
    cubic = Lattice.cubic
    rutile = Lattice.tetragonal(4.594, 2.959)
    wurtzite = Lattice.hexagonal(3.25, 5.2)
    make = Structure.from_spacegroup
    return {
        "rocksalt": (make(225, cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [.5, .5, .5]]), 225, "Cl4Na4", "ClNa"),
        "perovskite": (
            make(221, cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [.5, .5, .5], [.5, .5, 0]]),
            221, "O3SrTi", "O3SrTi"),
        "rutile": (make(136, rutile, ["Ti", "O"], [[0, 0, 0], [.305, .305, 0]]), 136, "O4Ti2", "O2Ti"),
        "wurtzite": (make(186, wurtzite, ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, .382]]),
                     186, "O2Zn2", "OZn"),
        "diamond": (make(227, cubic(5.43), ["Si"], [[0, 0, 0]]), 227, "Si8", "Si"),
        "peroxide": (
            make(194, Lattice.hexagonal(3.16, 7.7), ["Li", "Li", "O"],
                 [[0, 0, 0], [1 / 3, 2 / 3, .25], [1 / 3, 2 / 3, .65]]), 194, "Li4O4", "LiO"),
        "fluorite": (make(225, cubic(5.46), ["Ca", "F"], [[0, 0, 0], [.25, .25, .25]]), 225, "Ca4F8", "CaF2"),
        "spinel": (make(227, cubic(8.08), ["Mg", "Al", "O"], [[0, 0, 0], [.625] * 3, [.1374] * 3]),
                   227, "Al16Mg8O32", "Al2MgO4"),
    }


def rotated(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal turned in space."""
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix *= np.sign(np.linalg.det(matrix))
    return Structure(structure.lattice.matrix @ matrix, structure.species, structure.frac_coords)


def permuted(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal with its atoms in another order."""
    order = rng.permutation(len(structure))
    return Structure(structure.lattice, [structure.species[i] for i in order], structure.frac_coords[order])


def shifted(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal with another origin."""
    return Structure(structure.lattice, structure.species, structure.frac_coords + rng.random(3))


def rebased(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal in other lattice vectors of the same volume."""
    matrix = np.eye(3)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        matrix[i] += rng.integers(-1, 2) * matrix[j]
    return Structure(matrix @ structure.lattice.matrix, structure.species,
                     structure.frac_coords @ np.linalg.inv(matrix))


def repeated(structure: Structure, rng: np.random.Generator) -> Structure:
    """A supercell of two or three cells."""
    counts = [1, 1, 1]
    counts[rng.integers(3)] = int(rng.integers(2, 4))
    return structure * counts
