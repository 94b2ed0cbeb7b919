"""From a source's density of states to the columns of `dos`: checked, per atom, relative to the band edge.

Every source hands its arrays, converted to eV and states/eV/cell on the source's absolute energy scale, to
:func:`dos_columns`; what 0 eV means is decided here, once, for all sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.sources.batch import Batch
from lake.sources.values import BadValueError, number, show

Floats = NDArray[np.float64]

EMPTY_STATES_PER_EV_PER_ATOM = 1e-3
"""A density below this counts as no states (pymatgen uses the same figure per cell)."""

EDGE_STEPS = 2
"""How many grid steps a Fermi level may lie inside a band edge and the gap still count as one."""

MOST_NEGATIVE_SHARE = 0.1
"""Methfessel–Paxton smearing makes small negative densities; a larger share of the maximum is an error."""

MAX_POINTS = 1_000_000


def dos_columns(
    energies_ev: ArrayLike,
    spin_up: ArrayLike,
    spin_down: ArrayLike | None = None,
    *,
    n_atoms: int | None,
    fermi_ev: float | None,
    vbm_ev: float | None = None,
) -> dict[str, Any]:
    """One density of states as values for the columns of the table `dos`.

    The zero of energy is the reported valence-band maximum (``vbm_reported``) where one is given and lies on
    the grid, else the one read off the density (``vbm_from_dos``), else, for a metal, the Fermi level.

    Args:
        energies_ev: n energies in eV on the source's absolute scale, strictly ascending.
        spin_up: n densities in states/eV/cell: the first spin channel, or the total of an unpolarised run.
        spin_down: n densities of the second channel, positive; None = not spin-polarised.
        n_atoms: atoms of the cell that the densities are of.
        fermi_ev: Fermi level in eV on the same scale; None = unknown, then ``vbm_ev`` is needed.
        vbm_ev: valence-band maximum in eV on the same scale, as the source reports it.

    Returns:
        Column name → value, lists as plain lists of float.

    Raises:
        BadValueError: arrays of different length, not ascending, not finite, empty, clearly negative or all
            zero, no atoms, or a Fermi level off the grid.
    """
    energies = _energies(energies_ev)
    if isinstance(n_atoms, bool) or not isinstance(n_atoms, int | np.integer) or n_atoms < 1:
        raise BadValueError(f"n_atoms: {show(n_atoms)}, a count of 1 or more is needed")
    up = _density(spin_up, len(energies), "spin up" if spin_down is not None else "total") / int(n_atoms)
    down = None if spin_down is None else _density(spin_down, len(energies), "spin down") / int(n_atoms)
    total = up if down is None else up + down
    if not total.any():
        raise BadValueError("density of states: zero everywhere")
    fermi = number(fermi_ev)
    level, zero = _reference(energies, total, fermi, number(vbm_ev))
    return {
        "energies_ev": (energies - zero).tolist(),
        "states_per_ev_per_atom": total.tolist(),
        "spin_up_states_per_ev_per_atom": None if down is None else up.tolist(),
        "spin_down_states_per_ev_per_atom": None if down is None else down.tolist(),
        "spin_polarized": down is not None,
        "reference_level": level,
        "reference_energy_ev": zero,
        "fermi_energy_ev": None if fermi is None else fermi - zero,
        "n_atoms": int(n_atoms),
        "energy_min_ev": float(energies[0] - zero),
        "energy_max_ev": float(energies[-1] - zero),
        "energy_step_ev": float(np.median(np.diff(energies))),
    }


def valence_band_maximum(
    energies_ev: Floats, density: Floats, fermi_ev: float, empty: float = EMPTY_STATES_PER_EV_PER_ATOM
) -> float | None:
    """The highest energy with states at or below the Fermi level; None where states lie at it (a metal).

    A Fermi level up to :data:`EDGE_STEPS` grid steps inside a band edge still counts as in the gap, because
    codes put it at the edge itself and print it rounded. A broadened density yields an edge that is too high
    by about three times the broadening.

    Args:
        energies_ev: n energies in eV, ascending.
        density: n densities in states/eV/atom, spins summed.
        fermi_ev: Fermi level in eV on the same scale.
        empty: density in states/eV/atom below which there are no states.

    Raises:
        BadValueError: the grid does not hold the Fermi level, or there are no states at or below it.
    """
    if not energies_ev[0] <= fermi_ev <= energies_ev[-1]:
        raise BadValueError(
            f"Fermi level: {fermi_ev:g} eV is off the grid of {energies_ev[0]:g} … {energies_ev[-1]:g} eV"
        )
    filled = density > empty
    above = int(np.searchsorted(energies_ev, fermi_ev, side="right"))
    # a gap is a run of at least two empty points, so that one dip in a spiky density makes no insulator
    gap = ~filled[:-1] & ~filled[1:]
    near = [i for i in range(above - 2 - EDGE_STEPS, above + EDGE_STEPS + 1) if 0 <= i < len(gap) and gap[i]]
    occupied = np.flatnonzero(filled[: near[-1] + 1 if near else above])
    if len(occupied) == 0:
        raise BadValueError(f"density of states: no states at or below the Fermi level of {fermi_ev:g} eV")
    return float(energies_ev[occupied[-1]]) if near else None


def set_dos_columns(batch: Batch, rows: Sequence[dict[str, Any]]) -> None:
    """Set the columns that :func:`dos_columns` makes; empty rows (rejected records) become nulls."""
    names = dict.fromkeys(name for row in rows for name in row)
    for name in names:
        batch.set(name, [row.get(name) for row in rows])


def each_dos(batch: Batch, make: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Set the columns from ``make(record)`` for every record; what it refuses is rejected as ``bad_dos``.

    Args:
        batch: records of densities of states.
        make: gives the columns of one record, usually by :func:`dos_columns`; may raise BadValueError.
    """
    rows: list[dict[str, Any]] = []
    for index, record in enumerate(batch.records):
        try:
            rows.append(make(record))
        except BadValueError as error:
            batch.reject(index, "bad_dos", str(error))
            rows.append({})
    set_dos_columns(batch, rows)


def _reference(
    energies: Floats, density: Floats, fermi: float | None, reported: float | None
) -> tuple[str, float]:
    if reported is not None and energies[0] <= reported <= energies[-1]:
        return "vbm_reported", reported
    if fermi is None:
        raise BadValueError("neither a Fermi level nor a valence-band maximum on the grid is given")
    found = valence_band_maximum(energies, density, fermi)
    return ("fermi", fermi) if found is None else ("vbm_from_dos", found)


def _energies(values: ArrayLike) -> Floats:
    energies = _floats(values, "energies")
    if not 2 <= len(energies) <= MAX_POINTS:
        raise BadValueError(f"energies: {len(energies):,} points, 2 to {MAX_POINTS:,} are taken")
    if not (np.diff(energies) > 0).all():
        raise BadValueError("energies: not ascending")
    return energies


def _density(values: ArrayLike, points: int, name: str) -> Floats:
    density = _floats(values, f"density ({name})")
    if len(density) != points:
        raise BadValueError(f"density ({name}): {len(density):,} values for {points:,} energies")
    if density.min() < -MOST_NEGATIVE_SHARE * max(float(density.max()), 0.0):
        raise BadValueError(f"density ({name}): negative, down to {density.min():g} states/eV")
    return np.clip(density, 0.0, None)


def _floats(values: ArrayLike, name: str) -> Floats:
    if not isinstance(values, list | tuple | np.ndarray):
        raise BadValueError(f"{name}: {show(values)} is no list of numbers")
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadValueError(f"{name}: {show(values)} is no list of numbers") from None
    if array.ndim != 1:
        raise BadValueError(f"{name}: shape {array.shape}, (n,) is needed")
    if not np.isfinite(array).all() or (len(array) and np.abs(array).max() > 1e9):
        raise BadValueError(f"{name}: values that are not finite, or beyond 1e9")
    return array
