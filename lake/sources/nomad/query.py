"""What is asked of NOMAD: the options of an ingest as request bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from lake.errors import SettingsError
from lake.sources.base import Request
from lake.sources.libxc import parts_of
from lake.sources.nomad.declaration import API_URL

LARGEST_PAGE = 10_000
OWNERS = ("public", "visible", "shared", "user", "staging")
DENSITIES = [
    "results.properties.electronic.dos_electronic_new",
    "results.properties.electronic.dos_electronic",
]
"""Today's name, and the one under which entries processed before 2024 hold their density of states."""

# Lists of every path and section in an entry: longer than all the rest, and said by the rest.
EXCLUDED = ["quantities*", "sections*", "section_defs*", "search_quantities*", "entry_references*", "files*"]

_METADATA = ("entry_id", "upload_id", "entry_name", "mainfile", "license", "datasets", "published",
             "with_embargo", "nomad_version")
_ENERGIES = ("total", "fermi", "highest_occupied", "lowest_unoccupied")
_DENSITY = ("energies", "energy_fermi", "energy_ref", "spin_channel", "kind", "total", "band_gap")


def archive_tree(*, whole_density: bool) -> dict[str, Any]:
    """The sections that are wanted of an archive.

    Args:
        whole_density: ask for all of a density of states, projections included: servers older than NOMAD 1.2
            refuse (422) trees that name quantities which they do not know.
    """
    density: Any = "*" if whole_density else dict.fromkeys(_DENSITY, "*")
    return {
        "metadata": {"entry_id": "*"} if whole_density else dict.fromkeys(_METADATA, "*"),
        "results": {
            "material": "*",
            "method": "*",
            **({} if whole_density else {"properties": {"electronic": {"band_gap": "*"}}}),
        },
        "run": {
            "program": "*",
            "method": "*",
            "system[-1]": {"atoms": "*"},
            "calculation[-1]": {
                "energy": {"total": "*"} if whole_density else dict.fromkeys(_ENERGIES, "*"),
                "dos_electronic": density,
            },
        },
    }


@dataclass(frozen=True)
class Query:
    """One question to a NOMAD server, page after page in the order of the entry ids."""

    api_url: str
    owner: str
    query: dict[str, Any]
    page_size: int
    archive: bool

    def entries(self, after: str | None, page_size: int | None = None, ids_only: bool = False) -> Request:
        """A page of entries/query behind an id; ``ids_only`` leaves out all but the ids."""
        required = {"include": ["entry_id"]} if ids_only else {"exclude": EXCLUDED}
        what = "ids" if ids_only else "entries"
        return self._request("/entries/query", after, self.query, required, page_size, what)

    def archives(self, after: str | None, *, whole_density: bool = False) -> Request:
        """A page of entries/archive/query behind an id."""
        tree = archive_tree(whole_density=whole_density)
        return self._request("/entries/archive/query", after, self.query, tree, None, "archives")

    def some(self, ids: list[str], *, archive: bool, whole_density: bool = False) -> Request:
        """The entries or archives of some ids, at most a page of them."""
        path = "/entries/archive/query" if archive else "/entries/query"
        required = archive_tree(whole_density=whole_density) if archive else {"exclude": EXCLUDED}
        what = f"{'archives' if archive else 'entries'} that a page left out,"
        return self._request(path, None, {"entry_id:any": ids}, required, max(len(ids), 1), what, first=ids[0])

    def _request(
        self, path: str, after: str | None, query: Mapping[str, Any], required: Mapping[str, Any],
        page_size: int | None, what: str, first: str | None = None,
    ) -> Request:
        pagination: dict[str, Any] = {
            "page_size": page_size or self.page_size, "order_by": "entry_id", "order": "asc",
        }
        if after is not None:
            pagination["page_after_value"] = after
        where = f"from {first}" if first else f"after {after}" if after else "from the first"
        body = {"owner": self.owner, "query": dict(query), "pagination": pagination, "required": required}
        return Request(self.api_url + path, body=body, method="POST", cursor=f"{what} {where}")


def read_options(options: Mapping[str, str], base_url: str | None, limit: int | None) -> Query:
    """The question that the options of an ingest pose.

    Raises:
        SettingsError: an option has a value that it cannot have.
    """
    what = options.get("what", "entries")
    if what not in ("entries", "archive"):
        raise SettingsError(f"what={what}: entries or archive is needed.")
    owner = options.get("owner", "public")
    if owner not in OWNERS:
        raise SettingsError(f"owner={owner}: one of {', '.join(OWNERS)} is needed.")
    size = _page_size(options.get("page_size", "50" if what == "archive" else "500"))
    if limit is not None:
        size = min(size, limit)
    return Query(api_url(base_url), owner, build_query(options), size, what == "archive")


def api_url(base_url: str | None) -> str:
    """The root of a NOMAD's API: an Oasis may be named with or without ``/api/v1``, or by its GUI.

    Raises:
        SettingsError: it is no http(s) URL.
    """
    if base_url is None:
        return API_URL
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(f"{base_url!r} is no URL of a NOMAD: https://<host>/nomad-oasis is one.")
    path = parts.path.rstrip("/")
    if "/gui" in path:
        path = path[: path.index("/gui")]
    if path.endswith("/api"):
        path += "/v1"
    elif "/api/v" not in path:
        path += "/api/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def build_query(options: Mapping[str, str]) -> dict[str, Any]:
    """The NOMAD query of the options ``query``, ``elements``, ``program``, ``functional`` and ``dos``.

    Raises:
        SettingsError: ``query`` is no JSON object, or another option names nothing.
    """
    parts: list[dict[str, Any]] = []
    if "query" in options:
        parts.append(_given(options["query"]))
    if "elements" in options:
        parts.append({"results.material.elements": {"all": _names(options, "elements")}})
    if "program" in options:
        parts.append({"results.method.simulation.program_name": {"any": _names(options, "program")}})
    if "functional" in options:
        parts.append(_functional(options))
    if _is_true(options, "dos"):
        parts.append({"quantities:any": DENSITIES})
    parts = [part for part in parts if part]
    return {"and": parts} if len(parts) > 1 else parts[0] if parts else {}


def _given(text: str) -> dict[str, Any]:
    try:
        query = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"query is no JSON ({error}): {text[:200]}") from None
    if not isinstance(query, dict):
        raise SettingsError(f"query must be a JSON object, this is {text[:200]}")
    return query


def _functional(options: Mapping[str, str]) -> dict[str, Any]:
    name = "results.method.simulation.dft.xc_functional_names"
    if options["functional"].strip().lower() == "lda":
        return {"results.method.simulation.dft.xc_functional_type": {"any": ["LDA"]}}
    return {name: {"all": parts_of(options["functional"]) or _names(options, "functional")}}


def _names(options: Mapping[str, str], option: str) -> list[str]:
    names = [name.strip() for name in options[option].split(",") if name.strip()]
    if not names:
        raise SettingsError(f"{option} names nothing.")
    return names


def _is_true(options: Mapping[str, str], option: str) -> bool:
    value = options.get(option, "false").strip().lower()
    if value not in ("true", "false"):
        raise SettingsError(f"{option}={options[option]}: true or false is needed.")
    return value == "true"


def _page_size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_PAGE:
        raise SettingsError(f"page_size={text}: a number from 1 to {LARGEST_PAGE} is needed.")
    return int(text)
