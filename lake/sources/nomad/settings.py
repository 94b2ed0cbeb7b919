"""How a NOMAD entry was computed: functional, +U, code, basis, k-points, relativity, spin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lake.sources.batch import Batch
from lake.sources.crystals import element_of
from lake.sources.libxc import functional
from lake.sources.nomad.legacy import sections
from lake.sources.nomad.view import View, stated
from lake.sources.values import BadValueError, flag, items, number, show, whole
from lake.units import EV_PER_JOULE

_BASIS_SETS = {"plane waves", "numeric AOs", "gaussians", "(L)APW+lo", "APW", "LAPW", "psinc functions",
               "atom-centered orbitals", "real-space grid", "support functions", "Slater-type orbitals"}
_XC_PARTS = ("exchange", "correlation", "hybrid", "contributions")
_LONGEST_GRID = 10_000


def add_settings(batch: Batch, views: Sequence[View]) -> list[Any]:
    """Set the columns of the calculations' settings.

    Returns:
        The functional of every entry, None where the method is not DFT.
    """

    def column(name: str, read: Callable[[View], Any], cleaner: Callable[[Any], Any] = stated) -> list[Any]:
        return batch.set(name, [read(view) for view in views], cleaner)

    functionals = batch.set("xc_functional", views, xc_functional)
    batch.set("hubbard_u_ev", views, hubbard)
    code = column("code", lambda v: _simulation(v, "program_name") or v.program.get("name"))
    batch.set("code", [None if name is None else name.lower() for name in code])
    column("code_version", lambda v: _simulation(v, "program_version") or v.program.get("version"))
    batch.set("basis_set", views, _basis_set)
    batch.set("cutoff_ev", views, _cutoff)
    column("n_basis_functions", lambda v: v.of_method("electronic", "n_basis_functions"), whole)
    _add_k_points(batch, views)
    batch.set("pseudopotentials", views, _pseudopotentials)
    column("core_treatment", lambda v: _dft(v, "core_electron_treatment"))
    column("relativity", lambda v: _dft(v, "relativity_method") or v.of_method("electronic", "relativity_method"))
    batch.set("spin_polarized", views, spin_polarized)
    column("settings_tier", lambda v: _simulation(v, "precision", "native_tier"))
    return functionals


def xc_functional(view: View) -> str | None:
    """The functional by its libxc names; null where none is stated and where the method is not DFT.

    Raises:
        BadValueError: the names are no list of texts.
    """
    if not view.is_dft:
        return None
    names = _dft(view, "xc_functional_names")
    if names is None:
        parts = [view.of_method("dft", "xc_functional", part) for part in _XC_PARTS]
        names = [p["name"] for part in parts for p in sections(part) if p.get("name") is not None]
    found = [name for name in items(names, stated_or_nothing) or [] if name]
    return functional(found)


def stated_or_nothing(value: Any) -> str:
    """A text, empty for NOMAD's words for nothing, so that lists may hold them."""
    return stated(value) or ""


def spin_polarized(view: View) -> bool | None:
    """Whether spins were free; null where it is not said.

    Raises:
        BadValueError: what is said is no truth value.
    """
    said = flag(_dft(view, "spin_polarized"))
    if said is not None:
        return said
    channels = number(view.of_method("electronic", "n_spin_channels"))
    return None if channels not in (1.0, 2.0) else channels == 2.0


def hubbard(view: View) -> list[tuple[str, float]] | None:
    """The effective U by element in eV; empty where the method is said to be plain DFT, null if unknown.

    Raises:
        BadValueError: a U or J is no number.
    """
    models = [(m.get("atom_label"), m) for m in sections(_dft(view, "hubbard_kanamori_model"))]
    if not models:
        for atom in sections(view.of_method("atom_parameters")):
            model = atom.get("hubbard_kanamori_model") or atom.get("hubbard_model")
            models += [(atom.get("label") or atom.get("atom_label"), m) for m in sections(model)]
    found: dict[str, float] = {}
    for label, model in models:
        element, effective = element_of(label), _effective_u(model)
        if element is None or effective is None:
            return None
        if abs(effective) > abs(found.get(element, 0.0)):
            found[element] = effective
    if found or models:
        return sorted(found.items())
    return [] if view.of_method("electronic", "method") == "DFT" else None


def _effective_u(model: dict[str, Any]) -> float | None:
    effective, u = number(model.get("u_effective")), number(model.get("u"))
    exchange = number(model.get("j")) or number(model.get("jh")) or 0.0
    if effective is None and u is not None:
        effective = u - exchange
    return None if effective is None else effective * EV_PER_JOULE


def _basis_set(view: View) -> str | None:
    kind = stated(_dft(view, "basis_set_type"))
    if kind is not None:
        return kind
    # Some entries put the size of their basis here (dzp, 450), which is no kind.
    other = _simulation(view, "precision", "basis_set")
    return other if isinstance(other, str) and other in _BASIS_SETS else None


def _cutoff(view: View) -> float | None:
    candidates = [_simulation(view, "precision", "planewave_cutoff")]
    for representation in sections(view.of_method("electrons_representation")):
        for basis in sections(representation.get("basis_set")):
            if basis.get("type") in (None, "plane waves"):
                candidates.append(basis.get("cutoff"))
    for basis in sections(view.of_method("basis_set")):
        candidates += [cell.get("planewave_cutoff") for cell in sections(basis.get("cell_dependent"))]
    found = [value for candidate in candidates if (value := number(candidate))]
    return found[0] * EV_PER_JOULE if found else None


def _pseudopotentials(view: View) -> list[str] | None:
    names = set()
    for atom in sections(view.of_method("atom_parameters")):
        names.add(stated(atom.get("pseudopotential_name")))
        names.update(stated(part.get("name")) for part in sections(atom.get("pseudopotential")))
    return sorted(name for name in names if name) or None


def _add_k_points(batch: Batch, views: Sequence[View]) -> None:
    grids = batch.set("k_grid", views, _grid)
    batch.wholes("n_k_points", [v.of_method("k_mesh", "n_points") or None for v in views])
    densities = [_density(lattice, grid)
                 for lattice, grid in zip(batch.column("lattice_vectors_angstrom"), grids, strict=True)]
    batch.set("k_point_density_angstrom", densities)


def _grid(view: View) -> list[int] | None:
    value = view.of_method("k_mesh", "grid")
    if not value:
        return None
    grid = items(value, whole)
    if grid is None or len(grid) != 3 or not all(0 < n <= _LONGEST_GRID for n in grid):
        raise BadValueError(f"{show(value)} is no mesh of three counts")
    return grid


def _density(lattice: Any, grid: list[int] | None) -> float | None:
    if lattice is None or grid is None:
        return None
    found = float((np.linalg.norm(np.asarray(lattice), axis=1) * grid).min())
    return found if math.isfinite(found) else None


def _simulation(view: View, *path: str) -> Any:
    return view.of_results("method", "simulation", *path)


def _dft(view: View, name: str) -> Any:
    return _simulation(view, "dft", name)
