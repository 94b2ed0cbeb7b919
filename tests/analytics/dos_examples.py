"""Densities of states to test on: drawn by hypothesis, seeded, and what the public reference said about some."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.profiles import Profiles

GOLDEN = Path(__file__).parent.parent / "data/fingerprints/golden.npz"
SMALL = DosGrid(
    window_min_ev=-6, window_max_ev=3, levels=100, center_ev=-1, energy_step_ev=0.1, largest_energy_step_ev=0.8,
    height_step=0.3, largest_height_step=2, width_ev=3,
)
UNIFORM = DosGrid(
    window_min_ev=-8, window_max_ev=4, levels=20, energy_step_ev=0.25, largest_energy_step_ev=0.25, height_step=0.7,
    largest_height_step=0.7,
)
GRIDS = (REFERENCE, PAPER, DosGrid(levels=255), SMALL, UNIFORM)


def golden():
    """The densities that the reference was asked about, its answers by grid, and the pairs it compared."""
    with np.load(GOLDEN) as file:
        found = {name: file[name] for name in file.files}
    cuts = found["offsets"][1:-1]
    profiles = Profiles.of_arrays(np.split(found["energies_ev"], cuts), np.split(found["states"], cuts))
    grids = [DosGrid.from_parameters(json.loads(text)) for text in found["grids"].tolist()]
    return profiles, grids, found


def rough(seed, n=40, points=400, low=-14.0, high=13.0):
    """Seeded random densities that cover every window here, points at random distances."""
    rng = np.random.default_rng(seed)
    energies = np.sort(rng.uniform(low, high, (n, points)), axis=1)
    energies[:, 0], energies[:, -1] = low, high
    return Profiles.of_arrays(list(energies), list(rng.exponential(0.8, (n, points))))


def coefficient(left, right, left_range, right_range):
    """The Tanimoto coefficient as it is defined, in integers."""
    start, stop = max(left_range[0], right_range[0]), min(left_range[1], right_range[1])
    a, b = left[start:max(start, stop)].astype(int), right[start:max(start, stop)].astype(int)
    union = int(np.maximum(a, b).sum())
    return int(np.minimum(a, b).sum()) / union if union else 0.0


@st.composite
def densities(draw, lowest=(-16.0, -12.5), highest=(12.5, 16.0)):
    """One density: anything from a constant on a regular mesh (all ties) to rough on a random one."""
    low, high = draw(st.floats(*lowest)), draw(st.floats(*highest))
    points = draw(st.integers(20, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    mesh = draw(st.sampled_from(("even", "random", "decimal")))
    if mesh == "even":
        energies = np.linspace(low, high, points)
    elif mesh == "random":
        energies = np.sort(np.concatenate([rng.uniform(low, high, points), [low, high]]))
    else:
        step = draw(st.sampled_from((0.02, 0.05, 0.1, 0.15)))
        energies = np.round(np.arange(round(low, 1), high + step, step), 6)
    kind = draw(st.sampled_from(("rough", "constant", "steps", "sparse")))
    if kind == "constant":
        states = np.full(len(energies), draw(st.sampled_from((0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 7.0))))
    elif kind == "steps":
        states = rng.choice([0.0, 0.5, 1.0, 2.0], len(energies))
    else:
        states = rng.exponential(draw(st.sampled_from((0.1, 1.0, 10.0))), len(energies))
        if kind == "sparse":
            states *= rng.random(len(energies)) < 0.2
    return energies, states
