"""Make the two tables from the files they come from: ``python samples/tables/build.py FOLDER``.

The folder holds `binaries.json` of ai4materials (structures with total energies in J) and `exciting_precision.csv` of
multifidelity-dft-deltas.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from lake.crystal.formula import SYMBOLS

HERE = Path(__file__).parent
JOULE_PER_EV = 1.602176634e-19
ROCK_SALT, ZINC_BLENDE = (225, 221), (216, 227)
"""Space groups; the second of each where both atoms are the same element (simple cubic, diamond)."""
ATOM = {
    "IP_half": "IP_{}_ev", "EA_half": "EA_{}_ev", "HOMO": "HOMO_{}_ev", "LUMO": "LUMO_{}_ev", "rs": "r_s_{}_angstrom",
    "rp": "r_p_{}_angstrom", "rd": "r_d_{}_angstrom",
}
PRECISION = {
    "chem_formula": "chem_formula", "binary_energy_error": "binary_energy_error_ev_per_atom",
    "A_energy_error": "A_energy_error_ev_per_atom", "B_energy_error": "B_energy_error_ev_per_atom",
    "stoich_error_pred": "stoich_error_pred_ev_per_atom", "A_fraction": "A_fraction", "rgkmax": "rgkmax_number",
    "E_cut": "E_cut_ev", "precision_level": "precision_level_number",
    **{f"{x}_atom_num": f"{x}_atom_num_number" for x in "AB"},
    **{f"{x}_{r}": f"{x}_{r}_angstrom" for x in "AB" for r in ("rs", "rp", "rd")},
    **{f"{x}_{e}": f"{x}_{e}_ev" for x in "AB" for e in ("HOMO", "LUMO", "IP_half", "EA_half")},
}


def main(folder: Path) -> None:
    """Write both tables beside this file."""
    with (folder / "exciting_precision.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    atoms = {int(row[f"{x}_atom_num"]): {name: float(row[f"{x}_{name}"]) for name in ATOM}
             for row in rows for x in "AB"}
    structures = json.loads((folder / "binaries.json").read_text(encoding="utf-8"))
    _write(HERE / "rocksalt_zincblende.csv", _binaries(structures, atoms))
    _write(HERE / "numerical_precision.csv", ({new: _short(row[old]) for old, new in PRECISION.items()}
                                              for row in rows))


def _binaries(structures: dict[str, dict], atoms: dict[int, dict[str, float]]) -> Iterable[dict[str, str]]:  # type: ignore[type-arg]
    energies: dict[tuple[int, ...], dict[int, float]] = defaultdict(dict)
    for key, one in structures.items():
        if key.isdigit():
            energy = one["data"]["energy_total"] / JOULE_PER_EV / len(one["numbers"])
            energies[tuple(sorted(one["numbers"]))][one["data"]["spgroup_nb"]] = energy
    for numbers, found in sorted(energies.items()):
        # As in the paper: A is the element with the lower electronegativity after Mulliken.
        a, b = sorted(numbers, key=lambda z: atoms[z]["IP_half"] - atoms[z]["EA_half"])
        rock, zinc = (next(found[group] for group in groups if group in found) for groups in (ROCK_SALT, ZINC_BLENDE))
        features = {form.format(letter): _short(str(atoms[z][name])) for letter, z in (("A", a), ("B", b))
                    for name, form in ATOM.items()}
        symbols = {"A": SYMBOLS[a - 1], "B": SYMBOLS[b - 1]}
        yield symbols | {"delta_e_ev_per_atom": f"{rock - zinc:.6f}"} | features


def _short(text: str) -> str:
    """Eight digits: more are noise."""
    try:
        return f"{float(text):.8g}"
    except ValueError:
        return text


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    first, *others = rows
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(first), lineterminator="\n")
        writer.writeheader()
        writer.writerows([first, *others])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
