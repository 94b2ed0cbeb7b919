"""Densities of states: pymatgen's ``Dos`` and ``CompleteDos``, and emmet's records, on VASP's absolute energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lake.sources.batch import Batch
from lake.sources.dos import dos_columns, each_dos
from lake.sources.mp.declaration import WEB_URL
from lake.sources.mp.functionals import of_run_type
from lake.sources.mp.provenance import add_provenance
from lake.sources.mp.records import density, dos_id, structure_of
from lake.sources.mp.shared import add_program
from lake.sources.mp.structures import read_structure, set_structures
from lake.sources.values import BadValueError, number, show


def normalise_densities(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `dos`; projections onto atoms and orbitals are not kept."""
    each_dos(batch, _columns)
    add_provenance(batch, [None] * len(batch), "materials", options)
    batch.set("source_url", [_url(record) for record in batch.records])
    batch.set("xc_functional", _functionals(batch))


def normalise_crystals(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `calculations` that a density of states tells: its crystal, functional and program."""
    add_provenance(batch, [None] * len(batch), "materials", options)
    batch.set("source_url", [_url(record) for record in batch.records])
    names = [dos_id(record) for record in batch.records]
    batch.set("material_id", [None if name is None or name.startswith("task:") else name for name in names])
    set_structures(batch, [structure_of(record) for record in batch.records])
    batch.set("xc_functional", _functionals(batch))
    add_program(batch)


def _functionals(batch: Batch) -> list[str | None]:
    types = [record.get("run_type") or density(record).get("run_type") for record in batch.records]
    return [name for name, _ in batch.cleaned("run_type", types, _functional)]


def _columns(record: dict[str, Any]) -> dict[str, Any]:
    found = density(record)
    up, down = _spins(found)
    gap = number(found.get("band_gap"))
    # A metal has no band edge to refer to, whatever stands in its record.
    vbm = number(found.get("vbm")) if gap else None
    return dos_columns(found.get("energies") or [], up, down, n_atoms=_atoms(record, found),
                       fermi_ev=number(found.get("efermi")), vbm_ev=vbm)


def _spins(found: dict[str, Any]) -> tuple[Any, Any]:
    """The densities of the two spins in states/eV/cell; the second None where there is one channel."""
    densities = found.get("densities")
    if isinstance(densities, list) and all(isinstance(p, list | tuple) and len(p) == 2 for p in densities):
        densities = {str(spin): values for spin, values in densities}
    if isinstance(densities, dict):
        up, down = densities.get("1"), densities.get("-1")
    else:
        up, down = found.get("spin_up_densities"), found.get("spin_down_densities")
    if not isinstance(up, list):
        raise BadValueError(f"densities: neither spin 1 nor spin_up_densities ({show(densities)})")
    return up, down or None


def _atoms(record: dict[str, Any], found: dict[str, Any]) -> int:
    for holder in (found, record):
        structure = holder.get("structure")
        if structure is not None:
            try:
                geometry = read_structure(structure)
            except ValueError as error:
                raise BadValueError(f"structure: {error}") from None
            if geometry is not None and geometry.species:
                return len(geometry.species)
        count = number(holder.get("nsites"))
        if count is not None and count >= 1 and count == int(count):
            return int(count)
    raise BadValueError("structure: missing, so the number of atoms is unknown")


def _functional(value: Any) -> tuple[str | None, bool | None]:
    return of_run_type(value)


def _url(record: dict[str, Any]) -> str | None:
    name = dos_id(record)
    if name is None:
        return None
    return f"{WEB_URL}/tasks/{name[5:]}" if name.startswith("task:") else f"{WEB_URL}/materials/{name}"
