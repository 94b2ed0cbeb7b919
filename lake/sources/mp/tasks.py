"""A task document, one VASP run with all its settings, to a row of `calculations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lake.sources.batch import Batch, dig
from lake.sources.mp import vasp
from lake.sources.mp.ids import canonical
from lake.sources.mp.provenance import add_provenance
from lake.sources.mp.shared import (
    add_band_gap,
    add_compositions_of,
    add_magnetization,
    add_program,
    group_number,
    text_list,
)
from lake.sources.mp.structures import set_structures
from lake.sources.values import BadValueError, number, text

_STRUCTURES = (("structure",), ("output", "structure"), ("calcs_reversed", 0, "output", "structure"))


def normalise_tasks(batch: Batch, options: Mapping[str, str]) -> None:
    """Fill the columns of `calculations` from documents of ``materials/tasks``.

    ``collection`` is the kind of calculation, such as ``GGA NSCF Line``: energies of runs at fixed charge density
    are not to be compared with others.
    """
    ids = batch.cleaned("task_id", batch.values("task_id"), canonical)
    batch.set("material_id", batch.values("material_id"), canonical)
    add_provenance(batch, ids, "tasks", options)
    batch.set("collection", batch.first(("calc_type",), ("task_type",)), _name)
    batch.flags("deprecated", batch.values("deprecated"))
    counts = set_structures(batch, batch.first(*_STRUCTURES))
    counts = add_compositions_of(batch, counts)
    batch.set("spacegroup_source", batch.first(("symmetry", "number"), ("output", "spacegroup", "number")),
              group_number)
    _add_energies(batch, counts)
    _add_settings(batch)
    add_program(batch)


def _add_energies(batch: Batch, counts: list[int | None]) -> None:
    def output(name: str) -> list[Any]:
        return batch.first(("output", name), ("calcs_reversed", 0, "output", name))

    given = batch.cleaned("total_energy_ev_per_atom", output("energy_per_atom"), number)
    cells = batch.cleaned("total_energy_ev_per_atom", output("energy"), number)
    batch.set("total_energy_ev_per_atom", [
        cell / n if per_atom is None and cell is not None and n else per_atom
        for per_atom, cell, n in zip(given, cells, counts, strict=True)
    ])
    add_band_gap(batch, output("bandgap"), output("is_metal"), output("is_gap_direct"))
    moments = batch.first(("output", "outcar", "total_magnetization"), ("output", "total_magnetization"),
                          ("calcs_reversed", 0, "output", "outcar", "total_magnetization"))
    add_magnetization(batch, moments, counts)


def _add_settings(batch: Batch) -> None:
    names = _each(batch, "xc_functional", vasp.functional) or []
    plus_u = [found[1] if found else None for found in names]
    batch.set("xc_functional", [found[0] if found else None for found in names])
    gaps = batch.column("band_gap_ev")
    batch.set("band_gap_functional",
              [None if gap is None else name for gap, name in zip(gaps, batch.column("xc_functional"), strict=True)])
    u_of = dict(zip(map(id, batch.records), plus_u, strict=True))
    batch.set("hubbard_u_ev", _each(batch, "hubbard_u_ev", lambda record: _hubbard(record, u_of[id(record)])))
    batch.set("code_version", batch.first(("vasp_version",), ("calcs_reversed", 0, "vasp_version")), text)
    batch.set("cutoff_ev", _each(batch, "cutoff_ev", vasp.cutoff))
    grids = batch.set("k_grid", _each(batch, "k_grid", vasp.k_grid))
    batch.set("n_k_points", _each(batch, "n_k_points", vasp.n_k_points))
    lattices = batch.column("lattice_vectors_angstrom")
    batch.set("k_point_density_angstrom",
              [vasp.k_point_density(grid, lattice) for grid, lattice in zip(grids, lattices, strict=True)])
    batch.set("pseudopotentials", _each(batch, "pseudopotentials", vasp.potentials))
    batch.set("spin_polarized", _each(batch, "spin_polarized", vasp.spin_polarized))
    batch.set("relativity", _each(batch, "relativity", vasp.relativity))


def _each(batch: Batch, name: str, read: Any) -> list[Any]:
    """A column read from whole records; what cannot be read rejects its record."""
    return batch.cleaned(name, batch.records, read)


def _hubbard(record: dict[str, Any], plus_u: bool | None) -> list[tuple[str, float]] | None:
    stated = vasp.from_inputs(record, "hubbards") or dig(record, ("entry", "parameters", "hubbards"))
    if stated is not None and not isinstance(stated, dict):
        text_list(stated)
    return vasp.hubbard(stated, plus_u, vasp.from_inputs(record, "is_hubbard"))


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        raise BadValueError("calc_type: an object is no name")
    return text(value, 200)
