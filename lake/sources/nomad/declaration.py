"""What NOMAD is, under which terms, how fast it may be asked, and what can be asked of it."""

from __future__ import annotations

from lake.sources.base import Declaration

API_URL = "https://nomad-lab.eu/prod/v1/api/v1"
GUI_URL = "https://nomad-lab.eu/prod/v1/gui"

DECLARATION = Declaration(
    name="nomad",
    title="NOMAD: Novel Materials Discovery repository and archive",
    homepage="https://nomad-lab.eu",
    api_url=API_URL,
    license="CC BY 4.0",
    redistributable=True,
    terms="Published entries are CC BY 4.0: name NOMAD and the authors of the entry's dataset.",
    citations=(
        "M. Scheidgen et al., NOMAD: A distributed web-based platform for managing materials science research "
        "data, J. Open Source Softw. 8, 5388 (2023), doi 10.21105/joss.05388",
        "C. Draxl and M. Scheffler, The NOMAD laboratory: from data sharing to artificial intelligence, "
        "J. Phys. Mater. 2, 036001 (2019), doi 10.1088/2515-7639/ab13bb",
    ),
    energy_reference="none: NOMAD holds total energies, formation energies stay null",
    requests_per_second=10.0,
    concurrent_requests=5,
    options={
        "what": "entries (default; metadata, settings, structures) or archive (also energies and densities of states)",
        "query": "a NOMAD query as JSON, such as {\"results.material.elements\": {\"all\": [\"Ti\", \"O\"]}}",
        "elements": "only entries that hold all of these, such as Ti,O",
        "program": "only this code, as NOMAD spells it: VASP, FHI-aims, exciting, …; several with commas",
        "functional": "only this functional: pbe, lda, hse06, … or libxc names with commas",
        "dos": "true: only entries with an electronic density of states",
        "owner": "public (default), visible, shared, user or staging; all but public need MATLAKE_NOMAD_TOKEN",
        "page_size": "entries a page, 1 to 10000 (default 500; 50 for archives)",
    },
    secret_headers=("Authorization",),
)
