"""What is asked of AFLUX: the options of an ingest as matchbook, directives and URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from lake.errors import SettingsError
from lake.sources.aflow.declaration import API_URL, ENTRIES_URL
from lake.sources.base import Request

COLUMNS = (
    "auid", "aurl", "catalog", "compound", "prototype", "species", "composition", "natoms",
    "spacegroup_relax", "sg2", "geometry", "positions_fractional", "energy_atom", "enthalpy_formation_atom",
    "enthalpy_formation_cce_300K_atom", "enthalpy_formation_cce_0K_atom", "Egap", "Egap_type", "spin_atom",
    "code", "dft_type", "metagga", "ldau_type", "ldau_u", "ldau_j", "species_pp", "species_pp_version",
    "energy_cutoff", "kpoints_relax", "kpoints_static", "aflowlib_version", "aflow_version",
)
"""The keywords that the normaliser reads."""

WINDOWED = "enthalpy_formation_atom"
MAX_PAGE_SIZE = 10_000
_API_PATH = "/API/aflux/"
_DIRECTIVE = re.compile(r"\$?\b(paging|format|help|schema)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """The options of one ingest, checked.

    ``partition`` is how the records are divided: enthalpy, auid, or none where the user's own matchbook
    restricts both keywords.
    """

    api_url: str
    entries_url: str
    matchbook: str
    partition: str
    page_size: int
    dos: bool

    def request(self, clause: str, page: int, size: int) -> Request:
        """Page ``page`` (from 1) of ``size`` rows within a partition; the first keyword is what AFLUX sorts by."""
        parts = (clause, self.matchbook, f"$paging({page},{size})", "format(json)")
        summons = ",".join(part for part in parts if part)
        cursor = f"{clause or 'all'} page {page}"
        return Request(f"{self.api_url}?{quote(summons, safe='')}", cursor=cursor)


def read_options(options: Mapping[str, str], base_url: str | None, limit: int | None) -> Query:
    """Check the options.

    Raises:
        SettingsError: an option has a value that it cannot have.
    """
    matchbook = options.get("matchbook", "").strip().strip(",")
    if _DIRECTIVE.search(re.sub(r"'[^']*'", "", matchbook)):
        raise SettingsError(f"matchbook={matchbook}: paging and format are set by matlake; leave them out.")
    if matchbook.count("(") != matchbook.count(")"):
        raise SettingsError(f"matchbook={matchbook}: the parentheses do not match.")
    dos = _choice(options, "dos", ("false", "true")) == "true"
    api_url, entries_url = _servers(base_url)
    return Query(
        api_url=api_url,
        entries_url=entries_url,
        matchbook=_whole_matchbook(matchbook, options.get("catalog", "").strip(), dos),
        partition=_partition(matchbook, options),
        page_size=_page_size(options, limit, dos),
        dos=dos,
    )


def _choice(options: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = options.get(name, allowed[0]).strip().lower()
    if value not in allowed:
        raise SettingsError(f"{name}={value}: {' or '.join(allowed)} is needed.")
    return value


def _partition(matchbook: str, options: Mapping[str, str]) -> str:
    chosen = _choice(options, "by", ("enthalpy", "auid"))
    order = (chosen, "auid" if chosen == "enthalpy" else "enthalpy")
    keywords = {"enthalpy": WINDOWED, "auid": "auid"}
    return next((way for way in order if keywords[way] not in _named(matchbook)), "none")


def _named(matchbook: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]\w*", re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "", matchbook)))


def _whole_matchbook(matchbook: str, catalog: str, dos: bool) -> str:
    named = _named(matchbook)
    parts = [matchbook] if matchbook else []
    if catalog:
        if not re.fullmatch(r"[A-Za-z0-9]+(?::[A-Za-z0-9]+)*", catalog):
            raise SettingsError(f"catalog={catalog}: a name such as ICSD or LIB2 is needed.")
        if "catalog" in named:
            raise SettingsError("catalog is given twice, as an option and in the matchbook.")
        parts.append(f"catalog({catalog})")
        named.add("catalog")
    wanted = (*COLUMNS, "files") if dos else COLUMNS
    return ",".join([*parts, *(column for column in wanted if column not in named)])


def _page_size(options: Mapping[str, str], limit: int | None, dos: bool) -> int:
    text = options.get("page_size", "1000").strip()
    if not text.isdigit() or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise SettingsError(f"page_size={text}: a number from 1 to {MAX_PAGE_SIZE:,} is needed.")
    # with a limit, half of the records are entries and half their densities
    wanted = int(text) if limit is None else max(1, limit // 2 if dos else limit)
    return min(int(text), wanted)


def _servers(base_url: str | None) -> tuple[str, str]:
    """The address of AFLUX and of the server that holds the entries' files."""
    if base_url is None:
        return API_URL, ENTRIES_URL
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"{base_url}: an address such as {API_URL} is needed.")
    path = parts.path.rstrip("/")
    if "/api/aflux" not in path.lower():
        path += _API_PATH.rstrip("/")
    server = path[: path.lower().index("/api/aflux")]
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}{path}/", f"{root}{server}"
