"""Alloys to expand: decorations of lattices in cells of any shape, turned and shifted; and clusters counted by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ml.expansion.parent import Parent, of_structure
from ml.expansion.placing import Structure, supercell_sites

Floats = np.ndarray
FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
BCC = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]])


def fcc(species: Sequence[str] = ("Au", "Cu"), a: float = 4.0) -> Parent:
    return of_structure("fcc", FCC * a, np.zeros((1, 3)), [species])


def bcc(species: Sequence[str] = ("Fe", "Ti"), a: float = 3.0) -> Parent:
    return of_structure("bcc", BCC * a, np.zeros((1, 3)), [species])


def rocksalt(metals: Sequence[str] = ("Mg", "Mn", "X"), others: Sequence[str] = ("O",), a: float = 4.2) -> Parent:
    return of_structure("rocksalt", FCC * a, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), [metals, others])


def perovskite(a_site: Sequence[str] = ("Ba", "Sr"), a: float = 3.9) -> Parent:
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return of_structure("perovskite", np.eye(3) * a, sites, [a_site, ["Ti"], ["O"], ["O"], ["O"]])


def decorated(parent: Parent, matrix: Sequence[Sequence[int]], rng: np.random.Generator, name: str = "one",
              stretch: float = 1.0) -> Structure:
    """A supercell with species by chance, never all sites of a sublattice empty."""
    whole = np.array(matrix)
    cells, sites = supercell_sites(whole, len(parent.species))
    while True:
        species = [str(rng.choice(parent.species[site])) for site in sites]
        full = [place for place, one in enumerate(species) if one != "X"]
        if {species[place] for place in full} and len(full) > len(species) // 2:
            break
    positions = (cells + parent.sites[sites]) @ np.linalg.inv(whole)
    return Structure(name, whole @ parent.cell * stretch, positions[full] % 1.0,
                     tuple(species[place] for place in full))


def turned(one: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal: rotated, shifted, its atoms in another order and in other cells."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    order = rng.permutation(len(one.species))
    positions = one.positions[order] + rng.random(3) + rng.integers(-2, 3, (len(order), 3))
    return Structure(one.name, one.lattice @ rotation, positions, tuple(one.species[place] for place in order))


def in_cell(one: Structure, matrix: Sequence[Sequence[int]]) -> Structure:
    """The same crystal in a supercell, or in other vectors where the determinant is 1."""
    whole = np.array(matrix)
    cells, sites = supercell_sites(whole, len(one.species))
    positions = (cells + one.positions[sites]) @ np.linalg.inv(whole)
    return Structure(one.name, whole @ one.lattice, positions, tuple(one.species[site] for site in sites))


def enumerated(lattice: Floats, positions: Floats, values: Sequence[Sequence[float]], reach: Sequence[float],
               ) -> dict[tuple[int, tuple[float, ...]], list[float]]:
    """Mean products of point functions over all clusters of a periodic crystal, counted in space.

    Clusters with the same distances between their sites are taken as equivalent, which they are on fcc and bcc for the
    short reaches of the tests.

    Args:
        lattice: rows.
        positions: in units of the lattice vectors.
        values: of every site, those of its point functions.
        reach: largest distance in pairs, triplets, ….

    Returns:
        By order and sorted distances, the sorted means of all choices of functions that symmetry does not join.
    """
    positions = positions % 1.0
    images = _points(lattice, positions, max(reach))
    sums: dict[tuple[int, tuple[float, ...]], list[Floats]] = {}
    same: dict[tuple[int, tuple[float, ...]], set[tuple[int, ...]]] = {}
    for order, longest in zip(range(1, len(reach) + 2), (0.0, *reach), strict=True):
        for site, centre in enumerate(positions @ lattice):
            near = [(i, point) for i, point in images if 1e-6 < np.linalg.norm(point - centre) <= longest]
            for chosen in itertools.combinations(near, order - 1):
                members = [(site, centre), *chosen]
                points = np.array([point for _, point in members])
                lengths = np.round(np.linalg.norm(points[:, None] - points[None], axis=-1), 3).tolist()
                if max(map(max, lengths)) > longest:
                    continue
                turns = {turn: tuple(lengths[a][b] for a, b in itertools.combinations(turn, 2))
                         for turn in itertools.permutations(range(order))}
                first = min(turns.values())
                best = [turn for turn, sides in turns.items() if sides == first]
                key = order, tuple(sorted(first))
                same.setdefault(key, {tuple(best[0].index(one) for one in turn) for turn in best})
                for turn in best:
                    tensor = np.array(1.0)
                    for one in turn:
                        tensor = np.multiply.outer(tensor, np.array(values[members[one][0]]))
                    sums.setdefault(key, []).append(tensor)
    found: dict[tuple[int, tuple[float, ...]], list[float]] = {}
    for key, tensors in sums.items():
        mean = np.mean(tensors, axis=0)
        kinds = {min(tuple(functions[i] for i in turn) for turn in same[key])
                 for functions in itertools.product(range(len(values[0])), repeat=key[0])}
        found[key] = sorted(float(mean[kind]) for kind in kinds)
    return found


def sanchez(n_species: int, place: int) -> list[float]:
    """The point functions of Sanchez, Ducastelle and Gratias for a species at a place among those of a site."""
    angles = [(function, 2 * np.pi * (function // 2 + 1) * place / n_species) for function in range(n_species - 1)]
    return [float(-np.sin(angle) if function % 2 else -np.cos(angle)) for function, angle in angles]


def _points(lattice: Floats, positions: Floats, longest: float) -> list[tuple[int, Floats]]:
    n = np.ceil(longest * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int) + 1
    shifts = itertools.product(*(range(-k, k + 1) for k in n))
    return [(place, (position + shift) @ lattice) for shift in map(np.array, shifts)
            for place, position in enumerate(positions)]
