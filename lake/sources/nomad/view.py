"""One NOMAD record, in whichever spelling, as the sections that a row is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lake.sources.batch import dig
from lake.sources.nomad.legacy import modern_results, modern_run, sections
from lake.sources.values import text

_REFERENCE = re.compile(r"#?/?run/\d+/system/(\d+)")
_NOTHING = {"unavailable", "not processed", "unspecified", "unknown", "none", ""}


@dataclass(frozen=True)
class View:
    """The parts of an entry or archive.

    Attributes:
        metadata: who, where from, under which licence.
        results: NOMAD's own summary: material, method, properties.
        methods: ``run.method``, settings as they were parsed.
        calculations: ``run.calculation``, in SI units.
        calculation: the last of them that has a total energy, else the last one.
        atoms: the structure of that calculation, in m; empty where there is none.
        optimade: the structure in Å, where the record holds one for OPTIMADE.
    """

    metadata: dict[str, Any]
    results: dict[str, Any]
    program: dict[str, Any]
    methods: list[dict[str, Any]]
    calculations: list[dict[str, Any]]
    calculation: dict[str, Any]
    atoms: dict[str, Any]
    optimade: dict[str, Any]

    def of_results(self, *path: str | int) -> Any:
        """A value in ``results``, None where the path breaks off."""
        return dig(self.results, path)

    def of_method(self, *path: str | int) -> Any:
        """The value of the last method that has one, None if none has."""
        found = (dig(method, path) for method in reversed(self.methods))
        return next((value for value in found if value is not None), None)

    @property
    def electronic(self) -> dict[str, Any]:
        """``results.properties.electronic``."""
        found = self.of_results("properties", "electronic")
        return found if isinstance(found, dict) else {}

    @property
    def is_dft(self) -> bool:
        """Whether the method is density-functional theory, +U and hybrids included."""
        name = self.of_results("method", "method_name")
        if isinstance(name, str) and name.strip().lower() not in _NOTHING:
            return name.strip().upper() in ("DFT", "DFT+U")
        stated = self.of_method("electronic", "method")
        if isinstance(stated, str):
            return stated.upper().startswith("DFT")
        return isinstance(self.of_results("method", "simulation", "dft"), dict)


def view(record: dict[str, Any]) -> View:
    """The parts of a record: an entry, an archive, or an archive inside a reply."""
    archive = _dict(record.get("archive")) or record
    metadata = _dict(archive.get("metadata")) or _dict(archive.get("section_metadata"))
    results = _dict(archive.get("results")) or _dict(record.get("results"))
    run = _first(archive.get("run"))
    if not run and (old := _first(archive.get("section_run"))):
        run = modern_run(old)
        results = results or modern_results(old)
    calculations = sections(run.get("calculation"))
    calculation = _last_with_energy(calculations)
    return View(
        metadata={**metadata, **{k: v for k, v in record.items() if k not in metadata}},
        results=results,
        program=_first(run.get("program")),
        methods=sections(run.get("method")),
        calculations=calculations,
        calculation=calculation,
        atoms=_atoms(run, calculation),
        optimade=_dict(record.get("optimade")) or _dict(metadata.get("optimade")),
    )


def stated(value: Any) -> str | None:
    """A text, lists' first item; null for NOMAD's words for nothing.

    Raises:
        BadValueError: it is no text.
    """
    found = text(value)
    return None if found is None or found.lower() in _NOTHING else found


def total_energy(calculation: dict[str, Any]) -> Any:
    """The total energy in J, which some versions write without a section of its own."""
    total = dig(calculation, ("energy", "total"))
    return total.get("value") if isinstance(total, dict) else total


def _last_with_energy(calculations: list[dict[str, Any]]) -> dict[str, Any]:
    with_energy = [c for c in calculations if total_energy(c) is not None]
    return (with_energy or calculations or [{}])[-1]


def _atoms(run: dict[str, Any], calculation: dict[str, Any]) -> dict[str, Any]:
    systems = sections(run.get("system"))
    reference = calculation.get("system_ref")
    number = _REFERENCE.fullmatch(reference) if isinstance(reference, str) and len(reference) < 100 else None
    if number and len(number[1]) < 9 and int(number[1]) < len(systems):
        chosen = _dict(systems[int(number[1])].get("atoms"))
        if chosen:
            return chosen
    return next((a for s in reversed(systems) if (a := _dict(s.get("atoms")))), {})


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> dict[str, Any]:
    return next(iter(sections(value)), {})
