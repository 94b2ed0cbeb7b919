"""`dos`: one total density of states, canonical units, energies relative to the valence-band maximum."""

from __future__ import annotations

from lake.tables.calculations import PROVENANCE
from lake.tables.spec import FLAG, FLOAT, FLOATS, INT, STRING, Column, Table

DOS = Table(
    name="dos",
    description="one total density of states: eV relative to the valence-band maximum, states/eV/atom",
    columns=(
        Column("calculation_id", STRING, "<source>/<id in that source>", nullable=False),
        Column("source", STRING, "database that the record is from", nullable=False),
        Column("source_id", STRING, "id in that source", nullable=False),
        Column("record_kind", STRING, "kind of record that the row was made from"),
        Column("energies_ev", FLOATS, "energies relative to reference_level, ascending", "eV", nullable=False),
        Column("states_per_ev_per_atom", FLOATS, "total density of states, spins summed", "states/eV/atom",
               nullable=False),
        Column("spin_up_states_per_ev_per_atom", FLOATS, "first spin channel; null = not spin-polarised",
               "states/eV/atom"),
        Column("spin_down_states_per_ev_per_atom", FLOATS, "second spin channel; null = not spin-polarised",
               "states/eV/atom"),
        Column("spin_polarized", FLAG, "whether the source gave two channels"),
        Column("reference_level", STRING,
               "what 0 eV is: vbm_reported, vbm_from_dos (highest state at or below the Fermi level), fermi"),
        Column("reference_energy_ev", FLOAT, "that level on the source's absolute scale", "eV"),
        Column("fermi_energy_ev", FLOAT, "Fermi level on the same scale as energies_ev", "eV"),
        Column("n_atoms", INT, "atoms that the source's density was divided by", minimum=1),
        Column("energy_min_ev", FLOAT, "lower end of the grid", "eV"),
        Column("energy_max_ev", FLOAT, "upper end of the grid", "eV"),
        Column("energy_step_ev", FLOAT, "median spacing of the grid", "eV", minimum=0),
        Column("broadening_ev", FLOAT, "broadening of the density; null = unknown", "eV", minimum=0),
        Column("xc_functional", STRING, "functional of the calculation; null = unknown"),
        *PROVENANCE,
    ),
    key=("source", "calculation_id"),
    partition_by=("source",),
    fingerprint="record_sha256",
)
