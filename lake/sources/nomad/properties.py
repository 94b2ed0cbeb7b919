"""Energies and band gaps of NOMAD records, from J to eV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lake.sources.batch import Batch
from lake.sources.nomad.legacy import sections
from lake.sources.nomad.structure import count_atoms
from lake.sources.nomad.view import View, stated, total_energy
from lake.sources.values import number
from lake.units import EV_PER_JOULE

_DEEPEST_OVERLAP_EV = 50.0
"""Bands overlap by a few eV; a more negative gap is an error and stays one."""


@dataclass(frozen=True)
class Gap:
    """A band gap in eV, and whether it is direct, indirect, or the record's is a (half-)metal."""

    value: float
    kind: str | None


def add_properties(batch: Batch, views: Sequence[View], functionals: Sequence[Any]) -> None:
    """Set total energies per atom and band gaps. NOMAD knows no formation energies: they stay null."""
    batch.set("total_energy_ev_per_atom", views, _energy_per_atom)
    gaps = batch.cleaned("band_gap_ev", views, band_gap)
    batch.set("band_gap_ev", [gap and gap.value for gap in gaps])
    batch.set("band_gap_type", [gap and gap.kind for gap in gaps])
    batch.set("band_gap_functional", [f if gap else None for f, gap in zip(functionals, gaps, strict=True)])


def band_gap(view: View) -> Gap | None:
    """The fundamental gap over all spin channels; null where nothing states one.

    Taken from NOMAD's summary, else from the band structure, the calculation, the density of states, or the
    frontier energies, in this order. Bands that overlap (a negative gap) make a metal: 0 eV.

    Raises:
        BadValueError: a gap is no number.
    """
    for channels in _candidates(view):
        found = _over_channels(channels)
        if found is not None:
            return found
    return None


def _energy_per_atom(view: View) -> float | None:
    energy = number(total_energy(view.calculation))
    atoms = count_atoms(view)
    return None if energy is None or not atoms else energy * EV_PER_JOULE / atoms


def _candidates(view: View) -> Iterator[list[dict[str, Any]]]:
    """Gaps by spin channel, the best known first."""
    yield _labelled(view, sections(view.electronic.get("band_gap")))
    for bands in (view.electronic, view.calculation):
        for structure in reversed(sections(bands.get("band_structure_electronic"))):
            yield sections(structure.get("band_gap"))
    yield sections(view.calculation.get("band_gap"))
    for density in reversed(sections(view.electronic.get("dos_electronic_new"))):
        yield [gap for channel in sections(density.get("data")) for gap in sections(channel.get("band_gap"))]
    for density in reversed(sections(view.electronic.get("dos_electronic"))):
        yield sections(density.get("band_gap"))
    yield [g for d in sections(view.calculation.get("dos_electronic")) for g in sections(d.get("band_gap"))]
    energy = view.calculation.get("energy")
    if isinstance(energy, dict):
        highest, lowest = energy.get("highest_occupied"), energy.get("lowest_unoccupied")
        yield [{"energy_highest_occupied": highest, "energy_lowest_unoccupied": lowest}]


def _labelled(view: View, gaps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The gaps of the entry's own method: a workflow lists those of its DFT and its GW step side by side."""
    name = view.of_results("method", "method_name")
    own = [gap for gap in gaps if gap.get("label") in (None, name)]
    return own or gaps


def _over_channels(channels: list[dict[str, Any]]) -> Gap | None:
    if not channels:
        return None
    edges = [_edges(channel) for channel in channels]
    values = [_value(channel, edge) for channel, edge in zip(channels, edges, strict=True)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    tops = [top for top, _ in edges if top is not None]
    bottoms = [bottom for _, bottom in edges if bottom is not None]
    smallest = min(known)
    if len(known) > 1 and len(tops) == len(bottoms) == len(known):
        smallest = min(smallest, min(bottoms) - max(tops))
    if smallest <= 0.0:
        half = len(known) == 2 and max(known) > 0.0 >= min(known)
        return Gap(smallest if smallest < -_DEEPEST_OVERLAP_EV else 0.0, "half-metal" if half else "metal")
    same = smallest == min(known)
    return Gap(smallest, _kind(channels[known.index(min(known))]) if same else None)


def _edges(channel: dict[str, Any]) -> tuple[float | None, float | None]:
    top = number(channel.get("energy_highest_occupied"))
    bottom = number(channel.get("energy_lowest_unoccupied"))
    return (None if top is None else top * EV_PER_JOULE, None if bottom is None else bottom * EV_PER_JOULE)


def _value(channel: dict[str, Any], edges: tuple[float | None, float | None]) -> float | None:
    value = number(channel.get("value"))
    if value is not None:
        return value * EV_PER_JOULE
    top, bottom = edges
    return None if top is None or bottom is None else bottom - top


def _kind(channel: dict[str, Any]) -> str | None:
    found = stated(channel.get("type"))
    return found.lower() if found else None
