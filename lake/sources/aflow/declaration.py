"""What AFLOW is, under which terms, how fast it may be asked, and what can be asked of it."""

from __future__ import annotations

from lake.sources.base import Declaration

API_URL = "https://aflow.org/API/aflux/"
ENTRIES_URL = "https://aflowlib.duke.edu"
"""Server of the entries' own files, named in every ``aurl``."""

DECLARATION = Declaration(
    name="aflow",
    title="AFLOW: Automatic FLOW for materials discovery",
    homepage="https://aflow.org",
    api_url=API_URL,
    license=None,
    redistributable=False,
    terms=(
        "AFLOW states no machine-readable licence; it asks for citation, and many read it as academic and "
        "non-commercial. Ask the AFLOW consortium before rows are passed on."
    ),
    citations=(
        "S. Curtarolo et al., AFLOWLIB.ORG: A distributed materials properties repository from high-throughput "
        "ab initio calculations, Comput. Mater. Sci. 58, 227 (2012), doi 10.1016/j.commatsci.2012.02.002",
        "R. H. Taylor et al., A RESTful API for exchanging materials data in the AFLOWLIB.org consortium, "
        "Comput. Mater. Sci. 93, 178 (2014), doi 10.1016/j.commatsci.2014.05.014",
        "F. Rose et al., AFLUX: The LUX materials search API for the AFLOW data repositories, "
        "Comput. Mater. Sci. 137, 362 (2017), doi 10.1016/j.commatsci.2017.04.036",
        "M. Esters et al., aflow.org: A web ecosystem of databases, software and tools, "
        "Comput. Mater. Sci. 216, 111808 (2023), doi 10.1016/j.commatsci.2022.111808",
        "C. Oses et al., aflow++: A C++ framework for autonomous materials design, "
        "Comput. Mater. Sci. 217, 111889 (2023), doi 10.1016/j.commatsci.2022.111889",
    ),
    energy_reference="AFLOW's own elemental reference energies (CCE-corrected values only where those are absent)",
    requests_per_second=1.5,
    concurrent_requests=2,
    options={
        "matchbook": "AFLUX restrictions, such as species((Na:K),Cl),nspecies(2); our columns are added to them",
        "catalog": "only this catalogue: ICSD, LIB1, LIB2, …",
        "by": "how the records are partitioned: enthalpy (windows, then records without one) or auid (prefixes)",
        "page_size": "records a page, 1 to 10000 (default 1000)",
        "dos": "true: also fetch each entry's density of states",
    },
)
