"""A thermo document, one material on one hull, to a row of `calculations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lake.sources.batch import Batch, dig
from lake.sources.mp.functionals import of_hull, of_run_type
from lake.sources.mp.ids import thermo_parts
from lake.sources.mp.materials import REFERENCE
from lake.sources.mp.provenance import add_provenance
from lake.sources.mp.shared import add_compositions_of, add_program, group_number
from lake.sources.mp.structures import set_structures
from lake.sources.mp.vasp import hubbard, titles

REFERENCE_UNCORRECTED = "mp_uncorrected"
"""MP's elemental references without corrections: the r2SCAN hull has none."""


def normalise_thermo(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `calculations` from documents of ``materials/thermo``.

    The formation energy's functional is that of the hull (``pbe_r2scan_mixed`` where it mixes); the total energy's
    is that of the entry it is from (``energy_type``).
    """
    parts = [thermo_parts(record) for record in batch.records]
    materials = batch.set("material_id", [material for material, _ in parts])
    batch.set("collection", [hull for _, hull in parts])
    add_provenance(batch, materials, "materials", options)
    entries = [_entry(record) for record in batch.records]
    batch.flags("deprecated", batch.values("deprecated"))
    given = batch.values("structure")
    structures = [s if s is not None else dig(e, ("structure",)) for s, e in zip(given, entries, strict=True)]
    add_compositions_of(batch, set_structures(batch, structures))
    batch.set("spacegroup_source", batch.values("symmetry", "number"), group_number)
    _add_energies(batch, [hull for _, hull in parts])
    _add_settings(batch, entries)
    add_program(batch)


def _add_energies(batch: Batch, hulls: list[str | None]) -> None:
    batch.numbers("total_energy_ev_per_atom", batch.values("uncorrected_energy_per_atom"))
    formation = batch.numbers("formation_energy_ev_per_atom", batch.values("formation_energy_per_atom"))
    batch.numbers("energy_above_hull_ev_per_atom", batch.values("energy_above_hull"))
    names = [of_hull(hull) for hull in hulls]
    references = [REFERENCE_UNCORRECTED if hull == "R2SCAN" else REFERENCE for hull in hulls]
    batch.set("formation_energy_functional",
              [None if f is None else name for f, name in zip(formation, names, strict=True)])
    batch.set("formation_energy_reference",
              [None if f is None else r for f, r in zip(formation, references, strict=True)])


def _add_settings(batch: Batch, entries: list[dict[str, Any]]) -> None:
    types = batch.cleaned("energy_type", batch.values("energy_type"), of_run_type)
    hulls = [of_hull(hull) for hull in batch.column("collection")]
    parts = [found or (None, None) for found in types]
    # A hull of one functional says what all of its energies are.
    batch.set("xc_functional", [
        name or (hull if hull in ("pbe", "r2scan") else None) for (name, _), hull in zip(parts, hulls, strict=True)
    ])
    hubbards = [dig(entry, ("parameters", "hubbards")) for entry in entries]
    batch.set("hubbard_u_ev", list(zip(hubbards, [plus_u for _, plus_u in parts], strict=True)), lambda p: hubbard(*p))
    batch.set("pseudopotentials", [dig(entry, ("parameters", "potcar_spec")) for entry in entries], titles)


def _entry(record: dict[str, Any]) -> dict[str, Any]:
    """The computed entry that a thermo document's energy is from; empty where it is not there."""
    entries = record.get("entries")
    if isinstance(entries, list):
        entries = {p[0]: p[1] for p in entries if isinstance(p, list | tuple) and len(p) == 2 and isinstance(p[0], str)}
    if not isinstance(entries, dict):
        return {}
    kind = record.get("energy_type")
    entry = entries.get(kind) if isinstance(kind, str) else None
    if entry is None:
        known = [value for value in entries.values() if isinstance(value, dict)]
        entry = known[0] if len(known) == 1 else None
    return entry if isinstance(entry, dict) else {}
