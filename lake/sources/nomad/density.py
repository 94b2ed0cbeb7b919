"""Densities of states of NOMAD archives: one section per spin channel, in J and 1/J per cell.

``normalization_factor`` is left alone: it is a convention of its own (per channel, states up to the Fermi level),
while ``value`` times the elementary charge is states/eV/cell, which is divided by the atoms here as for every source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.sources.dos import dos_columns
from lake.sources.nomad.legacy import sections
from lake.sources.nomad.settings import spin_polarized
from lake.sources.nomad.structure import count_atoms
from lake.sources.nomad.view import View, view
from lake.sources.values import BadValueError, number, show
from lake.units import EV_PER_JOULE, PER_EV_PER_PER_JOULE

Floats = NDArray[np.float64]
Channel = tuple[int | None, dict[str, Any], Any]
"""Spin (0, 1 or unknown), the section that it is from, and the values in 1/J."""


def holds_density(record: dict[str, Any]) -> bool:
    """Whether a record holds a density of states as arrays; entries hold only paths to one."""
    return next(_densities(view(record)), None) is not None


def density_columns(record: dict[str, Any]) -> dict[str, Any]:
    """The columns of `dos` of one record.

    Raises:
        BadValueError: the arrays are none, the channels do not fit together, or the atoms cannot be counted.
    """
    found = view(record)
    channels = next(_densities(found), None)
    if channels is None:
        raise BadValueError("no density of states as arrays")
    energies, densities = _by_spin(channels, found)
    down = densities[1] if len(densities) == 2 else None
    return dos_columns(
        energies, densities[0], down, n_atoms=count_atoms(found),
        fermi_ev=_fermi(channels, found), vbm_ev=_band_edge(channels, found),
    )


def _densities(found: View) -> Iterator[list[Channel]]:
    """The densities of a record, the last calculation's first, each as its channels."""
    for calculation in reversed(found.calculations):
        if channels := _channels(sections(calculation.get("dos_electronic"))):
            yield channels
    for summary in reversed(sections(found.electronic.get("dos_electronic_new"))):
        if channels := _channels(sections(summary.get("data"))):
            yield channels
    if channels := _channels(sections(found.electronic.get("dos_electronic"))):
        yield channels


def _channels(found: list[dict[str, Any]]) -> list[Channel]:
    """The channels in some sections; vibrational ones and those that hold only paths are none."""
    channels: list[Channel] = []
    for section in found:
        if not isinstance(section.get("energies"), list) or section.get("kind") == "vibrational":
            continue
        totals = section.get("total")
        parts = sections(totals) if _is_nested(totals) else [{"value": totals}]
        for part in parts:
            if isinstance(part.get("value"), list):
                spin = section.get("spin_channel")
                spin = part.get("spin") if spin is None else spin
                channels.append((spin if spin in (0, 1) and not isinstance(spin, bool) else None,
                                 section, part["value"]))
    return channels


def _is_nested(totals: Any) -> bool:
    return isinstance(totals, dict) or (isinstance(totals, list) and any(isinstance(t, dict) for t in totals))


def _by_spin(channels: list[Channel], found: View) -> tuple[Floats, list[Floats]]:
    """Energies in eV and one or two densities in states/eV/cell.

    Several densities of one calculation (another method, another grid) follow each other: the last counts.
    """
    last = {spin: (section, values) for spin, section, values in channels}
    if 0 in last and 1 in last:
        chosen = [last[0], last[1]]
    elif 1 in last:
        raise BadValueError("density of states: the first spin channel is missing")
    else:
        chosen = [last[0] if 0 in last else last[None]]
        if spin_polarized(found) and 0 in last:
            raise BadValueError("density of states: spin-polarised, but the second channel is missing")
    grids = [_floats(section["energies"], "energies") * EV_PER_JOULE for section, _ in chosen]
    densities = [_floats(values, "values") * PER_EV_PER_PER_JOULE for _, values in chosen]
    if len(grids) == 2 and not _same(grids[0], grids[1]):
        raise BadValueError("density of states: the two spin channels have different energies")
    return grids[0], densities


def _same(left: Floats, right: Floats) -> bool:
    return left.shape == right.shape and np.allclose(left, right, rtol=0.0, atol=1e-6)


def _floats(values: Any, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadValueError(f"density of states: {name} {show(values)} are no numbers") from None


def _fermi(channels: list[Channel], found: View) -> float | None:
    stated = [number(section.get("energy_fermi")) for _, section, _ in channels]
    energy = found.calculation.get("energy")
    general = number(energy.get("fermi")) if isinstance(energy, dict) else None
    return _highest([*stated, general] if not any(s is not None for s in stated) else stated)


def _band_edge(channels: list[Channel], found: View) -> float | None:
    """The highest occupied state over all channels, as NOMAD reports it."""
    stated: list[float | None] = []
    for _, section, _ in channels:
        stated.append(number(section.get("energy_ref")))
        stated += [number(g.get("energy_highest_occupied")) for g in sections(section.get("band_gap"))]
        stated += [number(c.get("energy_highest_occupied")) for c in sections(section.get("channel_info"))]
    if all(s is None for s in stated):
        energy = found.calculation.get("energy")
        stated = [number(energy.get("highest_occupied")) if isinstance(energy, dict) else None]
    return _highest(stated)


def _highest(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) * EV_PER_JOULE if known else None
