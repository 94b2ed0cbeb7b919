"""What a column is called on a page, and its unit: one place, used by every figure and table."""

from __future__ import annotations

from dataclasses import dataclass

from lake.tables import TABLES


@dataclass(frozen=True)
class Label:
    """A column for a person: words, and the unit where there is one."""

    text: str
    unit: str | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.unit})" if self.unit else self.text


WORDS: dict[str, str] = {
    "source": "database",
    "calculation_id": "calculation",
    "cell_key": "formula of the cell and space group",
    "reduced_key": "reduced formula and space group",
    "reason": "reason",
    "message": "what was wrong",
    "anion_class": "anion class",
    "formation_energy_ev_per_atom": "formation energy",
    "formation_energy_reference": "reference of the formation energy",
    "formation_energy_functional": "functional of the formation energy",
    "band_gap_ev": "band gap",
    "band_gap_functional": "functional of the band gap",
    "total_energy_ev_per_atom": "total energy",
    "volume_angstrom3_per_atom": "volume",
    "xc_functional": "functional",
    "hubbard_u_ev": "Hubbard U",
    "cutoff_ev": "plane-wave cutoff",
    "k_grid": "k-point mesh",
    "n_k_points": "number of k-points",
    "n_basis_functions": "number of basis functions",
    "spin_polarized": "spin polarisation",
    "spacegroup_number": "space group (matlake)",
    "spacegroup_source": "space group (source)",
    "lattice_vectors_angstrom": "structure",
    "energy_above_hull_ev_per_atom": "energy above hull",
    "magnetization_mu_b_per_atom": "magnetic moment",
    "k_point_density_angstrom": "k-point density",
    "database_version": "database version",
    "code_version": "code version",
}
FUNCTIONALS = {"pbesol": "PBEsol", "r2scan": "r2SCAN", "rscan": "rSCAN", "revpbe": "revPBE", "unknown": "unknown"}
SUFFIXES: tuple[tuple[str, str], ...] = (
    ("_angstrom3_per_atom", "Å³/atom"),
    ("_ev_per_atom", "eV/atom"),
    ("_mu_b_per_atom", "µB/atom"),
    ("_angstrom", "Å"),
    ("_percent", "%"),
    ("_ev", "eV"),
)


def label(column: str) -> Label:
    """The words and unit of a column; of an unknown one they are read from its name."""
    text, unit = column, None
    for suffix, suffix_unit in SUFFIXES:
        if column.endswith(suffix):
            text, unit = column.removesuffix(suffix), suffix_unit
            break
    declared = next((t.by_name[column] for t in TABLES.values() if column in t.by_name), None)
    if declared is not None:
        unit = declared.unit or unit
    return Label(WORDS.get(column, text.replace("_", " ")), unit)


def functional_title(name: str) -> str:
    """A functional as people write it: most of them are abbreviations, `pbe+u` is PBE+U."""
    base, plus, rest = name.partition("+")
    return FUNCTIONALS.get(base, base.upper()) + plus + rest.upper()
