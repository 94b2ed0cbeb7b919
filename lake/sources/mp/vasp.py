"""How a VASP calculation of the Materials Project was set up, from its inputs as emmet stores them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from lake.sources.batch import dig
from lake.sources.mp.functionals import of_potentials, of_run_type
from lake.sources.values import BadValueError, flag, items, number, show, text

_MESHES = ("gamma", "monkhorst", "automatic", "g", "m", "a")
INPUTS = (("input",), ("calcs_reversed", 0, "input"), ("orig_inputs",))
"""Where a task's inputs are, the most trustworthy first."""


def from_inputs(record: dict[str, Any], *path: str) -> Any:
    """The first value at a path into a task's inputs that is there; INCAR and parameters may be JSON texts."""
    for place in INPUTS:
        inputs = dig(record, place)
        value = dig(_opened(dig(inputs, path[:1])), path[1:])
        if value is not None:
            return value
    return None


def incar(record: dict[str, Any], name: str) -> Any:
    """The value of an INCAR tag: as set, else as VASP reports its parameters."""
    value = from_inputs(record, "incar", name)
    return from_inputs(record, "parameters", name) if value is None else value


def functional(record: dict[str, Any]) -> tuple[str | None, bool | None]:
    """The functional of a task, and whether it says +U.

    ``GGA`` is what the potentials were made for: PBE, but PW91 with the oldest ones.
    """
    run_type = record.get("run_type")
    if run_type is None:
        run_type = dig(record, ("calcs_reversed", 0, "run_type"))
    name, plus_u = of_run_type(run_type)
    if name == "pbe" and str(run_type).strip().upper().startswith("GGA"):
        name = of_potentials(potentials(record)) or name
    return name, plus_u


def hubbard(hubbards: Any, plus_u: bool | None, is_hubbard: Any = None) -> list[tuple[str, float]] | None:
    """Effective U by element in eV; empty = none, null = unknown.

    Args:
        hubbards: element → U as emmet stores it.
        plus_u: whether the run type says +U.
        is_hubbard: what the task itself says.
    """
    pairs = hubbards.items() if isinstance(hubbards, dict) else hubbards
    if isinstance(pairs, list) and not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise BadValueError(f"{show(hubbards)} is no map from elements to U")
    given = {text(name, 10): number(value) for name, value in pairs or []}
    if any(value is None for value in given.values()):
        return None
    found = [(name, value) for name, value in given.items() if name and value]
    if found:
        return found
    if plus_u is False or (plus_u is None and flag(is_hubbard) is False):
        return []
    return None


def potentials(record: dict[str, Any]) -> list[str] | None:
    """Titles of the POTCARs, such as ``PAW_PBE Si 05Jan2001``."""
    return titles(from_inputs(record, "potcar_spec"))


def titles(specs: Any) -> list[str] | None:
    """The titles in a list of POTCAR specifications; null where one is missing."""
    if not isinstance(specs, list) or not specs:
        return None
    found = [text(spec.get("titel"), 200) if isinstance(spec, dict) else None for spec in specs]
    return items(found, text) if all(found) else None


def cutoff(record: dict[str, Any]) -> float | None:
    """The plane-wave cutoff in eV."""
    for tag in ("ENCUT", "ENMAX"):
        value = number(incar(record, tag))
        if value is not None and value > 0:
            return value
    return None


def spin_polarized(record: dict[str, Any]) -> bool | None:
    """Whether spins were free; VASP's default is that they are not."""
    if any(_is_true(incar(record, tag)) for tag in ("LSORBIT", "LNONCOLLINEAR")):
        return True
    value = number(incar(record, "ISPIN"))
    if value is None:
        return False if from_inputs(record, "incar") else None
    return value == 2


def relativity(record: dict[str, Any]) -> str | None:
    """``spin-orbit coupling`` where it was on; null where that is all that can be said."""
    return "spin-orbit coupling" if _is_true(incar(record, "LSORBIT")) else None


def k_grid(record: dict[str, Any]) -> list[int] | None:
    """The k-point mesh; null for lists of points and for meshes given by a spacing."""
    for place in INPUTS:
        points = _opened(dig(dig(record, place), ("kpoints",)))
        if isinstance(points, dict) and (found := _mesh(points)):
            return found
    return None


def n_k_points(record: dict[str, Any]) -> int | None:
    """The number of k-points that were computed."""
    value = number(from_inputs(record, "nkpoints"))
    if value is not None and value >= 1 and value == int(value):
        return int(value)
    for place in INPUTS:
        points = _opened(dig(dig(record, place), ("kpoints",)))
        listed = points.get("kpoints") if isinstance(points, dict) and not _is_mesh(points) else None
        if isinstance(listed, list) and listed:
            return len(listed)
    return None


def k_point_density(grid: list[int] | None, lattice: Any) -> float | None:
    """The smallest product of mesh number and lattice constant, in Å."""
    if not grid:
        return None
    try:
        lengths = np.linalg.norm(np.asarray(lattice, dtype=np.float64).reshape(3, 3), axis=1)
    except (TypeError, ValueError, OverflowError):
        return None
    smallest = float((lengths * grid).min())
    return smallest if np.isfinite(smallest) else None


def _opened(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _is_mesh(points: dict[str, Any]) -> bool:
    style = points.get("generation_style", points.get("style"))
    if isinstance(style, dict):
        style = style.get("value")
    return isinstance(style, str) and style.strip().lower().split(".")[-1] in _MESHES


def _mesh(points: dict[str, Any]) -> list[int] | None:
    found = points.get("kpoints")
    if not _is_mesh(points) or not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], list):
        return None
    mesh = [number(n) for n in found[0]]
    if len(mesh) != 3 or any(n is None or not 1 <= n <= 10_000 or n != int(n) for n in mesh):
        return None
    return [int(n) for n in mesh if n is not None]


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().strip(".").lower() in ("t", "true"))
