"""Write tests/data/fingerprints/golden.npz: what the public reference says on real and on seeded random densities.

Run: ``python -m tests.reference.make_golden LAKE PYTHON``, with a lake made from `samples/` and a Python that has
spectral-fingerprints 2.1.2. Real densities are cut to −13 … 13 eV, which no grid here looks beyond.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.profiles import DOS_COLUMNS, Profiles
from lake.store.lake import Lake
from tests.reference.client import Reference

GOLDEN = Path(__file__).parent.parent / "data/fingerprints/golden.npz"
GRIDS = (
    REFERENCE, PAPER, DosGrid(levels=255), DosGrid(levels=1),
    DosGrid(window_min_ev=-6, window_max_ev=3, levels=100, center_ev=-1, energy_step_ev=0.1,
            largest_energy_step_ev=0.8, height_step=0.3, largest_height_step=2, width_ev=3),
    DosGrid(window_min_ev=-8, window_max_ev=4, levels=20, energy_step_ev=0.25, largest_energy_step_ev=0.25,
            height_step=0.7, largest_height_step=0.7),
)


def real(lake: Lake) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every density of AFLOW and MP, and some of h-BN."""
    profiles = Profiles.of_table(lake.read("dos", DOS_COLUMNS))
    names = sorted(range(len(profiles)), key=lambda i: profiles.ids[i])
    few = [i for i in names if not profiles.ids[i].startswith("nomad")]
    many = [i for i in names if profiles.ids[i].startswith("nomad")]
    rows = []
    for i in few + many[:: max(1, len(many) // 6)]:
        energies, states = profiles.of_row(i)
        inside = np.abs(energies) <= 13
        rows.append((energies[inside], states[inside]))
    return rows


def drawn(seed: int = 20_260_101) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random ones: rough, constant (every state on a threshold), on the grid's own points, beginning inside."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in (60, 200, 500):
        energies = np.sort(rng.uniform(-13, 13, n))
        energies[[0, -1]] = -13, 13
        rows.append((energies, rng.exponential(1, n)))
        rows.append((np.linspace(-12.5, 12.5, n), np.full(n, rng.choice([0.25, 0.5, 1.0, 2.0]))))
        rows.append((np.linspace(rng.uniform(-8, -4), 12.5, n), rng.exponential(0.5, n)))
    regular = np.round(np.arange(-13, 13.01, 0.05), 6)
    rows.append((regular, rng.choice([0.0, 0.0, 0.5, 1.0, 2.0], len(regular))))
    return rows


def main() -> None:
    """Ask the reference and write its answers."""
    rows = real(Lake.open(sys.argv[1])) + drawn()
    profiles = Profiles.of_arrays([e for e, _ in rows], [s for _, s in rows])
    pairs = [(i, j) for i in range(len(rows)) for j in range(i)]
    found = {"offsets": profiles.offsets, "energies_ev": profiles.energies_ev, "states": profiles.states,
             "pairs": np.array(pairs, dtype=np.int16),
             "grids": np.array([json.dumps(g.parameters()) for g in GRIDS])}
    with Reference(sys.argv[2]) as reference:
        for number, grid in enumerate(GRIDS):
            answer = reference.fingerprints(profiles, grid, pairs)
            found[f"edges_ev_{number}"] = np.array(reference.edges(grid)["edges_ev"])
            found[f"counts_{number}"] = np.concatenate([np.array(c, dtype=np.uint16) for c in answer["counts"]])
            found[f"ranges_{number}"] = np.array(answer["ranges"], dtype=np.int32)
            found[f"coefficients_{number}"] = np.array(answer["coefficients"])
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, **found)
    print(f"{len(rows)} densities, {len(GRIDS)} grids, {GOLDEN.stat().st_size:,} bytes: {GOLDEN}")


if __name__ == "__main__":
    main()
