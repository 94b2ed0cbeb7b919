"""AFLOW's files that are not JSON: DOSCAR of VASP, and `aflowlib.out`."""

from __future__ import annotations

import re
from typing import Any

_COUNTS = re.compile(rb"\s*\d+\s+(\d+)\s+\d+\s+\d+\s*\n")
_FLOAT = re.compile(r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?|[-+]?\d+")
_HEADER_LINES = 6


def decode(body: bytes) -> dict[str, Any] | None:
    """A DOSCAR or an `aflowlib.out` as a document; None where the body is neither.

    A DOSCAR becomes ``{"doscar": {name, n_atoms, emax, emin, points, efermi, columns}}`` with energies
    absolute in eV and densities in states/eV/cell; ``columns`` are those of the total density, as far as
    the file goes.
    """
    counts = _COUNTS.match(body[:200])
    if counts:
        return _doscar(body, int(counts[1]))
    if b"auid=aflow:" in body[:4096] and not body.lstrip().startswith((b"{", b"[")):
        return _entry(body.decode("utf-8", "replace"))
    return None


def _doscar(body: bytes, n_atoms: int) -> dict[str, Any] | None:
    lines = body.split(b"\n", _HEADER_LINES)
    if len(lines) <= _HEADER_LINES:
        return None
    header = _FLOAT.findall(lines[5].decode("ascii", "replace"))
    if len(header) < 4:
        return None
    emax, emin, points, efermi = (float(part) for part in header[:4])
    rows = _rows(lines[_HEADER_LINES], int(points))
    return {
        "doscar": {
            "name": lines[4].decode("utf-8", "replace").strip(),
            "n_atoms": n_atoms,
            "emax": emax,
            "emin": emin,
            "points": int(points),
            "efermi": efermi,
            "columns": [list(column) for column in zip(*rows, strict=True)],
        }
    }


def _rows(rest: bytes, points: int) -> list[list[float]]:
    """The lines of the total density; a file that is cut, or breaks off in a line, has fewer."""
    rows: list[list[float]] = []
    for line in rest.split(b"\n", max(points, 0))[: max(points, 0)]:
        try:
            row = [float(part) for part in line.split()]
        except ValueError:
            break
        if len(row) not in (3, 5) or (rows and len(row) != len(rows[0])):
            break
        rows.append(row)
    return rows


def _entry(text: str) -> dict[str, Any]:
    pairs = (part.split("=", 1) for part in re.split(r"\s\|\s", text) if "=" in part)
    return {key.strip(): value.strip() for key, value in pairs if re.fullmatch(r"\w+", key.strip())}
