"""Other documents of the same materials, made from summary documents: thermo, density of states, old snapshot."""

from __future__ import annotations

import math

import numpy as np

from tests.servers.exchange import Row


def thermo(summary: Row) -> Row:
    """A document of materials/thermo."""
    kept = {name: summary.get(name) for name in ("material_id", "structure", "formation_energy_per_atom", "nsites")}
    return {**kept, "thermo_id": f"{summary['material_id']}_GGA_GGA+U", "thermo_type": "GGA_GGA+U",
            "energy_type": "GGA", "uncorrected_energy_per_atom": -5.5, "energy_above_hull": 0.01}


def density(summary: Row) -> Row:
    """A document with a total density of states: two bands with a gap, in states/eV/cell."""
    energies = np.linspace(-8.0, 8.0, 161)
    states = np.clip(4.0 - (energies + 3.0) ** 2, 0.0, None) + np.clip(4.0 - (energies - 5.0) ** 2, 0.0, None)
    return {"material_id": summary["material_id"], "run_type": "GGA", "efermi": 0.0, "band_gap": 4.0, "vbm": -1.0,
            "structure": summary["structure"], "energies": energies.tolist(), "spin_up_densities": states.tolist()}


def snapshot(summary: Row) -> Row:
    """A record of the snapshot MP-crystals-2018.6.1: the structure as CIF."""
    structure = summary["structure"]
    matrix = np.asarray(structure["lattice"]["matrix"], dtype=float)
    lengths = np.linalg.norm(matrix, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    angles = [math.degrees(math.acos(matrix[i] @ matrix[j] / lengths[i] / lengths[j])) for i, j in pairs]
    lines = ["data_" + summary["formula_pretty"], "_symmetry_space_group_name_H-M   'P 1'"]
    lines += [f"_cell_length_{name}   {value:.6f}" for name, value in zip("abc", lengths, strict=True)]
    lines += [f"_cell_angle_{n}   {v:.6f}" for n, v in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    lines += ["loop_", " _symmetry_equiv_pos_site_id", " _symmetry_equiv_pos_as_xyz", "  1  'x, y, z'", "loop_"]
    lines += [f" _atom_site_{name}" for name in
              ("type_symbol", "label", "symmetry_multiplicity", "fract_x", "fract_y", "fract_z", "occupancy")]
    for number, site in enumerate(structure["sites"]):
        element, place = site["species"][0]["element"], "  ".join(f"{x:.6f}" for x in site["abc"])
        lines.append(f"  {element}  {element}{number}  1  {place}  1")
    return {"material_id": summary["material_id"], "structure": "\n".join(lines) + "\n",
            "formation_energy_per_atom": summary["formation_energy_per_atom"], "band_gap": summary["band_gap"]}
