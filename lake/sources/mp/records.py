"""What a reply or a saved file is: its kind, its records, their ids; and which replies are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from lake.errors import BadReplyError, InputError
from lake.sources.base import Identity, Record
from lake.sources.mp import ids

SAMPLE = 50
"""Records looked at to tell what a list holds."""
_EXPECTED = (
    "a reply of the Materials Project ({'data': […]}) or a list of its summary, thermo or task documents, the "
    "snapshot MP-crystals-2018.6.1 (a list of material_id, structure as CIF, …), or a density of states "
    "(pymatgen's Dos or CompleteDos, or one with spin_up_densities)"
)
_OF_TASKS = ("input", "output", "orig_inputs", "calcs_reversed", "calc_type", "task_type", "run_type")


def check(body: bytes, document: Any) -> None:
    """Refuse error messages that come with status 200.

    Raises:
        BadReplyError: the reply is no JSON, or an error instead of records.
    """
    if isinstance(document, dict | list) and not (isinstance(document, dict) and _is_error(document)):
        return
    head = " ".join(body[:300].decode("utf-8", "replace").split())
    raise BadReplyError(f"The Materials Project answered {head!r} instead of records.")


def records(document: Any, origin: str) -> tuple[str, Sequence[Record]]:
    """The kind of a document and its records.

    Kinds: ``summary`` (also other documents of a material), ``thermo``, ``task``, ``snapshot2018``, ``dos``;
    ``heartbeat`` has no records.

    Raises:
        InputError: the document is none of these.
    """
    if isinstance(document, list):
        return _listed(document, origin)
    if isinstance(document, dict):
        inner = document.get("data")
        if isinstance(inner, list):
            return _listed(inner, origin, wrapped=True)
        if kind_of(document) is not None:
            return _single(document, origin)
        if isinstance(inner, dict) and kind_of(inner) is not None:
            return _single(inner, origin)
        if "db_version" in document and "data" not in document:
            return "heartbeat", []
    raise InputError(f"{origin} holds {_described(document)}; expected {_EXPECTED}.")


def kind_of(record: Record) -> str | None:
    """The kind of a record by its shape; None where it has none of the known ones."""
    if not isinstance(record, dict):
        return None
    if _has_density(density(record)):
        return "dos"
    if "thermo_type" in record or "thermo_id" in record:
        return "thermo"
    if "task_id" in record and ("material_id" not in record or any(name in record for name in _OF_TASKS[:4])):
        return "task"
    if "material_id" in record:
        return "snapshot2018" if _is_cif(record.get("structure")) else "summary"
    return None


def density(record: dict[str, Any]) -> dict[str, Any]:
    """The density of states within a record: the record itself, or what its ``data`` holds."""
    inner = record.get("data")
    return inner if isinstance(inner, dict) and _has_density(inner) else record


def identify(record: Record, kind: str) -> Identity | None:
    """The row that a record will become; None where its id is missing or malformed."""
    if not isinstance(record, dict):
        return None
    if kind == "dos":
        found = dos_id(record)
        return Identity("dos", found) if found else None
    if kind == "dos_crystal":
        found = dos_id(record)
        return Identity("calculations", found) if found else None
    if kind == "thermo":
        material, hull = ids.thermo_parts(record)
        return Identity("calculations", f"{material}_{hull}") if material and hull else None
    if kind == "task":
        task = ids.canonical(record.get("task_id"))
        return Identity("calculations", f"task:{task}") if task else None
    material = ids.canonical(record.get("material_id"))
    return Identity("calculations", material) if material else None


def structure_of(record: dict[str, Any]) -> Any:
    """The crystal in a document of a density of states; None where there is none."""
    return density(record).get("structure") or record.get("structure")


def with_structure(found: Sequence[Record]) -> list[Record]:
    """The documents of densities of states that hold their crystal."""
    return [record for record in found if isinstance(record, dict) and structure_of(record) is not None]


def dos_id(record: dict[str, Any]) -> str | None:
    """The id of the row of `calculations` that a density of states belongs to: a material's or a task's."""
    inner = density(record)
    for holder in (record, inner):
        material = ids.canonical(holder.get("material_id"))
        if material:
            return material
    for holder in (record, inner):
        task = ids.canonical(holder.get("task_id")) or ids.canonical(holder.get("identifier"))
        if task:
            return f"task:{task}"
    return None


def _listed(document: list[Any], origin: str, wrapped: bool = False) -> tuple[str, Sequence[Record]]:
    kinds = Counter(kind for record in document[:SAMPLE] if (kind := kind_of(record)) is not None)
    if kinds:
        return kinds.most_common(1)[0][0], document
    if wrapped or not document:
        return "summary", document
    raise InputError(f"{origin} holds {_described(document)}; expected {_EXPECTED}.")


def _single(document: dict[str, Any], origin: str) -> tuple[str, Sequence[Record]]:
    kind = kind_of(document)
    assert kind is not None
    if kind == "dos" and dos_id(document) is None:
        named = ids.id_in_name(PurePosixPath(origin.replace("\\", "/")).name)
        return kind, [{**document, "material_id": named} if named else document]
    return kind, [document]


def _has_density(record: dict[str, Any]) -> bool:
    return "energies" in record and ("densities" in record or "spin_up_densities" in record)


def _is_cif(value: Any) -> bool:
    return isinstance(value, str) and ("_cell_length_a" in value or value.lstrip()[:5].lower() == "data_")


def _is_error(document: dict[str, Any]) -> bool:
    return "data" not in document and any(name in document for name in ("error", "detail", "message"))


def _described(document: Any) -> str:
    if isinstance(document, dict):
        return f"an object with the keys {', '.join(map(str, list(document)[:8]))[:100] or '(none)'}"
    if isinstance(document, list):
        first = next((record for record in document if isinstance(record, dict)), None)
        return f"a list of {'what' if first is None else _described(first)}" if first else "a list without objects"
    return f"{str(document)[:60]!r}"
