"""What the Materials Project is, under which terms, how fast it may be asked, and what can be asked of it."""

from __future__ import annotations

from lake.sources.base import Declaration

API_URL = "https://api.materialsproject.org/"
WEB_URL = "https://materialsproject.org"
LICENSE = "CC BY 4.0"
LICENSE_BY_NC = "CC BY-NC 4.0"

DECLARATION = Declaration(
    name="mp",
    title="Materials Project",
    homepage=WEB_URL,
    api_url=API_URL,
    license=LICENSE,
    redistributable=True,
    terms=(
        "CC BY 4.0, apart from contributions marked BY-NC (GNoME: CC BY-NC 4.0, whose terms are accepted on the "
        "web site). BY-NC rows are left out unless the option include_by_nc is true, and are never redistributable."
    ),
    citations=(
        "A. Jain et al., Commentary: The Materials Project: A materials genome approach to accelerating materials "
        "innovation, APL Mater. 1, 011002 (2013), doi 10.1063/1.4812323",
        "M. K. Horton et al., Accelerated data-driven materials science with the Materials Project, "
        "Nat. Mater. 24, 1522 (2025), doi 10.1038/s41563-025-02272-0",
    ),
    energy_reference=(
        "Elemental references of the Materials Project, with its empirical corrections (mp2020); by default on a hull "
        "that mixes PBE and r2SCAN, so look at formation_energy_functional"
    ),
    requests_per_second=8.0,
    concurrent_requests=4,
    options={
        "endpoint": "summary (default), thermo, tasks or dos",
        "via": "rest, or s3 for whole collections without a key; default rest, but s3 for dos on the official server",
        "page_size": "records a page, 1 to 1000 (default 1000)",
        "material_ids": "only these materials: mp-149,mp-13",
        "task_ids": "only these tasks (tasks)",
        "thermo_types": "GGA_GGA+U, R2SCAN, GGA_GGA+U_R2SCAN (thermo); a homogeneous PBE set is GGA_GGA+U",
        "formula": "only these formulas: Fe2O3,ABO3,Si*",
        "chemsys": "only these chemical systems: Si-O,Li-*",
        "elements": "materials with all of these elements: Si,O",
        "exclude_elements": "materials with none of these elements",
        "spacegroup_number": "only this space group (summary)",
        "deprecated": "true: withdrawn materials instead of current ones (summary, dos)",
        "theoretical": "true or false: whether no experiment is known (summary)",
        "is_stable": "true: only what lies on the hull (summary, thermo)",
        "band_gap_min": "smallest band gap in eV (summary)",
        "band_gap_max": "largest band gap in eV (summary)",
        "formation_energy_per_atom_min": "lowest formation energy in eV/atom (summary, thermo)",
        "formation_energy_per_atom_max": "highest formation energy in eV/atom (summary, thermo)",
        "energy_above_hull_min": "smallest distance to the hull in eV/atom (summary, thermo)",
        "energy_above_hull_max": "largest distance to the hull in eV/atom (summary, thermo)",
        "nsites_max": "most atoms in the cell (summary, thermo)",
        "last_updated_min": "only tasks changed since: 2026-01-31 (tasks)",
        "include_by_nc": "true: also rows under CC BY-NC, whose terms you have accepted",
        "version": "release to read from s3, such as 2026-04-13; default: the newest",
    },
    secret_headers=("X-API-KEY",),
)
