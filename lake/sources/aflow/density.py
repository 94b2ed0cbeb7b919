"""AFLOW's densities of states: `_dosdata.json` (energies relative to the Fermi level) and DOSCAR (absolute)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lake.sources.aflow.lists import quantity
from lake.sources.batch import Batch
from lake.sources.dos import dos_columns, each_dos
from lake.sources.values import BadValueError, show

_ROUNDING_EV = 2e-3
"""Energies are printed with six digits, or to 1 meV."""


def normalise_densities(batch: Batch, kind: str, origin: str) -> None:
    """Fill the columns of `dos` from documents of one kind, ``dosdata`` or ``doscar``."""
    each_dos(batch, _from_dosdata if kind == "dosdata" else _from_doscar)
    if origin.startswith(("http://", "https://")):
        parts = urlsplit(origin)
        batch.constant("source_url", f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}")


def _from_dosdata(record: dict[str, Any]) -> dict[str, Any]:
    data = record.get("tDOS_data")
    if not isinstance(data, dict):
        raise BadValueError(f"tDOS_data: {show(data)} is no object")
    fermi = quantity(record.get("Efermi"))
    energies = _energies(record, data, fermi)
    up, down = data.get("tDOS"), None
    if not isinstance(up, list):
        up, down = data.get("spin_majority"), _positive(data.get("spin_minority"))
        if not isinstance(up, list) or not isinstance(down, list):
            raise BadValueError("tDOS_data: neither tDOS nor spin_majority and spin_minority")
    columns = dos_columns(energies, up, down, n_atoms=_atoms(record), fermi_ev=fermi or 0.0)
    if fermi is None:
        columns["reference_energy_ev"] = None
    return columns


def _from_doscar(record: dict[str, Any]) -> dict[str, Any]:
    columns = record["columns"]
    found = len(columns[0]) if columns else 0
    if found < max(2, record["points"]):
        raise BadValueError(f"DOSCAR: {found:,} of {record['points']:,} points; the file is cut")
    printed = np.asarray(columns[0])
    energies = _exact(printed, record["emin"], record["emax"])
    down = columns[2] if len(columns) == 5 else None
    return dos_columns(energies, columns[1], down, n_atoms=record["n_atoms"], fermi_ev=record["efermi"])


def _energies(record: dict[str, Any], data: dict[str, Any], fermi: float | None) -> Any:
    """Absolute energies in eV, where the Fermi level is known; else relative to it."""
    given = data.get("energy")
    if not isinstance(given, list):
        raise BadValueError(f"tDOS_data.energy: {show(given)} is no list")
    try:
        printed = np.asarray(given, dtype=np.float64) + (fermi or 0.0)
    except (ValueError, TypeError, OverflowError):
        raise BadValueError("tDOS_data.energy: not a list of numbers") from None
    low, high = quantity(record.get("Emin")), quantity(record.get("Emax"))
    if fermi is None or low is None or high is None:
        return printed
    return _exact(printed, low, high)


def _exact(printed: Any, low: float, high: float) -> Any:
    """The evenly spaced grid that was printed rounded, so that fine grids do not show equal energies."""
    if printed.ndim != 1 or len(printed) < 2 or not low < high:
        return printed
    exact = np.linspace(low, high, len(printed))
    return exact if np.abs(exact - printed).max() < _ROUNDING_EV else printed


def _atoms(record: dict[str, Any]) -> int:
    counts = record.get("composition")
    if not isinstance(counts, list) or not counts:
        raise BadValueError("composition: missing, so the number of atoms is unknown")
    total = sum(quantity(count) or 0.0 for count in counts)
    if total < 1 or total != int(total):
        raise BadValueError(f"composition: {show(counts)} is no whole number of atoms")
    return int(total)


def _positive(values: Any) -> Any:
    """The minority spin as a density; some writers hand it mirrored, for plotting."""
    if isinstance(values, list) and values and all(isinstance(v, int | float) and v <= 0 for v in values):
        return [-v for v in values]
    return values
