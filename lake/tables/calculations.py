"""`calculations`: one calculation of one material in one database, normalised."""

from __future__ import annotations

from lake.tables.spec import (
    FLAG,
    FLOAT,
    FLOAT_MAP,
    INT,
    INTS,
    MATRIX,
    STRING,
    STRING_MAP,
    STRINGS,
    TIME,
    Column,
    Table,
)

PROVENANCE = (
    Column("source_url", STRING, "page of the record in its database, for a person"),
    Column("database_version", STRING, "release of the database that the record is from"),
    Column("license", STRING, "SPDX name or the source's own words; null = none is stated"),
    Column("redistributable", FLAG, "whether the licence lets rows be passed on"),
    Column("raw_sha256", STRING, "the reply that the row was made from, under raw/<source>/"),
    Column("record_sha256", STRING_MAP, "digest of the record as it came, by view (kind, fields)", nullable=False),
    Column("fetched_at", TIME, "when the reply was taken", nullable=False),
)

IDENTITY = (
    Column("calculation_id", STRING, "<source>/<id in that source>", nullable=False),
    Column("source", STRING, "database: aflow, mp, nomad or an OPTIMADE provider", nullable=False),
    Column("source_id", STRING, "id in that source", nullable=False),
    Column("record_kind", STRING, "kind of record that the row was last made from (aflux, summary, …)"),
    Column("material_id", STRING, "the source's id of the material, where it has one"),
    Column("collection", STRING, "part of the source: AFLOW catalogue, MP thermo type, NOMAD dataset"),
    Column("deprecated", FLAG, "whether the source has withdrawn the record"),
)

CRYSTAL = (
    Column("formula_reduced", STRING, "reduced formula, OPTIMADE rule (alphabetical, no 1s)"),
    Column("formula_cell", STRING, "the cell's content in the same order"),
    Column("elements", STRINGS, "element symbols, alphabetical"),
    Column("n_elements", INT, "number of elements", minimum=1, maximum=118),
    Column("n_sites", INT, "atoms in the cell", minimum=1, maximum=100_000),
    Column("spacegroup_number", INT, "space group found by matlake (symprec 0.1 Å)", minimum=1, maximum=230),
    Column("spacegroup_source", INT, "space group that the source states", minimum=1, maximum=230),
    Column("symmetry_tool", STRING, "program and version that found spacegroup_number"),
    Column("cell_key", STRING, "formula_cell + _ + spacegroup_number: the paper's identity of a material"),
    Column("reduced_key", STRING, "formula_reduced + _ + spacegroup_number: survives supercells"),
    Column("volume_angstrom3_per_atom", FLOAT, "cell volume per atom", "Å³/atom", minimum=0.1, maximum=1e5),
    Column("lattice_vectors_angstrom", MATRIX, "rows a, b, c of the cell", "Å"),
    Column("fractional_positions", MATRIX, "positions in units of the lattice vectors"),
    Column("species_at_sites", STRINGS, "element of every site"),
    Column("structure_extras_json", STRING, "site properties, labels, charge: what makes a round trip lossless"),
)

ENERGIES = (
    Column("total_energy_ev_per_atom", FLOAT, "total energy of xc_functional, uncorrected", "eV/atom",
           minimum=-1e7, maximum=1e4),
    Column("formation_energy_ev_per_atom", FLOAT, "formation energy against the reference named beside it",
           "eV/atom", minimum=-50, maximum=50),
    Column("formation_energy_reference", STRING, "reference of the formation energy: aflow, mp2020, cce_300k, …"),
    Column("formation_energy_functional", STRING, "functional behind the formation energy; null = unknown"),
    Column("energy_above_hull_ev_per_atom", FLOAT, "distance to the source's own convex hull", "eV/atom",
           minimum=-50, maximum=100),
    Column("band_gap_ev", FLOAT, "Kohn–Sham band gap", "eV", minimum=0, maximum=50),
    Column("band_gap_functional", STRING, "functional behind the band gap; null = unknown"),
    Column("band_gap_type", STRING, "metal, half-metal, direct or indirect"),
    Column("magnetization_mu_b_per_atom", FLOAT, "total magnetic moment per atom", "µB/atom",
           minimum=-100, maximum=100),
)

SETTINGS = (
    Column("xc_functional", STRING, "functional of the calculation: pbe, lda, pbesol, r2scan, hse06, …"),
    Column("hubbard_u_ev", FLOAT_MAP, "effective +U by element; empty = none, null = unknown", "eV"),
    Column("code", STRING, "simulation program, lower case"),
    Column("code_version", STRING, "version of the program"),
    Column("basis_set", STRING, "kind of basis: plane waves, numeric AOs, gaussians, …"),
    Column("cutoff_ev", FLOAT, "plane-wave cutoff", "eV", minimum=1, maximum=1e5),
    Column("n_basis_functions", INT, "number of basis functions", minimum=1),
    Column("k_grid", INTS, "k-point mesh of the self-consistent run"),
    Column("n_k_points", INT, "number of k-points", minimum=1),
    Column("k_point_density_angstrom", FLOAT, "smallest n_i·a_i over the mesh", "Å", minimum=0, maximum=1e5),
    Column("pseudopotentials", STRINGS, "names of the pseudopotentials or PAW sets"),
    Column("core_treatment", STRING, "full all electron, pseudopotential, …"),
    Column("relativity", STRING, "relativistic treatment"),
    Column("spin_polarized", FLAG, "whether spins were free"),
    Column("settings_tier", STRING, "named level of precision: light, tight, …"),
)

CALCULATIONS = Table(
    name="calculations",
    description="one calculation of one material in one database, normalised",
    columns=IDENTITY + CRYSTAL + ENERGIES + SETTINGS + PROVENANCE,
    key=("source", "calculation_id"),
    partition_by=("source",),
    fingerprint="record_sha256",
)
