"""How an AFLOW entry was computed: functional, +U, code, cutoff, k-points, pseudopotentials."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.sources.aflow.lists import listed, numbers, quantity, texts
from lake.sources.batch import Batch
from lake.sources.values import BadValueError, show, text

# VASP's names of its potential sets: GGA there means Perdew-Wang 91, never PBE
_FUNCTIONALS = {"gga": "pw91", "ca": "lda", "pz": "lda", "91": "pw91", "pe": "pbe", "ps": "pbesol", "rp": "rpbe"}
_CODE = re.compile(r"([A-Za-z][A-Za-z\-]*)[.\s_]*(.*)")
_NO_METAGGA = {"none", "null", "false", "--", "-", "no"}


def add_settings(batch: Batch, constants: NDArray[np.float64], elements: list[Any]) -> list[Any]:
    """Set the columns of the calculation's settings.

    Args:
        batch: the entries.
        constants: n × 6 cell constants (Å, degrees), NaN where unknown.
        elements: per entry its elements in the order of AFLOW's per-species lists.

    Returns:
        The functional of every entry.
    """
    functionals = _add_functional(batch)
    _add_hubbard(batch, elements)
    _add_code(batch)
    _add_k_points(batch, constants)
    batch.set("cutoff_ev", batch.values("energy_cutoff"), _cutoff)
    batch.set("pseudopotentials", batch.first(("species_pp_version",), ("species_pp",)), texts)
    return functionals


def functional(dft_type: Any) -> str | None:
    """The functional of a ``dft_type`` in any spelling; null where an entry mixes potentials of several.

    ``PAW_PBE`` → pbe, ``PAW_GGA`` and ``GGA`` → pw91, ``PAW_LDA`` and ``US_LDA`` → lda, ``PAW_RPBE`` → rpbe.
    """
    found = {_functional(name) for name in texts(dft_type) or []}
    return found.pop() if len(found) == 1 else None


def _functional(name: str) -> str:
    bare = (text(name, 60) or "").lower()
    bare = bare.removeprefix("paw_").removeprefix("us_").removesuffix("_kin")
    return _FUNCTIONALS.get(bare, bare)


def _add_functional(batch: Batch) -> list[Any]:
    plain = batch.cleaned("xc_functional", batch.values("dft_type"), functional)
    meta = batch.cleaned("xc_functional", batch.values("metagga"), _metagga)
    return batch.set("xc_functional", [m or p for m, p in zip(meta, plain, strict=True)])


def _metagga(value: Any) -> str | None:
    found = texts(value)
    name = (text(found[0], 60) or "").lower() if found else ""
    return None if name in _NO_METAGGA else name or None


def _add_hubbard(batch: Batch, elements: list[Any]) -> None:
    combined = batch.cleaned("hubbard_u_ev", batch.values("ldau_TLUJ"), _tluj)
    types = batch.cleaned("hubbard_u_ev", batch.values("ldau_type"), quantity)
    us = batch.cleaned("hubbard_u_ev", batch.values("ldau_u"), numbers)
    js = batch.cleaned("hubbard_u_ev", batch.values("ldau_j"), numbers)
    maps: list[Any] = []
    for index, tluj in enumerate(combined):
        kind, u, j = tluj or (None, None, None)
        kind = kind if types[index] is None else types[index]
        maps.append(_effective(batch, index, elements[index], kind, us[index] or u, js[index] or j))
    batch.set("hubbard_u_ev", maps)


def _effective(
    batch: Batch, index: int, names: list[str] | None, kind: float | None,
    u: list[float | None] | None, j: list[float | None] | None,
) -> list[tuple[str, float]] | None:
    """U − J by element, elements without +U left out; null where it is not said whether there is +U.

    A J that is not given counts as 0, as in AFLOW's standard (Calderon et al., Comput. Mater. Sci. 108,
    233 (2015)), which gives the effective U. A ``ldau_type`` alone says no values: null.
    """
    if kind == 0 or (u and not any(u)):
        return []
    if not u or not names or any(value is None for value in u):
        return None
    exchange = [value or 0.0 for value in j] if j else [0.0] * len(u)
    if len(u) != len(names) or len(exchange) != len(names):
        batch.reject(index, "contradictory", f"{len(names)} species, but {len(u)} values of U, {len(exchange)} of J")
        return None
    effective = [(name, (a or 0.0) - b) for name, a, b in zip(names, u, exchange, strict=True)]
    return [(name, value) for name, value in effective if value != 0.0]


def _tluj(value: Any) -> tuple[float | None, Any, Any]:
    """Type, U and J of ``ldau_TLUJ``: ``[2, [2, 0], [5.8, 0], [0, 0]]`` or ``"2;2,0;5.8,0;0,0"``."""
    parts = listed(value)
    if not parts:
        return None, None, None
    kind = numbers(parts[0])
    if len(parts) != 4:
        return (kind[0] if kind else None), None, None
    return (kind[0] if kind else None), numbers(parts[2]), numbers(parts[3])


def _add_code(batch: Batch) -> None:
    codes = [found or (None, None) for found in batch.cleaned("code", batch.values("code"), _code)]
    batch.set("code", [name for name, _ in codes])
    batch.set("code_version", [version for _, version in codes])
    # all of AFLOW's potential sets (PAW_…, US_…) are VASP's
    plane_waves = [name == "vasp" for name, _ in codes]
    batch.set("basis_set", ["plane waves" if p else None for p in plane_waves])
    batch.set("core_treatment", ["pseudopotential" if p else None for p in plane_waves])


def _code(value: Any) -> tuple[str | None, str | None]:
    found = text(value, 200)
    if found is None:
        return None, None
    parts = _CODE.fullmatch(found)
    if parts is None:
        raise BadValueError(f"{show(value)} names no code")
    return parts[1].lower().rstrip("-"), parts[2] or None


def _cutoff(value: Any) -> float | None:
    """The cutoff in eV; of the cutoffs of several steps the last, which the energy is from."""
    found = [number for number in numbers(value) or [] if number is not None]
    return found[-1] if found else None


def _add_k_points(batch: Batch, constants: NDArray[np.float64]) -> None:
    static = batch.cleaned("k_grid", batch.values("kpoints_static"), _grid)
    relax = batch.cleaned("k_grid", batch.values("kpoints_relax"), _grid)
    both = batch.cleaned("k_grid", batch.values("kpoints"), _grids)
    grids = [s or b or r for s, b, r in zip(static, both, relax, strict=True)]
    batch.set("k_grid", grids)
    density = np.array([grid or [math.nan] * 3 for grid in grids]).reshape(-1, 3) * constants[:, :3]
    lowest = density.min(axis=1)
    batch.set("k_point_density_angstrom", [float(d) if math.isfinite(d) else None for d in lowest])


def _grid(value: Any) -> list[int] | None:
    found = numbers(value)
    if not found or any(n is None or n <= 0 or n != int(n) for n in found):
        return None
    if len(found) != 3:
        raise BadValueError(f"{show(value)} is no mesh of three numbers")
    return [int(n) for n in found if n is not None]


def _grids(value: Any) -> list[int] | None:
    """The last mesh of ``kpoints``: relaxation, static run, then the band path."""
    meshes = [part for part in listed(value) or [] if isinstance(part, list) and _is_mesh(part)]
    return _grid(meshes[-1]) if meshes else None


def _is_mesh(part: list[Any]) -> bool:
    return len(part) == 3 and all(str(n).strip().isdigit() for n in part)
