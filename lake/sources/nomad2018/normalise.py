"""A record of the competition to a row of `calculations`.

The competition's table calls the formation energy ``formation_energy_ev_natom``; it is per cation, against the stable
phases of the three binary oxides (Sutton et al. (2019), eq. 1). It becomes eV per atom. All calculations are PBE
with FHI-aims and its tight settings (their section Methods).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lake.sources.batch import Batch
from lake.sources.crystals import Crystal, set_crystals
from lake.sources.nomad2018.declaration import HOMEPAGE
from lake.sources.nomad2018.records import GEOMETRY, PART, TABLE
from lake.sources.values import number, whole

REFERENCE = "binary_oxides"
CATIONS_PER_ATOM = 2 / 5
"""Of M₂O₃: every cell is refused that is none."""
_CATIONS = ("Al", "Ga", "In")


def normalise_alloys(batch: Batch, kind: str) -> None:
    """Fill the columns of `calculations`: structures of alloys and geometries, energies of alloys and tables."""
    if kind == TABLE:
        _check_table(batch)
    else:
        _add_structures(batch)
    if kind != GEOMETRY:
        names = {True: ("formation_energy_ev_natom", "bandgap_energy_ev", "spacegroup"),
                 False: ("formation_energy_ev_per_cation", "band_gap_ev", "spacegroup_number")}[kind == TABLE]
        _add_energies(batch, *(batch.values(name) for name in names))
    _add_settings(batch)
    batch.set("collection", batch.values(PART))
    batch.constant("source_url", HOMEPAGE)


def _add_structures(batch: Batch) -> None:
    set_crystals(batch, [
        Crystal(record.get("lattice_vectors_angstrom"), record.get("cartesian_positions_angstrom"),
                record.get("species"))
        for record in batch.records
    ])
    for index, (lines, species) in enumerate(
        zip(batch.values("unreadable"), batch.column("species_at_sites"), strict=True)
    ):
        if lines:
            batch.reject(index, "bad_structure", f"lines that are no lattice vector and no atom: {lines}")
        elif species is not None and (fault := _fault(species)):
            batch.reject(index, "contradictory", fault)


def _fault(species: Sequence[str]) -> str | None:
    """Why these are not the atoms of an (Al,Ga,In)₂O₃ cell, such as those of a file that is cut; None = they are."""
    others = sorted(set(species) - {*_CATIONS, "O"})
    if others:
        return f"{', '.join(others)} in an alloy of (Al,Ga,In)2O3"
    oxygen = sum(element == "O" for element in species)
    cations = len(species) - oxygen
    return None if 2 * oxygen == 3 * cations and oxygen else f"{cations} cations and {oxygen} O atoms are no M2O3"


def _check_table(batch: Batch) -> None:
    counts = batch.cleaned("number_of_total_atoms", batch.values("number_of_total_atoms"), whole)
    for index, count in enumerate(counts):
        if count is not None and (count < 1 or count % 5):
            batch.reject(index, "contradictory", f"number_of_total_atoms: {count} atoms are no cell of M2O3")
    batch.set("n_sites", counts)


def _add_energies(batch: Batch, formation: list[Any], gaps: list[Any], groups: list[Any]) -> None:
    name = "formation_energy_ev_per_atom"
    energies = batch.numbers(name, formation, scale=CATIONS_PER_ATOM)
    for column, value in (("formation_energy_reference", REFERENCE), ("formation_energy_functional", "pbe")):
        batch.set(column, [None if energy is None else value for energy in energies])
    known = batch.set("band_gap_ev", gaps, number)
    batch.set("band_gap_functional", [None if gap is None else "pbe" for gap in known])
    batch.wholes("spacegroup_source", groups)


def _add_settings(batch: Batch) -> None:
    batch.constant("xc_functional", "pbe")
    batch.constant("hubbard_u_ev", [])
    batch.constant("code", "fhi-aims")
    batch.constant("basis_set", "numeric AOs")
    batch.constant("core_treatment", "full all electron")
    batch.constant("settings_tier", "tight")
