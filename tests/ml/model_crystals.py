"""Real crystals, and the same ones written otherwise: turned, in another order of atoms, as a supercell."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.graphs.batch import Batch, DeviceGraphs
from ml.graphs.build import graphs_of
from ml.graphs.settings import GraphSettings
from ml.models import ModelSettings, build
from ml.models.network import Network

FILE = Path(__file__).parents[1] / "data" / "crystals" / "mp-summary.json.gz"
torch.set_num_threads(1)
ELEMENTS = tuple(range(1, 82))
Crystal = dict[str, Any]


def crystals(most_atoms: int = 13) -> list[Crystal]:
    """Those with few atoms."""
    records = json.loads(gzip.decompress(FILE.read_bytes()))["data"]
    return [{
        "lattice_vectors_angstrom": record["structure"]["lattice"]["matrix"],
        "fractional_positions": [site["abc"] for site in record["structure"]["sites"]],
        "species_at_sites": [site["species"][0]["element"] for site in record["structure"]["sites"]],
    } for record in records if record["nsites"] <= most_atoms
        and all(len(site["species"]) == 1 for site in record["structure"]["sites"])]


def rotation(seed: int) -> np.ndarray:
    """A proper rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def turned(crystal: Crystal, turn: np.ndarray) -> Crystal:
    """The crystal turned as a whole."""
    return crystal | {"lattice_vectors_angstrom": (np.array(crystal["lattice_vectors_angstrom"]) @ turn.T).tolist()}


def shuffled(crystal: Crystal, seed: int = 0) -> Crystal:
    """The crystal with its atoms in another order."""
    order = np.random.default_rng(seed).permutation(len(crystal["species_at_sites"]))
    return crystal | {name: [crystal[name][i] for i in order] for name in ("fractional_positions", "species_at_sites")}


def doubled(crystal: Crystal) -> Crystal:
    """Two cells of it along the second vector."""
    a, b, c = np.array(crystal["lattice_vectors_angstrom"])
    positions = [[x, (y + cell) / 2, z] for cell in (0, 1) for x, y, z in crystal["fractional_positions"]]
    return {"lattice_vectors_angstrom": np.array([a, 2 * b, c]).tolist(), "fractional_positions": positions,
            "species_at_sites": crystal["species_at_sites"] * 2}


def batch_of(some: list[Crystal], kind: str = "quotient", dtype: torch.dtype = torch.float64, n_neighbours: int = 12,
             inputs: Any = None) -> Batch:
    """All crystals in one batch."""
    graphs = graphs_of(some, GraphSettings(kind=kind, n_neighbours=n_neighbours))
    return DeviceGraphs.of(graphs, inputs=inputs, dtype=dtype).batch(np.arange(graphs.n))


def network(kind: str, seed: int = 0, dtype: torch.dtype = torch.float64, **settings: Any) -> Network:
    """A small network that knows the elements up to thallium."""
    form = {"channels": 8, "steps": 2} | settings
    return build(ModelSettings(kind, ELEMENTS, **form), seed).to(dtype).eval()
