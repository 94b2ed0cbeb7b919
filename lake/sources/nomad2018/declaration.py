"""What the NOMAD 2018 competition is, under which terms, and how its records are had."""

from __future__ import annotations

from lake.sources.base import Declaration

HOMEPAGE = "https://www.kaggle.com/c/nomad2018-predict-transparent-conductors"

DECLARATION = Declaration(
    name="nomad2018",
    title="NOMAD 2018 Kaggle competition: (AlₓGaᵧIn₁₋ₓ₋ᵧ)₂O₃ alloys on six parent lattices",
    homepage=HOMEPAGE,
    api_url=HOMEPAGE,
    license=None,
    redistributable=False,
    terms=(
        "No licence is stated: cite the paper. There is no API: records are read from files (matlake ingest "
        "nomad2018 --from FOLDER), either the competition's own (train.csv, test.csv, train/ID/geometry.xyz) or "
        "Parquet, JSON or CSV with the columns id, spacegroup_number, species, cartesian_positions_angstrom, "
        "lattice_vectors_angstrom, formation_energy_ev_per_cation, band_gap_ev. The structures are those that the "
        "competition gave, interpolated between the binary oxides; the energies and gaps are those of relaxed ones."
    ),
    citations=(
        "C. Sutton et al., Crowd-sourcing materials-science challenges with the NOMAD 2018 Kaggle competition, "
        "npj Comput. Mater. 5, 111 (2019), doi 10.1038/s41524-019-0239-3",
    ),
    energy_reference=(
        "the stable phases of the binary oxides Al2O3, Ga2O3 and In2O3 (binary_oxides): an energy of mixing, not "
        "comparable with formation energies against the elements"
    ),
    requests_per_second=1.0,
    concurrent_requests=1,
)
