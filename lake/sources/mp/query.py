"""What is asked of the Materials Project: options checked, endpoint, filters and fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lake.errors import SettingsError
from lake.sources.base import Record, Request
from lake.sources.mp.declaration import API_URL, DECLARATION
from lake.sources.mp.ids import canonical
from lake.sources.mp.records import identify

LARGEST_PAGE = 1_000
LONGEST_LIST = 100
"""Ids in one request; the official client splits longer lists as well."""
_RANGES = ("formation_energy_per_atom_min", "formation_energy_per_atom_max", "energy_above_hull_min",
           "energy_above_hull_max", "nsites_max")
_NUMBERS = (*_RANGES, "band_gap_min", "band_gap_max", "spacegroup_number")
_FLAGS = ("deprecated", "theoretical", "is_stable")
_INPUTS = ("incar", "kpoints", "nkpoints", "potcar_spec", "is_hubbard", "hubbards", "parameters")


@dataclass(frozen=True)
class Endpoint:
    """One collection: its REST route, its S3 table, its records' ids and which filters it knows.

    ``by_id`` is the route and parameter that fetch records by id; ``ids`` are the fields that make up the id.
    """

    name: str
    kind: str
    route: str
    by_id: tuple[str, str]
    ids: tuple[str, ...]
    fields: tuple[str, ...]
    filters: tuple[str, ...]
    table: str
    rows: int
    sort: str | None = None


_MATERIAL = ("material_id", "deprecated", "composition", "nsites", "formula_pretty", "symmetry", "builder_meta",
             "last_updated", "origins")
_THERMO = ("uncorrected_energy_per_atom", "energy_per_atom", "formation_energy_per_atom", "energy_above_hull",
           "is_stable")

ENDPOINTS = {e.name: e for e in (
    Endpoint(
        "summary", "summary", "materials/summary/", ("materials/summary/", "material_ids"), ("material_id",),
        (*_MATERIAL, *_THERMO, "structure", "band_gap", "is_gap_direct", "is_metal", "efermi", "ordering",
         "total_magnetization", "theoretical", "task_ids"),
        ("material_ids", "formula", "chemsys", "elements", "exclude_elements", "spacegroup_number", *_FLAGS,
         "band_gap_min", "band_gap_max", *_RANGES),
        "materialsproject-build/collections/summary", 500, "material_id",
    ),
    Endpoint(
        "thermo", "thermo", "materials/thermo/", ("materials/thermo/", "thermo_ids"),
        ("thermo_id", "material_id", "thermo_type"),
        (*_MATERIAL, *_THERMO, "thermo_id", "thermo_type", "energy_type", "entry_types", "entries"),
        ("material_ids", "thermo_types", "formula", "chemsys", "is_stable", *_RANGES),
        "materialsproject-build/collections/thermo", 200,
    ),
    Endpoint(
        "tasks", "task", "materials/tasks/", ("materials/tasks/", "task_ids"), ("task_id",),
        ("task_id", "run_type", "calc_type", "task_type", "batch_id", "vasp_version", "composition", "nsites",
         "formula_pretty", "symmetry", "structure", "last_updated", "tags",
         *(f"{part}.{name}" for part in ("input", "orig_inputs") for name in _INPUTS),
         "output.energy", "output.energy_per_atom", "output.bandgap", "output.efermi", "output.is_metal",
         "output.is_gap_direct", "output.outcar.total_magnetization"),
        ("task_ids", "formula", "elements", "exclude_elements", "last_updated_min"),
        "materialsproject-parsed/core/tasks", 100,
    ),
    Endpoint(
        "dos", "dos", "materials/electronic_structure/dos/", ("materials/electronic_structure/", "material_ids"),
        ("material_id", "identifier", "task_id"),
        ("material_id", "identifier", "task_id", "run_type", "structure", "energies", "densities",
         "spin_up_densities", "spin_down_densities", "efermi", "band_gap", "vbm", "cbm", "is_gap_direct", "is_metal",
         "nsites", "composition", "deprecated", "builder_meta", "last_updated", "dos"),
        ("task_ids", "material_ids", "deprecated"),
        "materialsproject-parsed/core/electronic-structure/total-dos", 50,
    ),
)}


@dataclass(frozen=True)
class Query:
    """One question, checked: the endpoint, where it is asked, and the filters by name."""

    endpoint: Endpoint
    via: str
    base_url: str | None
    page_size: int
    filters: Mapping[str, str] = field(default_factory=dict)
    include_by_nc: bool = False
    version: str | None = None

    @property
    def needs_key(self) -> bool:
        """Whether the official API is asked."""
        return self.via == "rest" and self.base_url is None

    @property
    def server(self) -> str:
        """The root of the REST API, with a trailing slash."""
        return (self.base_url or API_URL).rstrip("/") + "/"

    def page(self, skip: int, size: int) -> Request:
        """The request for whole records from an offset on."""
        return self._request(self.endpoint.route, self.endpoint.fields, skip, size)

    def listing(self, skip: int, size: int) -> Request:
        """The request for nothing but ids from an offset on."""
        return self._request(self.endpoint.route, self.endpoint.ids, skip, size)

    def by_id(self, ids: Sequence[str]) -> Request:
        """The request for whole records of some ids (:data:`LONGEST_LIST` at most)."""
        route, name = self.endpoint.by_id
        params = self._params(self.endpoint.fields, {name: ",".join(ids)}) | {"_limit": str(LARGEST_PAGE)}
        return Request(self.server + route, params, cursor=f"{len(ids)} {name} from {ids[0]} on")

    def id_of(self, record: Record) -> str | None:
        """The id by which the lake knows a record."""
        # A listing has no densities to tell a DOS by: its kind is that of the endpoint.
        found = identify(record, self.endpoint.kind)
        return found.source_id if found else None

    def id_as_given(self, record: Record) -> str:
        """A record's id in the form in which the server knows it."""
        if self.endpoint.kind == "thermo" and not isinstance(record.get("thermo_id"), str):
            return f"{record.get('material_id')}_{record.get('thermo_type')}"
        return next(str(record[name]) for name in self.endpoint.ids if isinstance(record.get(name), str | int))

    def _request(self, route: str, fields: Sequence[str], skip: int, size: int) -> Request:
        params = self._params(fields, self.filters) | {"_skip": str(skip), "_limit": str(size)}
        if self.endpoint.sort:
            params["_sort_fields"] = self.endpoint.sort
        return Request(self.server + route, params, cursor=f"_skip={skip}")

    def _params(self, fields: Sequence[str], filters: Mapping[str, str]) -> dict[str, str]:
        params = {"_fields": ",".join(fields), **filters}
        if self.include_by_nc and self.endpoint.name in ("summary", "thermo"):
            params["license"] = "All"
        return params


def read_query(options: Mapping[str, str], base_url: str | None) -> Query:
    """The question that some options ask.

    Raises:
        SettingsError: an option does not exist, has an impossible value, or does not fit the endpoint.
    """
    unknown = sorted(set(options) - set(DECLARATION.options))
    if unknown:
        raise SettingsError(f"mp has no option {', '.join(unknown)}. Its options: {', '.join(DECLARATION.options)}.")
    endpoint = ENDPOINTS[_choice(options, "endpoint", tuple(ENDPOINTS), "summary")]
    via = _choice(options, "via", ("rest", "s3"), _usual_way(endpoint, base_url))
    chosen = {n: v.strip() for n, v in options.items() if n not in _ABOUT and v.strip()}
    wrong = sorted(set(chosen) - set(endpoint.filters))
    if wrong:
        raise SettingsError(f"--option {', '.join(wrong)} cannot be asked of the endpoint {endpoint.name}, which knows "
                            f"{', '.join(endpoint.filters)}.")
    return Query(
        endpoint, via, base_url, _page_size(options, endpoint, via), _checked(chosen),
        _choice(options, "include_by_nc", ("true", "false"), "false") == "true", options.get("version") or None,
    )


_ABOUT = ("endpoint", "via", "page_size", "include_by_nc", "version")


def _usual_way(endpoint: Endpoint, base_url: str | None) -> str:
    """S3 for a folder or bucket; also for densities of states, which the official API has only there."""
    if base_url is None:
        return "s3" if endpoint.name == "dos" else "rest"
    return "rest" if base_url.startswith(("http://", "https://")) else "s3"


def _choice(options: Mapping[str, str], name: str, known: tuple[str, ...], usual: str) -> str:
    value = (options.get(name) or usual).strip().lower()
    if value not in known:
        raise SettingsError(f"--option {name}={options.get(name)!r:.80}: one of {', '.join(known)} is needed.")
    return value


def _page_size(options: Mapping[str, str], endpoint: Endpoint, via: str) -> int:
    text = (options.get("page_size") or str(LARGEST_PAGE if via == "rest" else endpoint.rows)).strip()
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_PAGE:
        raise SettingsError(f"--option page_size={text!r:.80}: a number from 1 to {LARGEST_PAGE:,} is needed.")
    return int(text)


def _checked(filters: dict[str, str]) -> dict[str, str]:
    for name, value in filters.items():
        if name in _FLAGS and value.lower() not in ("true", "false"):
            raise SettingsError(f"--option {name}={value!r:.80}: true or false is needed.")
        if name in _NUMBERS:
            _number(name, value)
        if name in ("material_ids", "task_ids"):
            wrong = [part for part in value.split(",") if canonical(part) is None]
            if wrong:
                raise SettingsError(f"--option {name}: {wrong[0]!r:.80} is no id such as mp-149.")
            filters[name] = ",".join(part.strip() for part in value.split(","))
        if name in _FLAGS:
            filters[name] = value.lower()
        if name == "last_updated_min" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}(T[\d:.+\-Z]{1,30})?", value):
            raise SettingsError(f"--option {name}={value!r:.80}: a date such as 2026-01-31 is needed.")
    return filters


def _number(name: str, value: str) -> None:
    try:
        float(value)
    except ValueError:
        raise SettingsError(f"--option {name}={value!r:.80}: a number is needed.") from None
