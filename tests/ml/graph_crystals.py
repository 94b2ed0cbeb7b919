"""Crystals to make graphs of: random ones, the same ones written otherwise; and slow, plain ways to get the answers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lake.crystal.formula import SYMBOLS
from ml.graphs.graphs import Graphs

Crystal = dict[str, Any]


def crystal(lattice: Any, positions: Any, species: list[str]) -> Crystal:
    return {"lattice_vectors_angstrom": np.asarray(lattice, dtype=float).tolist(),
            "fractional_positions": np.asarray(positions, dtype=float).reshape(-1, 3).tolist(),
            "species_at_sites": species}


def rocksalt(a: float = 5.64) -> Crystal:
    corners = np.array([[0, 0, 0], [.5, .5, 0], [.5, 0, .5], [0, .5, .5]])
    return crystal(np.eye(3) * a, np.concatenate([corners, corners + np.array([.5, 0, 0])]), ["Na"] * 4 + ["Cl"] * 4)


def copper(a: float = 3.6) -> Crystal:
    return crystal(a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [[0, 0, 0]], ["Cu"])


def perovskite() -> Crystal:
    return crystal(np.eye(3) * 3.9, [[0, 0, 0], [.5] * 3, [.5, .5, 0], [.5, 0, .5], [0, .5, .5]],
                   ["Sr", "Ti", "O", "O", "O"])


@st.composite
def random_crystals(draw: st.DrawFn, most_atoms: int = 4) -> Crystal:
    """A few atoms in a cell that may be long, flat or oblique; some of them by chance related by symmetry."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, most_atoms))
    lattice = np.diag(rng.uniform(2.5, 6.0, 3))
    if draw(st.booleans()):
        lattice += rng.normal(0, 0.8, (3, 3))
    positions = rng.integers(0, 4, (n, 3)) / 4 if draw(st.booleans()) else rng.random((n, 3))
    # No two in one place.
    positions = positions + np.arange(n)[:, None] * [0.061, 0.027, 0.043]
    return crystal(lattice, positions, rng.choice(["O", "Fe", "Ti"], n).tolist())


def shuffled(one: Crystal, rng: np.random.Generator) -> Crystal:
    """In another order of atoms, and with some of them in another cell."""
    order = rng.permutation(len(one["species_at_sites"]))
    positions = np.array(one["fractional_positions"])[order] + rng.integers(-2, 3, (len(order), 3))
    return crystal(one["lattice_vectors_angstrom"], positions, [one["species_at_sites"][i] for i in order])


def oblique(one: Crystal, rng: np.random.Generator, times: int = 3) -> Crystal:
    """In other lattice vectors of the same lattice."""
    matrix = np.eye(3)
    for _ in range(4):
        i, j = rng.permutation(3)[:2]
        matrix[i] += rng.integers(-times, times + 1) * matrix[j]
    return crystal(matrix @ np.array(one["lattice_vectors_angstrom"]),
                   np.array(one["fractional_positions"]) @ np.linalg.inv(matrix), one["species_at_sites"])


def supercell(one: Crystal, counts: tuple[int, int, int]) -> Crystal:
    shifts = np.array(list(itertools.product(*map(range, counts))), dtype=float)
    positions = (np.array(one["fractional_positions"])[None] + shifts[:, None]) / counts
    return crystal(np.array(one["lattice_vectors_angstrom"]) * np.array(counts)[:, None], positions,
                   one["species_at_sites"] * len(shifts))


def brute_force(one: Crystal, n_neighbours: int, tolerance: float, reach: int = 0) -> list[np.ndarray]:
    """Of every atom: sender, distance and vector from sender to receiver of all neighbours in full shells, sorted."""
    lattice = np.array(one["lattice_vectors_angstrom"])
    places = np.array(one["fractional_positions"])
    places = (places - np.floor(places)) @ lattice
    reach = reach or 6
    shifts = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3))) @ lattice
    result = []
    for receiver in places:
        vectors = receiver - (places[None] + shifts[:, None])
        distances = np.linalg.norm(vectors, axis=2)
        senders = np.broadcast_to(np.arange(len(places)), distances.shape)
        rows = np.column_stack([senders.ravel(), distances.ravel(), vectors.reshape(-1, 3)])
        rows = rows[rows[:, 1] > 1e-6]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        last = n_neighbours
        while rows[last, 1] - rows[last - 1, 1] <= tolerance:
            last += 1
        result.append(rows[:last])
    return result


def edges_by_atom(graphs: Graphs, place: int = 0) -> list[np.ndarray]:
    """The same of a full graph."""
    one = graphs.take([place])
    assert one.edge_vector is not None
    rows = np.column_stack([one.edge_sender, one.distance_angstrom[one.edge_distance], one.edge_vector])
    return [rows[one.edge_receiver == i] for i in range(len(one.node_z))]


class PlainSchNet:
    """SchNet with mean aggregation as in the paper's code, atom by atom and neighbour by neighbour."""

    def __init__(self, channels: int = 5, steps: int = 3, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.start = rng.normal(size=(120, channels))
        shapes = ((150, channels), *[(channels, channels)] * 4)
        self.steps = [[rng.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes] for _ in range(steps)]
        self.end = rng.normal(size=channels)

    def atoms(self, one: Crystal, neighbours: list[np.ndarray]) -> float:
        """The mean over atoms, from each atom's neighbours."""
        features = [self.start[SYMBOLS.index(symbol) + 1] for symbol in one["species_at_sites"]]
        for weights in self.steps:
            new = []
            for receiver, around in enumerate(neighbours):
                total = np.zeros_like(self.end)
                for sender, distance in around[:, :2]:
                    total += self.message(weights, features[int(sender)], distance)
                new.append(self.updated(weights, features[receiver], total / len(around)))
            features = new
        return float(np.mean([ssp(h) @ self.end for h in features]))

    def graph(self, graphs: Graphs, place: int) -> float:
        """The same of a graph, by its weights."""
        one = graphs.take([place])
        features = [self.start[z] for z in one.node_z]
        edges = list(zip(one.edge_sender, one.edge_receiver, one.edge_weight, one.edge_distance, strict=True))
        for weights in self.steps:
            totals = [np.zeros_like(self.end) for _ in features]
            for sender, receiver, weight, distance in edges:
                totals[receiver] += weight * self.message(weights, features[sender], one.distance_angstrom[distance])
            features = [self.updated(weights, h, total) for h, total in zip(features, totals, strict=True)]
        return float(sum(weight * (ssp(h) @ self.end) for h, weight in zip(features, one.node_weight, strict=True)))

    @staticmethod
    def message(weights: list[np.ndarray], sender: np.ndarray, distance: float) -> np.ndarray:
        rbf = np.exp(-(distance - 0.1 * np.arange(150)) ** 2 / 0.1)
        return ssp(ssp(rbf @ weights[0]) @ weights[1]) * (sender @ weights[2])

    @staticmethod
    def updated(weights: list[np.ndarray], h: np.ndarray, total: np.ndarray) -> np.ndarray:
        return h + ssp(total @ weights[3]) @ weights[4]


def ssp(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x) - np.log(2)
