"""What is asked of an OPTIMADE provider: its address, the filter, the fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from lake.errors import RefusedError, SettingsError
from lake.sources.base import Request
from lake.sources.optimade.declaration import ALIASES, PROVIDERS
from lake.sources.optimade.providers import FIELDS, NONE

STANDARD = (
    "chemical_formula_reduced", "nsites", "nelements", "elements", "lattice_vectors", "cartesian_site_positions",
    "species_at_sites", "species", "structure_features", "dimension_types", "last_modified",
)
# Of OPTIMADE 1.2: older servers refuse it.
RECENT = ("space_group_it_number",)
_VERSION = re.compile(r"/v\d+(\.\d+){0,2}$")


@dataclass(frozen=True)
class Query:
    """One search of one provider.

    Attributes:
        structures_url: the endpoint, with its version.
        selection: the filter, empty = everything.
        fields: sets of response fields, the most wanted first; an empty one leaves the choice to the server.
    """

    structures_url: str
    selection: str
    page_size: int
    fields: tuple[tuple[str, ...], ...]

    def first(self, fields: tuple[str, ...]) -> Request:
        """The first page, with some response fields."""
        return self._request(fields, self.page_size, "first page")

    def ids(self) -> Request:
        """The first page of the ids alone, of another size, so that a fault of one page does not come back."""
        return self._request(("id",), self.page_size + 1, "ids, first page")

    def single(self, name: str, fields: tuple[str, ...]) -> Request:
        """One structure by its id."""
        params = {"response_fields": ",".join(fields)} if fields else {}
        return Request(f"{self.structures_url}/{quote(name, safe='')}", params, cursor=name)

    def _request(self, fields: tuple[str, ...], size: int, cursor: str) -> Request:
        params = {"page_limit": str(size), "response_format": "json"}
        if self.selection:
            params["filter"] = self.selection
        if fields:
            params["response_fields"] = ",".join(fields)
        return Request(self.structures_url, params, cursor=cursor)


def read_options(options: Mapping[str, str], base_url: str | None, limit: int | None) -> Query:
    """The search that the options of an ingest name.

    Raises:
        SettingsError: no provider is named, an unknown one, or an option has a value that it cannot have.
    """
    url, prefix = _provider(options.get("provider"), base_url)
    text = options.get("page_size", "100")
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise SettingsError(f"page_size={text}: a number from 1 to 10000 is needed.")
    size = int(text) if limit is None else min(int(text), limit)
    if "response_fields" in options:
        names = tuple(name.strip() for name in options["response_fields"].split(",") if name.strip())
        return Query(url, options.get("filter", ""), size, (names,))
    own = tuple(FIELDS.get(prefix or "", NONE).names)
    wanted = ((*STANDARD, *RECENT, *own), (*STANDARD, *own), ())
    return Query(url, options.get("filter", ""), size, wanted)


def structures_url(base_url: str) -> str:
    """The structures endpoint of a base URL, which may name the version or the endpoint already.

    Raises:
        SettingsError: it is no http(s) URL.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(f"{base_url!r} is no URL of an OPTIMADE provider: https://optimade.example.org is one.")
    path = parts.path.rstrip("/").removesuffix("/structures")
    version = "" if _VERSION.search(path) else "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}{version}/structures"


def next_link(document: Any, request: Request) -> str | None:
    """The address of the next page, from a string or an object; None at the end.

    Raises:
        RefusedError: it leads to another host.
    """
    links = document.get("links") if isinstance(document, dict) else None
    link = links.get("next") if isinstance(links, dict) else None
    if isinstance(link, dict):
        link = link.get("href")
    if not isinstance(link, str) or not link.strip():
        return None
    here = urlsplit(request.url)
    there = urlsplit(urljoin(request.url, link.strip()))
    if there.hostname != here.hostname:
        raise RefusedError(f"links.next leads from {here.hostname} to another host ({there.hostname}); if that is "
                           "right, ask it directly with --url.")
    # Behind a proxy servers often believe that they speak http: what was asked safely stays so.
    scheme = "https" if here.scheme == "https" else there.scheme
    host = here.netloc if scheme != there.scheme else there.netloc
    return there._replace(scheme=scheme, netloc=host, fragment="").geturl()


def _provider(name: str | None, base_url: str | None) -> tuple[str, str | None]:
    if name is not None:
        name = ALIASES.get(name.strip().lower(), name.strip().lower())
        if name not in PROVIDERS:
            known = ", ".join(sorted({*PROVIDERS, *ALIASES}))
            raise SettingsError(f"provider={name} is not known. Known: {known}; any other by its address with --url.")
    if base_url is not None:
        url = structures_url(base_url)
        return url, name or _by_host(url)
    if name is None:
        raise SettingsError("OPTIMADE needs a provider: --provider mp, oqmd, alexandria, …, or an address with --url.")
    return structures_url(PROVIDERS[name].url), name


def _by_host(url: str) -> str | None:
    """The known provider at an address; the longest match, as Alexandria has two."""
    matches = [(len(p.url), name) for name, p in PROVIDERS.items() if url.startswith(p.url + "/")]
    return max(matches)[1] if matches else None
