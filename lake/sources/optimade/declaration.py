"""What OPTIMADE is, which providers are known by name, and what can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass

from lake.sources.base import Declaration


@dataclass(frozen=True)
class Provider:
    """One known provider.

    Attributes:
        url: its base URL, without ``/v1``.
        license: the licence of its records, null = ask the provider.
        page: the address of a record's page for a person, with ``{id}``.
    """

    url: str
    license: str | None = None
    page: str | None = None


# By the prefix that is registered with https://providers.optimade.org.
PROVIDERS: dict[str, Provider] = {
    "aflow": Provider("https://aflow.org/API/optimade"),
    "alexandria": Provider("https://alexandria.icams.rub.de/pbe", "CC BY 4.0"),
    "alexandria-pbesol": Provider("https://alexandria.icams.rub.de/pbesol", "CC BY 4.0"),
    "cmr": Provider("https://cmr-optimade.fysik.dtu.dk"),
    "cod": Provider("https://www.crystallography.net/cod/optimade", "CC0-1.0",
                    "https://www.crystallography.net/cod/{id}.html"),
    "jarvis": Provider("https://jarvis.nist.gov/optimade/jarvisdft"),
    # MP's replies do not tell CC BY from CC BY-NC records (GNoME): its REST API does.
    "mp": Provider("https://optimade.materialsproject.org", None, "https://materialsproject.org/materials/{id}"),
    "nmd": Provider("https://nomad-lab.eu/prod/v1/optimade", "CC BY 4.0",
                    "https://nomad-lab.eu/prod/v1/gui/search/entries/entry/id/{id}"),
    "odbx": Provider("https://optimade.odbx.science"),
    "oqmd": Provider("https://oqmd.org/optimade", "CC BY 4.0"),
    "tcod": Provider("https://www.crystallography.net/tcod/optimade", "CC0-1.0",
                     "https://www.crystallography.net/tcod/{id}.html"),
}
ALIASES = {"nomad": "nmd", "materials-project": "mp"}

DECLARATION = Declaration(
    name="optimade",
    title="OPTIMADE: any provider of the common API for materials databases",
    homepage="https://www.optimade.org",
    api_url="https://providers.optimade.org",
    license=None,
    redistributable=False,
    terms="Each provider has its own terms; where a reply or this package knows a licence, the row carries it.",
    citations=(
        "M. L. Evans et al., Developments and applications of the OPTIMADE API for materials discovery, design, and "
        "data exchange, Digital Discovery 3, 1509 (2024), doi 10.1039/D4DD00039K",
        "C. W. Andersen et al., OPTIMADE, an API for exchanging materials data, Sci. Data 8, 217 (2021), "
        "doi 10.1038/s41597-021-00974-z",
    ),
    energy_reference="each provider's own, named in formation_energy_reference",
    requests_per_second=3.0,
    concurrent_requests=3,
    options={
        "provider": f"a provider by name: {', '.join(sorted({*PROVIDERS, *ALIASES}))}; others by --url",
        "filter": "an OPTIMADE filter, such as elements HAS \"Ti\" AND nelements=2; passed through as it is",
        "page_size": "structures a page (default 100)",
        "response_fields": "fields to ask for, with commas (default: those that become columns)",
    },
)
