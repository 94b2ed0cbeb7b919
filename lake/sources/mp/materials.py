"""A summary document (or one of the 2018 snapshot) to a row of `calculations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lake.sources.batch import Batch
from lake.sources.mp import functionals
from lake.sources.mp.ids import canonical
from lake.sources.mp.provenance import add_provenance
from lake.sources.mp.shared import add_band_gap, add_compositions_of, add_magnetization, add_program, group_number
from lake.sources.mp.structures import set_structures

REFERENCE = "mp2020"
"""MP's elemental references with the corrections of MaterialsProject2020Compatibility."""
REFERENCE_2018 = "mp2018"
"""The same with the corrections before those."""


def normalise_summary(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `calculations` from documents of ``materials/summary`` and its relatives.

    From release 2022-10-28 on formation energies are on the hull that mixes PBE and r2SCAN. Before that everything
    was PBE. A document that names no release says nothing about its functionals: they stay null.
    """
    _add_material(batch, options)
    releases = [functionals.release(version) for version in batch.column("database_version")]
    stated = [functionals.of_hull(_text(record.get("thermo_type"))) for record in batch.records]
    old = [found is not None and found < functionals.FIRST_MIXED for found in releases]
    formation = batch.column("formation_energy_ev_per_atom")
    of_formation = [
        name or (None if found is None else "pbe" if is_old else functionals.MIXED)
        for name, found, is_old in zip(stated, releases, old, strict=True)
    ]
    batch.set("formation_energy_functional", _where(formation, of_formation))
    references = [None if found is None else _reference(found) for found in releases]
    batch.set("formation_energy_reference", _where(formation, references))
    named = [functionals.of_run_type(value) for value in batch.cleaned("run_type", batch.values("run_type"), _text)]
    batch.set("xc_functional", [name or ("pbe" if is_old else None)
                                for (name, _), is_old in zip(named, old, strict=True)])
    batch.set("band_gap_functional", _where(batch.column("band_gap_ev"), ["pbe" if is_old else None for is_old in old]))


def normalise_snapshot(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `calculations` from the snapshot MP-crystals-2018.6.1, all of it PBE (+U unknown)."""
    _add_material(batch, options)
    for index, structure in enumerate(batch.column("species_at_sites")):
        if structure is None:
            batch.reject(index, "bad_structure", "structure: missing")
    batch.set("database_version", [version or "2018.6.1" for version in batch.column("database_version")])
    formation, gaps = batch.column("formation_energy_ev_per_atom"), batch.column("band_gap_ev")
    batch.set("formation_energy_functional", _where(formation, ["pbe"] * len(batch)))
    batch.set("formation_energy_reference", _where(formation, [REFERENCE_2018] * len(batch)))
    batch.set("band_gap_functional", _where(gaps, ["pbe"] * len(batch)))
    batch.constant("xc_functional", "pbe")


def _add_material(batch: Batch, options: Mapping[str, str]) -> None:
    ids = batch.set("material_id", batch.values("material_id"), canonical)
    add_provenance(batch, ids, "materials", options)
    batch.flags("deprecated", batch.values("deprecated"))
    counts = set_structures(batch, batch.values("structure"))
    counts = add_compositions_of(batch, counts)
    batch.set("spacegroup_source", batch.first(("symmetry", "number"), ("spacegroup", "number")), group_number)
    batch.numbers("total_energy_ev_per_atom", batch.values("uncorrected_energy_per_atom"))
    batch.numbers("formation_energy_ev_per_atom", batch.values("formation_energy_per_atom"))
    batch.numbers("energy_above_hull_ev_per_atom", batch.first(("energy_above_hull",), ("e_above_hull",)))
    add_band_gap(batch, batch.values("band_gap"), batch.values("is_metal"), batch.values("is_gap_direct"))
    add_magnetization(batch, batch.values("total_magnetization"), counts)
    add_program(batch)


def _reference(found: tuple[int, int, int]) -> str:
    return REFERENCE if found >= functionals.FIRST_MP2020 else REFERENCE_2018


def _where(values: list[Any], labels: list[Any]) -> list[Any]:
    """Labels of the values that are there."""
    return [None if value is None else label for value, label in zip(values, labels, strict=True)]


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and 0 < len(value) <= 60 else None
