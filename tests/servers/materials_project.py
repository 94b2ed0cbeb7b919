"""The Materials Project's REST API: summary, thermo, tasks, density of states, heartbeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.servers.exchange import Answer, Question, Row, View, dig, json_answer

ROUTES = ("summary", "thermo", "tasks", "core", "provenance", "electronic_structure/dos",
          "electronic_structure")
PAGING = {"_limit", "_skip", "_page", "_per_page", "_fields", "_all_fields", "_sort_fields"}
EXACT = {"formula": "formula_pretty", "chemsys": "chemsys", "spacegroup_number": "symmetry.number",
         "deprecated": "deprecated", "theoretical": "theoretical", "batch_id": "batch_id",
         "license": "builder_meta.license", "thermo_types": "thermo_type", "thermo_type": "thermo_type",
         "run_type": "run_type", "calc_types": "calc_type", "is_stable": "is_stable", "is_metal": "is_metal"}
IDS = {"material_ids": "material_id", "task_ids": "task_id", "thermo_ids": "thermo_id"}
RANGES = {"band_gap", "formation_energy_per_atom", "formation_energy", "energy_above_hull", "nelements",
          "nsites", "volume", "density", "energy_per_atom", "num_elements"}
OWN_IDS = {"tasks": "task_id", "thermo": "thermo_id", "electronic_structure/dos": "identifier"}
LARGEST_PAGE = 1000
LONGEST_LIST = 1000


@dataclass
class MaterialsProject:
    """The API over documents by route ("summary", "thermo", "tasks", "electronic_structure/dos", …).

    Args:
        documents: the records of each route.
        api_key: the one key that is let in; None lets any in that is given.
    """

    documents: Mapping[str, Sequence[Row]]
    api_key: str | None = None
    database_version: str = "2026.04.13"

    def knows(self, question: Question) -> bool:
        return "/materials/" in question.path or question.path.rstrip("/").endswith("/heartbeat")

    def answer(self, question: Question, view: View) -> Answer:
        if question.path.rstrip("/").endswith("/heartbeat"):
            return json_answer({"status": "OK", "version": "0.87.2", "db_version": self.database_version,
                                "access_controlled_batch_ids": ["gnome_r2scan_statics"]})
        key = question.headers.get("x-api-key", "")
        if not key or (self.api_key is not None and key != self.api_key):
            return json_answer({"message": "Invalid authentication credentials"}, 403 if key else 401)
        route = question.path.partition("/materials/")[2].strip("/")
        if route not in ROUTES:
            return json_answer({"detail": "Not Found"}, 404)
        if len(question.query) > 8000:
            return json_answer({"detail": "URI too long"}, 414)
        try:
            return self._page(route, question.params, view)
        except _RefusedError as refusal:
            return json_answer({"detail": str(refusal)}, refusal.status)

    def _page(self, route: str, params: Mapping[str, str], view: View) -> Answer:
        unknown = [name for name in params if not _known(name)]
        if unknown:
            message = f"Request contains query parameters which cannot be used: {', '.join(unknown)}"
            raise _RefusedError(400, message)
        start, size = _window(params)
        rows = [row for row in self.documents.get(route, ()) if _matches(row, params)]
        sort = [name for name in params.get("_sort_fields", "").split(",") if name]
        for name in reversed(sort):
            backwards = name.startswith("-")
            rows.sort(key=partial(_order, name=name.lstrip("-")), reverse=backwards)
        own_id = _own_id(route, rows)
        stable = any(name.lstrip("-") in IDS.values() or name.lstrip("-") == own_id for name in sort)
        page, total = view.cut(rows, start, size, lambda row: str(row.get(own_id)), stable=stable)
        fields = [name for name in params.get("_fields", "").split(",") if name]
        if params.get("_all_fields", "").lower() != "true":
            page = [_only(row, fields or [own_id]) for row in page]
        return json_answer({"data": page, "meta": {"api_version": "0.87.2", "total_doc": total}})


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _known(name: str) -> bool:
    base, _, end = name.rpartition("_")
    ranged = end in ("min", "max") and base in RANGES
    return ranged or name in {*PAGING, *EXACT, *IDS, "elements", "exclude_elements"}


def _number(params: Mapping[str, str], name: str, otherwise: int, least: int) -> int:
    try:
        value = int(params.get(name, otherwise))
    except ValueError:
        raise _RefusedError(422, f"{name}: not a whole number") from None
    if value < least:
        raise _RefusedError(422, f"{name}: at least {least}")
    return value


def _window(params: Mapping[str, str]) -> tuple[int, int]:
    if "_page" in params or "_per_page" in params:
        size = _number(params, "_per_page", 100, 1)
        start = (_number(params, "_page", 1, 1) - 1) * size
    else:
        size = _number(params, "_limit", 100, 0)
        start = _number(params, "_skip", 0, 0)
    if size > LARGEST_PAGE:
        raise _RefusedError(400, f"_limit: at most {LARGEST_PAGE} per request")
    return start, size


def _matches(row: Row, params: Mapping[str, str]) -> bool:
    return all(_passes(row, name, value) for name, value in params.items() if name not in PAGING)


def _passes(row: Row, name: str, value: str) -> bool:
    wanted = [part.strip() for part in value.split(",") if part.strip()]
    if name in IDS:
        if len(wanted) > LONGEST_LIST:
            raise _RefusedError(422, f"{name}: at most {LONGEST_LIST} values")
        return str(row.get(IDS[name])) in wanted
    if name in ("elements", "exclude_elements"):
        found = set(row.get("elements") or [])
        return found >= set(wanted) if name == "elements" else not found & set(wanted)
    if name in EXACT:
        return any(_plain(v) in wanted for v in dig(row, EXACT[name])) or (
            value.lower() == "false" and not dig(row, EXACT[name])
        )
    field_name, _, end = name.rpartition("_")
    bound = _bound(name, value)
    values = [v for v in dig(row, field_name) if isinstance(v, int | float)]
    return any(v >= bound if end == "min" else v <= bound for v in values)


def _bound(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _RefusedError(422, f"{name}: not a number") from None


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _order(row: Row, name: str) -> tuple[bool, float, str]:
    value = next(iter(dig(row, name)), None)
    number = float(value) if isinstance(value, int | float) else 0.0
    return (value is not None, number, str(value))


def _own_id(route: str, rows: Sequence[Row]) -> str:
    preferred = OWN_IDS.get(route, "")
    return preferred if preferred and all(preferred in row for row in rows) and rows else "material_id"


def _only(row: Row, fields: Sequence[str]) -> Row:
    """The named fields; ``a.b`` keeps the nested one alone."""
    kept: Row = {}
    for name in fields:
        top, _, rest = name.partition(".")
        if top in row:
            value, nested = row[top], kept.get(top)
            if rest and isinstance(value, dict):
                value = {**(nested if isinstance(nested, dict) else {}), **_only(value, [rest])}
            kept[top] = value
    return kept
