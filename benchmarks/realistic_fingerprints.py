"""Fingerprints such as a lake of several databases holds: families of like materials, copies, and loners.

Shapes come from the real densities of states in samples/ (stretched and rescaled) and from sums of Gaussians with a
band gap and semicore states. A row is one of

- a **copy** of another row, count by count (the same calculation in two databases);
- a **member** of a family: a shape, shifted (settings, reference level), rescaled, with noise (k-points, broadening);
- a **loner**: a mixture of two shapes, each stretched in energy, of another height.

Families are of uneven size (a few prototypes of structure are calculated for thousands of compositions). Their number
does not grow with the rows, so that the share of similar pairs is the same for 10⁴ and 10⁶ rows: about 0.04 % of all
pairs reach 0.9, and the totals alone rule out all but 7 %, as measured on real collections. Drawn numbers depend on
the seed and the row alone.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.fingerprints.grid import REFERENCE
from analytics.similarity.compiled import compiled

Floats = NDArray[np.float64]
SAMPLES = Path(__file__).parents[1] / "samples"
LOWEST_EV, HIGHEST_EV, STEP_EV = -14.0, 9.0, 0.05
N_FAMILIES, N_REAL = 3000, 1000
COPY_SHARE, LONER_SHARE = 0.05, 0.35


def realistic(n: int, seed: int = 1) -> NDArray[np.uint8]:
    """Counts (n, 144) uint8 on the grid ``dos-reference``; the same for the same n and seed."""
    random = np.random.default_rng(seed)
    integrals = _integrals(random)
    sizes = random.pareto(1.8, N_FAMILIES) + 1.0
    family = random.choice(N_FAMILIES, n, p=sizes / sizes.sum()).astype(np.int64)
    family[random.random(n) < LONER_SHARE] = -1
    heights = np.asarray(REFERENCE.heights)
    counts = np.empty((n, REFERENCE.n_counts), np.uint8)
    _fill(integrals, family, np.asarray(REFERENCE.edges_ev), heights, REFERENCE.levels, seed, counts)
    copies = np.flatnonzero(random.random(n) < COPY_SHARE)
    counts[copies] = counts[random.integers(0, n, len(copies))]
    return counts


def _integrals(random: np.random.Generator) -> Floats:
    """States up to each energy of each family's shape, (families, energies): real shapes first."""
    energies = np.arange(LOWEST_EV, HIGHEST_EV, STEP_EV)
    real = _real_shapes(energies)
    shapes = np.empty((N_FAMILIES, len(energies)))
    for number in range(N_REAL):
        stretched = energies * random.uniform(0.6, 1.6) + random.uniform(-1.0, 0.3)
        shapes[number] = np.interp(stretched, energies, real[number % len(real)])
    for number in range(N_REAL, N_FAMILIES):
        shapes[number] = _gaussians(energies, random)
    # States per atom in the window vary widely: s and d metals, light and heavy elements.
    wanted = np.exp(random.normal(np.log(6.0), 0.75, (N_FAMILIES, 1)))
    inside = shapes[:, (energies > -10) & (energies < 5)].sum(axis=1, keepdims=True) * STEP_EV
    return np.cumsum(shapes * wanted / np.maximum(inside, 1e-3), axis=1) * STEP_EV


def _gaussians(energies: Floats, random: np.random.Generator) -> Floats:
    """A valence band, a gap (none for a third), a conduction band, perhaps semicore states."""
    gap = max(random.normal(1.5, 2.0), 0.0)
    width = random.uniform(3.0, 9.0)
    centers = np.concatenate([random.uniform(-width, -0.2, 7), random.uniform(gap + 0.3, gap + 7.0, 6)])
    weights = np.concatenate([random.gamma(1.0, 1.0, 7), random.gamma(1.0, 0.6, 6)])
    if random.random() < 0.3:
        centers, weights = np.append(centers, random.uniform(-13.0, -7.0)), np.append(weights, 2.0)
    widths = random.uniform(0.15, 1.2, len(centers))
    shape: Floats = (weights / widths * np.exp(-0.5 * ((energies[:, None] - centers) / widths) ** 2)).sum(axis=1)
    shape[(energies > 0) & (energies < gap)] = 0.0
    return shape


def _real_shapes(energies: Floats) -> list[Floats]:
    """Densities of the samples about their highest occupied level, in arbitrary units."""
    shapes = []
    for path in sorted((SAMPLES / "mp" / "dos").glob("*.json.gz")):
        document = _read(path)
        for dos in document if isinstance(document, list) else [document]:
            dos = dos.get("data", dos)
            density = np.sum([np.asarray(channel) for channel in dos["densities"].values()], axis=0)
            shapes.append(_resampled(energies, np.asarray(dos["energies"]) - dos["efermi"], density))
    for entry in _read(SAMPLES / "nomad" / "archive-h-BN" / "page-001.json.gz")["data"][::8]:
        calculation = entry["archive"]["run"][0]["calculation"][0]
        dos, joules = calculation["dos_electronic"][0], 1.602176634e-19
        highest = calculation["energy"]["highest_occupied"] / joules
        density = np.sum([np.asarray(channel["value"]) for channel in dos["total"]], axis=0)
        shapes.append(_resampled(energies, np.asarray(dos["energies"]) / joules - highest, density))
    return shapes


def _read(path: Path) -> Any:
    """A document."""
    with gzip.open(path) as file:
        return json.load(file)


def _resampled(energies: Floats, points: Floats, density: Floats) -> Floats:
    """The density on the common energies, of an integral of 1."""
    values = np.interp(energies, points, np.maximum(density, 0.0), left=0.0, right=0.0)
    return np.asarray(values / max(values.sum(), 1e-300))


@compiled
def _uniform(state: NDArray[np.uint64]) -> float:
    """The next number of 0…1 (xorshift64*, Vigna, ACM Trans. Math. Softw. 42, 30 (2016))."""
    word = state[0]
    word ^= word >> np.uint64(12)
    word ^= word << np.uint64(25)
    word ^= word >> np.uint64(27)
    state[0] = word
    return float((word * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@compiled
def _states_below(integral: Floats, energy_ev: float) -> float:
    """States below an energy."""
    place = min(max((energy_ev - LOWEST_EV) / STEP_EV, 0.0), len(integral) - 1.001)
    left = int(place)
    return float(integral[left] + (place - left) * (integral[left + 1] - integral[left]))


@compiled
def _fill(integrals: Floats, family: NDArray[np.int64], edges_ev: Floats, heights: Floats, levels: int, seed: int,
          counts: NDArray[np.uint8]) -> None:
    """Draw every row."""
    n_families, state = len(integrals), np.empty(1, np.uint64)
    for row in range(len(counts)):
        state[0] = np.uint64(seed * 7919 + row + 1) * np.uint64(0x9E3779B97F4A7C15)
        for _ in range(4):
            _uniform(state)
        first = second = family[row]
        share, stretch, other_stretch, scale = 1.0, 1.0, 1.0, 1.0
        shift_ev = 0.09 * (_uniform(state) + _uniform(state) + _uniform(state) - 1.5)
        noise = 0.15 * _uniform(state) ** 2
        if first < 0:
            first, second = int(_uniform(state) * n_families), int(_uniform(state) * n_families)
            share, stretch, other_stretch = _uniform(state), 0.7 + 0.7 * _uniform(state), 0.7 + 0.7 * _uniform(state)
            scale = np.exp(2.0 * _uniform(state) - 1.0)
        scale *= 1.0 + 0.06 * (_uniform(state) - 0.5)
        below = -1.0
        for interval in range(len(edges_ev)):
            energy = edges_ev[interval] + shift_ev
            until = share * _states_below(integrals[first], stretch * energy)
            if share < 1.0:
                until += (1.0 - share) * _states_below(integrals[second], other_stretch * energy)
            if interval:
                states = scale * (until - below) * (1.0 + noise * (2.0 * _uniform(state) - 1.0))
                counts[row, interval - 1] = min(int(states * levels / heights[interval - 1]), levels)
            below = until
